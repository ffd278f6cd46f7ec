"""What every test has around it."""

from __future__ import annotations

import os
import signal

# A worker that imports torch because it is idle would take a core from the tests that run meanwhile.
os.environ["TESSERA_WARM"] = "false"
# Tests of other things look at pictures as they are made; those of the checks say Safe themselves.
os.environ["TESSERA_MODE"] = "2"
if "PYTEST_XDIST_WORKER" in os.environ:  # threads that wait for each other lose much where others work too
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell lets what it runs in the background ignore Ctrl+C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
