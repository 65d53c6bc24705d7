"""What is known about a source: plain values, no library objects."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property


@dataclass(frozen=True)
class Mark:
    """From ``seconds`` of film time on, up to the next mark, a stream lies between the bytes
    ``first`` and ``end`` of its file."""

    seconds: float
    first: int
    end: int


@dataclass(frozen=True)
class FrameIndex:
    """Every picture of a film in decode order; times in ticks of the stream's time base.

    ``complete``: no picture of the film is missing from it. ``cut``: the file ends before its
    own index does; the pictures beyond the end are left out. ``trimmed``: an edit list hides
    pictures that a stream copy would show.

    Where the file's clock jumps, the times are straight ones: ``shifts`` are the ticks that its
    parts were moved by, ``sound`` the same in seconds for each sound track, by stream, and
    ``entries`` (straight time, byte, part) are where decoding can begin.

    ``marks`` are known of a file of which only the front was there.
    """

    pts: array[int]
    sizes: array[int]
    keys: tuple[int, ...]
    complete: bool
    cut: bool = False
    trimmed: bool = False
    shifts: tuple[int, ...] = ()
    sound: dict[int, tuple[float, ...]] = field(default_factory=dict)
    entries: tuple[tuple[int, int, int], ...] = ()
    marks: tuple[Mark, ...] = ()

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def shown(self) -> list[int]:
        """Presentation times, sorted."""
        return sorted(self.pts)

    @cached_property
    def clean_keys(self) -> tuple[int, ...]:
        """Decode positions of key frames after which nothing earlier is shown: cut points."""
        clean = []
        lowest_after = [0] * (len(self.pts) + 1)
        lowest_after[-1] = 1 << 62
        for at in range(len(self.pts) - 1, -1, -1):
            lowest_after[at] = min(self.pts[at], lowest_after[at + 1])
        highest, at = -(1 << 62), 0
        for key in self.keys:
            while at < key:
                highest = max(highest, self.pts[at])
                at += 1
            if lowest_after[key] == self.pts[key] and highest < self.pts[key]:
                clean.append(key)
        return tuple(clean)


@dataclass(frozen=True)
class Rhythm:
    """How regular the pictures come: ``rate`` is exact if ``regular``, else a nominal one.

    ``shortest`` and ``longest`` are gaps between pictures in seconds.
    """

    rate: Fraction
    regular: bool
    shortest: float
    longest: float


@dataclass(frozen=True)
class VideoFacts:
    """The film's picture. ``width`` and ``height`` are as coded, before ``rotation`` (degrees
    clockwise needed to see it upright) and before ``sar`` (the shape of a pixel). ``dolby``: it
    carries Dolby Vision."""

    index: int
    codec: str
    profile: str
    level: int
    width: int
    height: int
    sar: Fraction
    rotation: int
    mirrored: bool
    pix_fmt: str
    bit_depth: int
    rate: Fraction | None
    rhythm: Rhythm
    full_range: bool
    primaries: int
    transfer: int
    matrix: int
    interlaced: bool
    extradata: bytes
    time_base: Fraction
    start: int
    frames: FrameIndex
    dolby: bool = False

    @property
    def hdr(self) -> bool:
        """PQ (16) or HLG (18) transfer (ITU-T H.273)."""
        return self.transfer in {16, 18}

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as seen, in square pixels; the coded height is kept."""
        width, height = round(self.width * self.sar), self.height
        return (height, width) if self.rotation in {90, 270} else (width, height)


@dataclass(frozen=True)
class AudioFacts:
    """A sound track; ``start`` is in seconds on the container's clock. ``describes``: it tells
    what is to be seen; ``comment``: somebody talks about the film. ``shifts``: seconds that the
    parts of a clock that jumps are moved by; ``counted``: there is no clock but its samples."""

    index: int
    codec: str
    profile: str
    channels: int
    layout: str
    rate: int
    language: str
    title: str
    default: bool
    start: float
    duration: float | None
    describes: bool = False
    comment: bool = False
    shifts: tuple[float, ...] = ()
    counted: bool = False
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class TextFacts:
    """A text track that can become captions."""

    index: int
    language: str
    title: str
    default: bool
    forced: bool


@dataclass(frozen=True)
class Chapter:
    """A part of the film with a name; from and to are in seconds of film time."""

    start: float
    end: float
    title: str


@dataclass(frozen=True)
class SourceFacts:
    """A file that was let in. ``start`` (s) is the container's first time stamp, against which
    ffmpeg counts ``-ss``; ``origin`` (s) is film time zero on the container's clock."""

    container: str
    bytes: int
    duration: float
    start: float
    origin: Fraction
    video: VideoFacts | None
    audio: tuple[AudioFacts, ...]
    notes: tuple[str, ...] = ()
    text: tuple[TextFacts, ...] = ()
    chapters: tuple[Chapter, ...] = ()
