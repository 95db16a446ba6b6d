"""Start a program that the kernel ends when its starter dies: ``python guard.py program arguments…``.

Linux only (``prctl``); elsewhere the program is started as it is. The death signal belongs to the thread that starts
this process, so that thread must live as long as the process should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Request the signal, then become the program."""
    starter = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != starter:
            sys.exit(1)  # the starter died before the signal was requested
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
