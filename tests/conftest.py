"""What every test has around it."""

from __future__ import annotations

import os
import signal

# A worker that imports torch because it is idle would take a core from the tests that run meanwhile.
os.environ["TESSERA_WARM"] = "false"
# A shell lets what it runs in the background ignore Ctrl+C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
