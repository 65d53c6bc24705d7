"""The cage's inner door: sets limits on itself, then becomes the program it was given.

Run as ``python -I -S launch.py LIMITS -- PROGRAM ARGUMENT…`` where LIMITS is a JSON object with
``parent`` (the process id that must still be the parent), ``cpu`` (seconds), ``memory`` (bytes of
address space), ``file`` (bytes of one file), ``files`` (open files) and ``landlock`` (the
descriptor of a ruleset, or null). It is a script of the standard library alone, so that it starts
in a few milliseconds and no Python code runs between fork and exec of a threaded parent.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

AUTOGROUP_TRIES = 5
AUTOGROUP_PAUSE = 0.05
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_RESTRICT_SELF = 446


def main(arguments: list[str]) -> None:
    """Enter the cage and replace this process."""
    program = arguments[arguments.index("--") + 1 :]
    enter(arguments[0])
    os.execv(program[0], program)  # noqa: S606 - no shell is the purpose


def enter(text: str) -> None:
    """Put this process under the limits in a JSON text, for good.

    Exits with 125 if the parent is already gone, with 126 if the kernel refuses the ruleset.
    """
    limits = json.loads(text)
    system = ctypes.CDLL(None)
    if sys.platform == "linux":
        system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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
    _stand_back()
    if limits["landlock"] is not None:
        system.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if system.syscall(LANDLOCK_RESTRICT_SELF, limits["landlock"], 0) != 0:
            sys.exit(126)
        os.close(limits["landlock"])


def _stand_back() -> None:
    """Let this session count for as little as its only process does by its niceness.

    Where Linux shares the processor among sessions first (sched(7), autogroup), niceness by itself
    counts inside a session only, and each program in the cage has one of its own.
    """
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness <= 0:
        return
    for _ in range(AUTOGROUP_TRIES):
        try:
            with open("/proc/self/autogroup", "w") as group:
                group.write(str(niceness))
        except BlockingIOError:  # the kernel takes ten of these a second from all together
            time.sleep(AUTOGROUP_PAUSE)
        except OSError:
            return  # it shares the processor among processes
        else:
            return


if __name__ == "__main__":
    main(sys.argv[1:])
