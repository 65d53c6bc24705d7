"""How many films come in at a time: slow ones must not take every thread of a web process.

A body occupies a thread for as long as its sender likes. So only some of a process's threads take
bodies, and no account more than a few of them; the others go on answering. Who is turned away is
told to come back, which uploads in pieces do by themselves.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.errors import Unavailable

MOST: Final = 6
"""Bodies that one process takes at a time. Beside `playback.MAX_WAITERS`, two of its 16 threads are
left for everything else."""

MOST_OF_ONE: Final = 3
"""Of these, those of one account."""

RETRY_SECONDS: Final = 5

_lock = threading.Lock()
_taken: Counter[int] = Counter()


@contextmanager
def one_body(owner_id: int) -> Iterator[None]:
    """Take a body of this account. Raises Unavailable `busy`."""
    with _lock:
        if _taken.total() >= MOST or _taken[owner_id] >= MOST_OF_ONE:
            raise Unavailable(
                "Many films are coming in at the moment. Try again in a few seconds.",
                RETRY_SECONDS,
                "busy",
            )
        _taken[owner_id] += 1
    try:
        yield
    finally:
        with _lock:
            _taken[owner_id] -= 1
            if not _taken[owner_id]:
                del _taken[owner_id]
