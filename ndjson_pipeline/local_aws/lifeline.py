"""Runs a command that must not outlive whoever holds the other end of standard input.

Started as `lifeline.py PID_FILE COMMAND...` at the head of a process group of its own. When its standard
input ends, it kills the group; when the command ends, it ends the same way.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status; a signal that kills it kills this process too."""
    # Unlike SIG_IGN, a handler is not inherited: the command gets the signal, this process waits for it.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    # And where this process was started with interrupts ignored, the command would ignore them as well.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    command = subprocess.Popen(arguments[1:], stdin=subprocess.DEVNULL)
    Path(arguments[0]).write_text(f"{command.pid}\n")
    threading.Thread(target=_await_end_of_input, daemon=True).start()
    status = command.wait()
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _await_end_of_input() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
