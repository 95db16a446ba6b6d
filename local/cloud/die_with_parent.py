"""Runs a command and ends its process group when the emulator ends, which closes our stdin.

The kernel's parent-death signal reaches one process only, and spark-submit is a chain of them (shell, Java, Python).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        os.read(0, 1)  # nothing is ever written: returns when the emulator has ended
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
