"""The plan of a film: everything that is fixed before the first picture is encoded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import Any, Final, Literal

from app.media.facts import Chapter

TIMESCALE: Final = 90_000
"""Ticks a second of all video rows: MPEG's, and exact for 24, 25, 30/1.001, 50 and 60."""
AAC_FRAME: Final = 1024
"""Samples in a frame of AAC-LC (ISO/IEC 14496-3)."""

Mode = Literal["copy", "encode"]


@dataclass(frozen=True)
class VideoSource:
    """How the film's picture is found and decoded.

    ``origin`` is film time zero in ticks of the stream's ``time_base`` (num, den); ``start`` the
    container's first time in seconds, against which ffmpeg counts ``-ss``. ``exact`` means that
    every picture is passed on as it is; otherwise pictures are held on a grid of ``rate``.
    ``longest_gap`` and ``lead_in`` (s) say how far before a chunk decoding must begin.
    ``tone_map``: HDR comes down to SDR. ``colour`` is (primaries, transfer, matrix), names.
    Where the clock jumps, ``shifts`` are the ticks that its parts are moved by, and ``entries``
    (film time in ticks, byte, part) say where decoding can begin: seeking by time cannot.
    """

    stream: int
    time_base: tuple[int, int]
    origin: int
    start: float
    exact: bool
    rate_ratio: tuple[int, int]
    shortest_gap: float
    longest_gap: float
    lead_in: float
    deinterlace: bool
    tone_map: bool
    transfer: int
    colour: tuple[str, str, str]
    pixels: int
    kind: str
    shifts: tuple[int, ...] = ()
    entries: tuple[tuple[int, int, int], ...] = ()

    @property
    def rate(self) -> Fraction:
        """Frames a second; nominal if the source is irregular."""
        return Fraction(*self.rate_ratio)


@dataclass(frozen=True)
class VideoRow:
    """A picture rendition. Bandwidths are promises in bits/s; ``frame_rate`` is the highest."""

    name: str
    mode: Mode
    width: int
    height: int
    codecs: str
    frame_rate: float
    bandwidth: int
    average_bandwidth: int
    crf: int = 0
    maxrate: int = 0
    bufsize: int = 0
    preset: str = ""
    level: int = 0


