"""When the source's own coded pictures can be passed on untouched."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from app.media.codecs import h264_name
from app.media.facts import SourceFacts, VideoFacts
from app.media.ladder import FASTEST, ceiling

LONGEST: Final = 10.0
"""Seconds of the longest segment a copy may make: more makes seeking and switching sluggish."""
TALLER: Final = 1.02
"""How many times the largest rung a copy may have of lines: 1088 pass for 1080."""
PROFILES: Final = {66: "Baseline", 77: "Main", 100: "High"}
HIGHEST_LEVEL: Final = 52
SQUARE: Final = Fraction(1, 100)
PEAK: Final = 3.0
"""A copied segment may have so many times the ceiling of an encoded one of its size."""


def why_not_copied(facts: SourceFacts, video: VideoFacts, lines: int) -> str | None:
    """The reason why the picture must be encoded, as the end of a sentence; None if it need not.

    ``lines`` are those of the largest rung.
    """
    name = h264_name(video.extradata)
    profile, level = (int(name[5:7], 16), int(name[9:11], 16)) if name else (0, 0)
    checks = (
        (video.codec != "h264", f"it is {video.codec.upper()}, which not every browser plays"),
        (video.pix_fmt not in {"yuv420p", "yuvj420p"}, "its colours are not 8 bit 4:2:0"),
        (profile not in PROFILES or level > HIGHEST_LEVEL, "its profile is unusual"),
        (video.interlaced, "it is interlaced"),
        (bool(video.rotation) or video.mirrored, "it is turned"),
        (abs(video.sar - 1) > SQUARE, "its pixels are not square"),
        (min(video.width, video.height) > lines * TALLER, f"it is larger than {lines} lines"),
        (bool(video.width % 2 or video.height % 2), "its sides are odd"),
        (not facts.container.startswith(("mov", "matroska")), "its container has no index"),
        (not video.frames.complete, "not all of it is known beforehand"),
        (video.frames.cut, "the file is cut off"),
        (video.frames.trimmed, "an edit list hides a part of it"),
        (not video.frames.keys or video.frames.keys[0] != 0, "it does not begin at a key frame"),
        (video.rhythm.rate > FASTEST, "it has too many pictures a second"),
        (len(video.frames) > 1 and video.rhythm.shortest <= 0, "two pictures have the same time"),
    )
    return next((reason for failed, reason in checks if failed), None)


def copy_cuts(video: VideoFacts, seconds: float) -> tuple[tuple[int, ...] | None, str]:
    """Presentation times of the key frames to cut at, about ``seconds`` apart, else a reason."""
    frames, base = video.frames, video.time_base
    clean = frames.clean_keys
    if not clean or clean[0] != 0 or frames.pts[0] != frames.shown[0]:
        return None, "it does not begin with a whole picture"
    times = [frames.pts[key] for key in clean]
    end = float(frames.shown[-1] + 1 / (base * video.rhythm.rate))
    cuts = [times[0]]
    for at, time in enumerate(times[1:], start=2):
        length = (time - cuts[-1]) * base
        longer = ((times[at] if at < len(times) else end) - cuts[-1]) * base
        nearest = longer > seconds * 1.5 or abs(length - seconds) <= abs(longer - seconds)
        if nearest and length >= seconds / 4:
            cuts.append(time)
    if len(cuts) > 1 and (end - cuts[-1]) * base < seconds / 4:
        cuts.pop()
    lengths = [float((b - a) * base) for a, b in zip(cuts, [*cuts[1:], end], strict=True)]
    if max(lengths) > LONGEST:
        return None, "its key frames are too far apart"
    if _peak(video, cuts, lengths) > PEAK * 1000 * ceiling(
        video.width, video.height, video.rhythm.rate
    ):
        return None, "its bit rate is too high for streaming"
    return tuple(cuts), ""


def _peak(video: VideoFacts, cuts: list[int], lengths: list[float]) -> float:
    """Bits/s of the heaviest segment that is at least a second long."""
    heaviest, at = 0.0, 0
    sizes = [0] * len(cuts)
    for pts, size in zip(video.frames.pts, video.frames.sizes, strict=True):
        while at + 1 < len(cuts) and pts >= cuts[at + 1]:
            at += 1
        sizes[at] += size
    for size, length in zip(sizes, lengths, strict=True):
        heaviest = max(heaviest, 8 * size / max(length, 1.0))
    return heaviest
