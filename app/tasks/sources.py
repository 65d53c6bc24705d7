"""What an attempt sees of its film's file: all of it, or the part that its task is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from app.media.apart import probe_apart
from app.media.arrivals import Entrance, entrance_of
from app.media.errors import MediaError, damaged
from app.media.facts import SourceFacts
from app.media.movindex import tells_all
from app.media.plan import Plan
from app.storage import Part, Source, storage
from app.tasks.claims import Claim
from app.videos.names import ORIGINAL

FRONT_BYTES: Final = 1 << 16
"""By so many first bytes a film tells where its index is."""

Stop = Callable[[], bool]


@contextlib.contextmanager
def opened(mine: Claim, part: Part | None = None) -> Iterator[Source]:
    """The film's file on this machine, or a part; what is made of it is published afterwards."""
    with storage().reading(mine.film, ORIGINAL, part) as source:
        there = source.bytes if mine.received is None else min(source.bytes, mine.received)
        yield replace(source, bytes=there)


def part_of(mine: Claim, plan: Plan, row: str, chunk: int) -> Part | None:
    """The bytes that a cell is made of; None: all of them."""
    if not mine.sees_part or not plan.needs:
        return None
    begin = plan.begins[row][chunk] if plan.begins else 0
    return Part(plan.needs[row][chunk], begin, plan.entrance, plan.back)


def front_of(mine: Claim, plan: Plan, row: str, chunk: int) -> Part | None:
    """The bytes that a row is made of up to this chunk; None: all of them."""
    part = part_of(mine, plan, row, chunk)
    return None if part is None else replace(part, begin=0, front=0)


def probed(mine: Claim, stop: Stop) -> tuple[SourceFacts, Entrance | None]:
    """The film's facts; and the part of its file that was enough for them, if it was a part."""
    entrance = _entrance(mine)
    if entrance is not None:
        try:
            return _probe_part(mine, entrance, stop), entrance
        except MediaError:
            if mine.received is not None:
                raise
    with opened(mine) as source:
        whole = mine.size if source.bytes < mine.size else None
        return probe_apart(source.path, stop=stop, whole=whole), None


def _entrance(mine: Claim) -> Entrance | None:
    """What of the file it takes; None where all of it is here anyway, or needed."""
    with opened(mine, Part(FRONT_BYTES)) as source:
        if not 0 < source.bytes < mine.size:
            return None
        with source.path.open("rb") as file:
            return entrance_of(file, mine.size)


def _probe_part(mine: Claim, entrance: Entrance, stop: Stop) -> SourceFacts:
    with opened(mine, Part(entrance.front, back=entrance.back)) as source:
        with source.path.open("rb") as file:
            if source.bytes < entrance.front or not tells_all(file):
                raise damaged("probe", "the index does not say it all")
        return probe_apart(source.path, stop=stop, whole=mine.size)
