"""Clocks that jump: transport streams that were joined or cut, or whose 33 bits ran over.

Every part between two jumps gets a *shift*, ticks that are added to its times, so that the whole
has one clock that only goes forward. The picture's clock decides, and sound follows it, so that
both stay together: what a part's sound is late or early by is its own.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from app.media import cage
from app.media.errors import damaged

BACK: Final = Fraction(1, 10)
AHEAD: Final = Fraction(10)
"""Seconds that a clock may go back or ahead from packet to packet without being called a jump:
those of ffmpeg's own correction (``dts_delta_threshold``), which ``-copyts`` switches off."""

WRAP: Final = 1 << 33
"""Ticks after which the clock begins again (ISO/IEC 13818-1, 2.4.3.6). Which turn a time is in is
libavformat's guess, which depends on where it begins to read; so it is left out of account here."""
TICK: Final = Fraction(1, 90_000)
SPARE: Final = 3600
"""Seconds before film time zero that a time may lie; a film has the rest of the 26.5 hours."""
MOST: Final = 200
"""Jumps: more are no recording but noise."""


@dataclass(frozen=True)
class Timed:
    """A packet of one stream in file order: times and lengths in ticks, place in bytes."""

    pts: int
    dts: int
    pos: int
    size: int
    key: bool


@dataclass(frozen=True)
class Straight:
    """A film's clock made straight. ``shifts`` are ticks of each part of the picture, ``packets``
    its packets with their straight times, ``parts`` the number of each packet's part, and
    ``sound`` the shifts in seconds of each part of each sound track, by stream."""

    shifts: tuple[int, ...]
    packets: tuple[Timed, ...]
    parts: tuple[int, ...]
    sound: dict[int, tuple[float, ...]]


def turned(ticks: int) -> int:
    """The distance between two times of the clock, by the shorter way round."""
    return (ticks + WRAP // 2) % WRAP - WRAP // 2


def straighten(path: Path, stream: int) -> Straight:
    """Read all packets of the file, and straighten the clock of ``stream`` and of all sound.

    Raises MediaError ``damaged`` for a clock that never stays.
    """
    read: dict[int, list[Timed]] = {}
    options = cage.open_options()
    with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
        wanted = [container.streams[stream], *container.streams.audio]
        for packet in _packets(container, wanted):
            time = packet.dts if packet.dts is not None else packet.pts
            if packet.size and time is not None and packet.time_base == TICK:
                pts = time if packet.pts is None else packet.pts
                timed = Timed(pts, time, packet.pos or 0, packet.size, packet.is_keyframe)
                read.setdefault(packet.stream_index, []).append(timed)
    shifts, parts, packets = _follow(read.pop(stream, []))
    sound = {
        number: tuple(float(shift * TICK) for shift in _follow(others, shifts)[0])
        for number, others in read.items()
    }
    return Straight(tuple(shifts), tuple(packets), tuple(parts), sound)


def straightened(time: str, shifts: Sequence[float], zero: float, unit: Fraction, first: int = 0
                 ) -> str:  # fmt: skip
    """An expression of ffmpeg's ``setpts`` for the straight form of ``time``, from part ``first``
    on. ``shifts`` and the film's ``zero`` are in ``unit`` seconds, like the expression. Register 0
    counts the jumps that went by.
    """
    wrap, spare = float(WRAP * TICK / unit), float(SPARE / unit)
    turn = float(WRAP * TICK)
    steps = "".join(
        f"+({after - before!r})*gte(ld(0),{number})"
        for number, (before, after) in enumerate(itertools.pairwise(shifts[first:]), 1)
    )
    gap = f"mod((PTS-PREV_INPTS)*TB+{turn / 2!r},{turn!r})-{turn / 2!r}"
    stays = f"between({gap},{-float(BACK)},{float(AHEAD)})"
    count = f"st(0,ld(0)+not(isnan(PREV_INPTS))*not({stays}))"
    moved = f"{time}+0*{count}+({shifts[first]!r}{steps})-({zero!r})"
    return f"(mod({moved}+{spare!r},{wrap!r})-{spare!r}+({zero!r}))"


def _packets(container: Any, wanted: list[Any]) -> Iterator[Any]:
    """The packets that can be read, up to the first error."""
    packets = container.demux(*wanted)
    for _ in range(4 * cage.MAX_FRAMES):
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            return
        if packet is None:
            return
        yield packet


def _follow(
    packets: Sequence[Timed], known: Sequence[int] = ()
) -> tuple[list[int], list[int], list[Timed]]:
    """The shift of each part, the part of each packet, and the packets with straight times; a
    shift that is near a known one is that one."""
    steps = [turned(b.dts - a.dts) for a, b in itertools.pairwise(packets)]
    usual = round(statistics.median(steps)) if steps else 0
    shifts, parts, moved = [0], [], []
    straight = packets[0].dts if packets else 0
    for packet, step in zip(packets, [0, *steps], strict=bool(packets)):
        if -BACK <= step * TICK <= AHEAD:
            straight += step
        else:
            own = straight + usual - packet.dts
            off = min((turned(other - own) for other in known), key=abs, default=0)
            shifts.append(own + (off if abs(off) * TICK < AHEAD / 2 else 0))
            straight = packet.dts + shifts[-1]
            if len(shifts) > MOST:
                raise damaged("probe", "the clock jumps all the time")
        parts.append(len(shifts) - 1)
        pts = straight + turned(packet.pts - packet.dts)
        moved.append(replace(packet, pts=pts, dts=straight))
    return shifts, parts, moved
