"""What is done to a film's picture and why, in sentences for its owner."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from app.media.copying import SQUARE, TALLER
from app.media.facts import SourceFacts, VideoFacts

LATE: Final = 1.0
"""Seconds from which on a beginning of the clock, or an end of the sound, is worth a word."""


def picture_decisions(
    facts: SourceFacts, video: VideoFacts, *, copied: bool, lines: int
) -> list[str]:
    """A sentence for everything about the picture that is not as browsers like it.

    What a copy keeps as it is (``copied``) is left out. ``lines`` has the largest rung.
    """
    frames, (width, height) = video.frames, video.upright
    jumps, origin = len(frames.shifts) - 1, float(facts.origin)
    told = (
        (len(frames) == 1, "The film is a single picture."),
        (
            jumps > 0,
            f"The film's clock jumps{f' {jumps} times' if jumps > 1 else ''}; picture and sound "
            "follow it together.",
        ),
        (
            origin >= LATE,
            f"The film's clock begins at {timedelta(seconds=round(origin))}; it is set to 0.",
        ),
        (frames.trimmed, "An edit list hides a part of the film; it stays hidden."),
        (video.interlaced, "The film is interlaced; its half pictures are woven into whole ones."),
        (video.hdr, f"The film has high dynamic range ({_range(video)}); it is toned down."),
        (video.dolby, "Of its Dolby Vision the picture beneath is used, the rest left out."),
        (
            bool(video.rotation) or video.mirrored,
            f"The film was recorded {_turned(video)}; it is put right.",
        ),
        (abs(video.sar - 1) > SQUARE, "Its pixels are not square; those of its copies are."),
        (bool(width % 2 or height % 2), "Its sides are odd; they become even."),
        (height > width, "It is taller than wide; its sizes are named by its width."),
        (
            min(width, height) > lines * TALLER,
            f"It is larger than {lines} lines; so many are kept.",
        ),
        (bool(_fine(video)) and not video.hdr, f"Its colours ({_fine(video)}) become 8 bit 4:2:0."),
        (
            video.full_range and not copied and not video.hdr,
            "Its colours use the full range of numbers; they are brought to the usual one.",
        ),
    )
    return [sentence for applies, sentence in told if applies]


def _range(video: VideoFacts) -> str:
    return "PQ, as in HDR10" if video.transfer == 16 else "HLG"


def _turned(video: VideoFacts) -> str:
    return " and ".join(
        word for word, is_so in (("turned", video.rotation), ("mirrored", video.mirrored)) if is_so
    )


def _fine(video: VideoFacts) -> str:
    """In what the colours differ from 8 bit 4:2:0, nothing if they do not."""
    if video.pix_fmt in {"yuv420p", "yuvj420p", "nv12"}:
        return ""
    found = re.search(r"4[0-4][0-4]", video.pix_fmt)
    sampling = ":".join(found[0]) if found else video.pix_fmt.rstrip("lebp")
    return f"{video.bit_depth} bit {sampling}"
