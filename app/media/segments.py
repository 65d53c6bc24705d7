"""Samples in, segments out: reads ffmpeg's fragments and writes final media segments.

ffmpeg's own fragments are not kept as they are, for three reasons: their time stamps are late by
the encoder's frame delay, an audio fragment has no exact length, and a segment should be one
``moof`` and one ``mdat``. So fragments are taken apart into samples and written anew.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.media.boxes import Box, box, complete_length, find, full_box, walk

SYNC_FLAGS: Final = 0x02000000  # depends on no other sample (ISO/IEC 14496-12, 8.8.3.1)
NON_SYNC_FLAGS: Final = 0x01010000  # depends on others, is not a sync sample
NON_SYNC_BIT: Final = 0x00010000
DEFAULT_BASE_IS_MOOF: Final = 0x020000
TRUN_ALL: Final = 0x000F01  # data offset, and per sample: duration, size, flags, composition


@dataclass(frozen=True)
class Sample:
    """One coded frame: decode and presentation time and duration in ticks of its track."""

    dts: int
    pts: int
    duration: int
    key: bool
    data: bytes


@dataclass(frozen=True)
class Defaults:
    """What ``trex`` of an init segment says of samples that say nothing themselves."""

    duration: int
    size: int
    flags: int


class FragmentReader:
    """Takes bytes of a fragmented MP4 with one track, gives its init segment and its samples."""

    def __init__(self) -> None:
        self.init: bytes = b""
        self._buffer = bytearray()
        self._defaults = Defaults(0, 0, 0)
        self._moof: bytes = b""

    def feed(self, data: bytes) -> list[Sample]:
        """Samples of the fragments that became complete; raises ValueError on nonsense."""
        self._buffer += data
        done = complete_length(self._buffer)
        if not done:
            return []
        whole = bytes(self._buffer[:done])
        del self._buffer[:done]
        samples: list[Sample] = []
        for found in walk(whole):
            raw = whole[found.start : found.end]
            if found.kind in {b"ftyp", b"moov"}:
                self.init += raw
                if found.kind == b"moov":
                    self._defaults = _trex(raw)
            elif found.kind == b"moof":
                self._moof = raw
            elif found.kind == b"mdat" and self._moof:
                samples += _samples(self._moof, raw, self._defaults)
                self._moof = b""
        return samples

    @property
    def rest(self) -> int:
        """Bytes of an unfinished box: not zero means that the writer broke off."""
        return len(self._buffer)


def read_samples(data: bytes) -> tuple[bytes, list[Sample]]:
    """The init segment and all samples of a whole fragmented MP4 with one track."""
    reader = FragmentReader()
    samples = reader.feed(data)
    if reader.rest:
        raise ValueError("the last fragment is cut off")
    return reader.init, samples


def _trex(moov: bytes) -> Defaults:
    found = find(moov, b"moov", b"mvex", b"trex")
    if found is None:
        raise ValueError("not a fragmented film")
    _, _, _, duration, size, flags = struct.unpack_from(">6I", moov, found.body)
    return Defaults(duration, size, flags)


def _samples(moof: bytes, mdat: bytes, defaults: Defaults) -> Iterator[Sample]:
    traf = find(moof, b"moof", b"traf")
    if traf is None:
        return
    time = 0
    duration, size, flags = defaults.duration, defaults.size, defaults.flags
    for part in walk(moof, traf.body, traf.end):
        if part.kind == b"tfhd":
            duration, size, flags = _tfhd(moof, part, defaults)
        elif part.kind == b"tfdt":
            wide = moof[part.body] == 1
            (time,) = struct.unpack_from(">Q" if wide else ">I", moof, part.body + 4)
        elif part.kind == b"trun":
            for sample in _trun(moof, part, mdat, time, Defaults(duration, size, flags)):
                time = sample.dts + sample.duration
                yield sample


def _tfhd(moof: bytes, part: Box, defaults: Defaults) -> tuple[int, int, int]:
    (flags,) = struct.unpack_from(">I", moof, part.body)
    at = part.body + 8
    values = [defaults.duration, defaults.size, defaults.flags]
    for bit, width, slot in ((1, 8, None), (2, 4, None), (8, 4, 0), (16, 4, 1), (32, 4, 2)):
        if flags & bit:
            if slot is not None:
                (values[slot],) = struct.unpack_from(">I", moof, at)
            at += width
    return values[0], values[1], values[2]


def _trun(moof: bytes, part: Box, mdat: bytes, time: int, defaults: Defaults) -> Iterator[Sample]:
    head, count = struct.unpack_from(">II", moof, part.body)
    version, flags = head >> 24, head & 0xFFFFFF
    at, offset, first_flags = part.body + 8, 8, None
    if flags & 0x1:
        (data_offset,) = struct.unpack_from(">i", moof, at)
        offset = data_offset - len(moof)
        at += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", moof, at)
        at += 4
    for number in range(count):
        duration, size, sample_flags, shift = defaults.duration, defaults.size, defaults.flags, 0
        if flags & 0x100:
            (duration,) = struct.unpack_from(">I", moof, at)
            at += 4
        if flags & 0x200:
            (size,) = struct.unpack_from(">I", moof, at)
            at += 4
        if flags & 0x400:
            (sample_flags,) = struct.unpack_from(">I", moof, at)
            at += 4
        elif number == 0 and first_flags is not None:
            sample_flags = first_flags
        if flags & 0x800:
            (shift,) = struct.unpack_from(">i" if version else ">I", moof, at)
            at += 4
        data = mdat[offset : offset + size]
        if len(data) != size:
            raise ValueError("a sample lies outside its fragment")
        offset += size
        yield Sample(time, time + shift, duration, not sample_flags & NON_SYNC_BIT, data)
        time += duration


def retime(
    samples: Sequence[Sample], shift: int, start: int, end: int, early: int = 0
) -> list[Sample]:
    """The samples of one closed group of pictures on the film's time line.

    ``shift`` is added to every presentation time; the group then fills ``[start, end)`` exactly:
    its first picture is shown at ``start`` (rounding may have put it ``early`` ticks before),
    its last until ``end``. Raises ValueError if they do not fit.

    Decode times begin at ``start`` too, and none is later than its presentation time, so that no
    composition offset is negative: libavformat shows all pictures late when one is. The pictures
    that an encoder sends ahead of their turn share the time of one.
    """
    shown = [sample.pts + shift for sample in samples]
    order = sorted(shown)
    if not order or order[-1] >= end or order[0] < start - early or shown[0] != order[0]:
        raise ValueError("a picture lies outside its segment")
    shown[0] = order[0] = start
    if any(a >= b for a, b in itertools.pairwise(order)):
        raise ValueError("two pictures have the same time")
    decoded = _decode_times(shown)
    ends = [*decoded[1:], end]
    return [
        Sample(dts, pts, following - dts, sample.key, sample.data)
        for sample, dts, pts, following in zip(samples, decoded, shown, ends, strict=True)
    ]


def _decode_times(shown: Sequence[int]) -> list[int]:
    """Rising times, each at most the earliest presentation time still to come."""
    latest = list(shown)
    for at in range(len(latest) - 2, -1, -1):
        latest[at] = min(latest[at], latest[at + 1])
    times: list[int] = []
    before = latest[0] - 1
    for value, run in itertools.groupby(latest):
        count = len(list(run))
        times += [before + (value - before) * (k + 1) // count for k in range(count)]
        before = value
    if any(a >= b for a, b in itertools.pairwise(times)):
        raise ValueError("pictures come too close to each other")
    return times


def write_segment(sequence: int, samples: Iterable[Sample]) -> bytes:
    """One media segment of track 1: a ``moof`` and a ``mdat``; sequence counts from 1."""
    listed = list(samples)
    rows = b"".join(
        struct.pack(
            ">IIIi",
            sample.duration,
            len(sample.data),
            SYNC_FLAGS if sample.key else NON_SYNC_FLAGS,
            sample.pts - sample.dts,
        )
        for sample in listed
    )

    def moof(offset: int) -> bytes:
        trun = full_box(b"trun", 1, TRUN_ALL, struct.pack(">Ii", len(listed), offset), rows)
        tfhd = full_box(b"tfhd", 0, DEFAULT_BASE_IS_MOOF, struct.pack(">I", 1))
        tfdt = full_box(b"tfdt", 1, 0, struct.pack(">Q", listed[0].dts))
        mfhd = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))
        return box(b"moof", mfhd, box(b"traf", tfhd, tfdt, trun))

    size = len(moof(0))
    return moof(size + 8) + box(b"mdat", *(sample.data for sample in listed))


def first_sample_end(segment: bytes) -> int:
    """How many bytes of a segment of `write_segment` hold its first sample, and all before it.

    Of a picture segment that is the range of its key frame (RFC 8216, 4.3.3.6).
    """
    trun = find(segment, b"moof", b"traf", b"trun")
    if trun is None:
        raise ValueError("not a media segment")
    offset, _duration, size = struct.unpack_from(">iII", segment, trun.body + 8)
    return int(offset + size)
