"""The plan of a film: everything that is fixed before the first picture is encoded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
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
    container's clock; ``skip`` is the number of leading packets that a copy leaves out."""

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

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return -(-self.total // self.segment)

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
    the N expected picture counts; ``chunks`` are (first, last) segments, both included."""

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
            for name in ("time_base", "rate_ratio", "colour"):
                source[name] = tuple(source[name])
            data["source"] = VideoSource(**source)
        data["video"] = tuple(VideoRow(**row) for row in data["video"])
        data["audio"] = tuple(
            AudioRow(**(row | {"chunks": _pairs(row["chunks"])})) for row in data["audio"]
        )
        data["text"] = tuple(TextRow(**row) for row in data.get("text", ()))
        data["chapters"] = tuple(Chapter(**part) for part in data.get("chapters", ()))
        for name in ("boundaries", "frames", "decisions"):
            data[name] = tuple(data[name])
        data["chunks"] = _pairs(data["chunks"])
        return cls(**data)


def _pairs(items: list[list[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((first, last) for first, last in items)


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
