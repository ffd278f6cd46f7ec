"""What every test has around it."""

from __future__ import annotations

import os

# A worker that imports torch because it is idle would take a core from the tests that run meanwhile.
os.environ["TESSERA_WARM"] = "false"
