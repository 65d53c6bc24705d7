"""The cage's inner door: sets limits on itself, then becomes the program it was given.

Run as ``python -I -S launch.py LIMITS -- PROGRAM ARGUMENT…`` where LIMITS is a JSON object with
``parent`` (the process id that must still be the parent), ``nice``, and ``cpu`` (seconds),
``memory`` (bytes of address space), ``file`` (bytes of one file) and ``files`` (open files).
It is a script of the standard library alone, so that it starts in a few milliseconds and no
Python code runs between fork and exec of a threaded parent.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Apply the limits and replace this process; exits 125 if the parent is already gone."""
    limits = json.loads(arguments[0])
    program = arguments[arguments.index("--") + 1 :]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != limits["parent"]:
            sys.exit(125)
    for name, value in (
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(name)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (wanted, wanted))
    os.nice(limits["nice"])
    os.execv(program[0], program)  # noqa: S606 - no shell is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
