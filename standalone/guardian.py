"""The guardian ends what a killed supervisor leaves: `python -m standalone.guardian`.

It reads `+SESSION` and `-SESSION` lines from its standard input, whose other end only the
supervisor holds. When that end closes, however the supervisor came to its end, every process of the
sessions that are left gets SIGTERM and, a moment later, SIGKILL. It also holds the lock of DATA_DIR
open until then, so that nothing new starts beside what is ending.
"""

from __future__ import annotations

import signal
import sys
import time

from standalone import sessions

GRACE_SECONDS = 3.0


def main() -> None:
    """Wait for the end of the supervisor, then leave nothing of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left: set[int] = set()
    for line in sys.stdin:
        change, session = line[0], int(line[1:])
        if change == "+":
            left.add(session)
        else:
            left.discard(session)
    if not left:
        return
    sessions.send(left, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while sessions.alive(left) and time.monotonic() < deadline:
        time.sleep(0.05)
    sessions.kill(left)


if __name__ == "__main__":
    main()