@dataclass(frozen=True)
class AudioRow:
    """A sound rendition: ``total`` samples at ``rate``, cut every ``segment`` samples; chunks are
    (first, last) segments like the plan's own. ``origin`` is film time zero in seconds on the
    container's clock; ``skip`` is the number of leading packets that a copy leaves out.

    ``normalise``: the loudness that it is brought to (LUFS), 0 for its own. ``describes``: it tells
    what is to be seen. ``counted``: its times are those of its samples, as it has none of its own.
    ``shifts``: seconds that the parts of a clock that jumps are moved by.
    """

    name: str
    mode: Mode
    stream: int
    language: str
    label: str
    default: bool
    channels: int
    rate: int
    codecs: str
    bandwidth: int
    segment: int
    total: int
    chunks: tuple[tuple[int, int], ...]
    origin: float
    skip: int = 1
    normalise: float = 0.0
    describes: bool = False
    counted: bool = False
    shifts: tuple[float, ...] = ()

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return -(-self.total // self.segment)

    @property
    def can_excerpt(self) -> bool:
        """Whether parts can be made by themselves: its times are true, its volume is its own."""
        return not (self.normalise or self.counted or self.shifts)

    def samples(self, index: int) -> int:
        """The length of segment ``index`` in samples."""
        return min(self.segment, self.total - index * self.segment)


@dataclass(frozen=True)
class TextRow:
    """A text track of the source that becomes captions. ``origin`` is film time zero in seconds
    on the container's clock."""

    stream: int
    language: str
    label: str
    default: bool
    forced: bool
    origin: float


@dataclass(frozen=True)
class Plan:
    """The grid. ``boundaries`` are N+1 ticks of TIMESCALE for N video segments; ``frames`` are
    the N expected picture counts; ``chunks`` are (first, last) segments, both included.

    Of a film that was planned by its index, each chunk of a row needs the file's bytes from its
    ``begins`` up to its ``needs``; and those up to ``entrance``, where the first pictures lie, and
    from ``back`` on, where the index lies if not at the front.
    """

    duration: float
    boundaries: tuple[int, ...]
    frames: tuple[int, ...]
    chunks: tuple[tuple[int, int], ...]
    source: VideoSource | None
    video: tuple[VideoRow, ...]
    audio: tuple[AudioRow, ...]
    decisions: tuple[str, ...]
    timescale: int = TIMESCALE
    version: int = 1
    text: tuple[TextRow, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    needs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    begins: dict[str, tuple[int, ...]] = field(default_factory=dict)
    entrance: int = 0
    back: int | None = None

    def row(self, name: str) -> VideoRow | AudioRow:
        """The row of that name; raises KeyError."""
        rows: tuple[VideoRow | AudioRow, ...] = (*self.video, *self.audio)
        for row in rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def row_chunks(self, name: str) -> tuple[tuple[int, int], ...]:
        """The chunks of a row: sound has its own."""
        row = self.row(name)
        return row.chunks if isinstance(row, AudioRow) else self.chunks

    def chunk_starts(self, name: str) -> list[float]:
        """When each chunk of a row begins, in seconds."""
        row = self.row(name)
        if isinstance(row, AudioRow):
            return [first * row.segment / row.rate for first, _ in row.chunks]
        return [self.boundaries[first] / self.timescale for first, _ in self.chunks]

    def segment_count(self, name: str) -> int:
        """The number of segments of a row."""
        row = self.row(name)
        return row.segments if isinstance(row, AudioRow) else len(self.frames)

    def segment_duration(self, name: str, index: int) -> float:
        """The length of a segment in seconds, as EXTINF states it."""
        row = self.row(name)
        if isinstance(row, AudioRow):
            return row.samples(index) / row.rate
        return (self.boundaries[index + 1] - self.boundaries[index]) / self.timescale

    def to_json(self) -> str:
        """Compact JSON; ``from_json`` gives an equal plan."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that ``to_json`` wrote; raises ValueError for another version."""
        data: dict[str, Any] = json.loads(text)
        if data.get("version") != 1:
            raise ValueError("a plan of another version")
        source = data["source"]
        if source is not None:
            for name in ("time_base", "rate_ratio", "colour", "shifts"):
                source[name] = tuple(source.get(name, ()))
            source["entries"] = tuple(tuple(entry) for entry in source.get("entries", ()))
            data["source"] = VideoSource(**source)
        data["video"] = tuple(VideoRow(**row) for row in data["video"])
        data["audio"] = tuple(
            AudioRow(**(row | {"chunks": _pairs(row["chunks"]), "shifts": _floats(row)}))
            for row in data["audio"]
        )
        data["text"] = tuple(TextRow(**row) for row in data.get("text", ()))
        data["chapters"] = tuple(Chapter(**part) for part in data.get("chapters", ()))
        for name in ("boundaries", "frames", "decisions"):
            data[name] = tuple(data[name])
        data["chunks"] = _pairs(data["chunks"])
        for name in ("needs", "begins"):
            data[name] = {row: tuple(part) for row, part in data.get(name, {}).items()}
        known = {field.name for field in fields(cls)}  # a worker of tomorrow may have added more
        return cls(**{name: value for name, value in data.items() if name in known})


def _pairs(items: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((first, last) for first, last in items)


def _floats(row: dict[str, Any]) -> tuple[float, ...]:
    return tuple(row.get("shifts", ()))


def make_chunks(segments: int, usual: int = 3) -> tuple[tuple[int, int], ...]:
    """Chunks of 1, 2 and then ``usual`` segments: the first picture comes soonest that way."""
    chunks: list[tuple[int, int]] = []
    first = 0
    while first < segments:
        size = min(usual, len(chunks) + 1) if len(chunks) < 2 else usual
        last = min(first + size, segments) - 1
        chunks.append((first, last))
        first = last + 1
    return tuple(chunks)
