"""What is let in: container formats, and the sizes beyond which a file is not tried."""

from __future__ import annotations

from typing import Final

FORMATS: Final = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg,wav,mp3,flac,aac"
"""Demuxers by ffmpeg's names. Pictures, text and every format that names other files stay out."""

PROTOCOLS: Final = "file"
MAX_STREAMS: Final = 100
MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 36_000_000
"""A little more than 8K (7680 x 4320); 8192 x 8192 is out."""
MAX_ALLOC: Final = 512 << 20
PROBE_BYTES: Final = 20_000_000
ANALYZE_MICROSECONDS: Final = 20_000_000
MAX_SECONDS: Final = 24 * 3600
MAX_FRAMES: Final = 6_000_000
"""Over 24 hours at 60 frames a second."""
SPARSE_SECONDS: Final = 600
SPARSE_GAP: Final = 30.0
"""A film longer than SPARSE_SECONDS whose pictures stand longer than this each is refused."""


def input_options() -> dict[str, str | None]:
    """ffmpeg options that belong before each ``-i``; None marks an option without a value."""
    return {
        "nostdin": None,
        "protocol_whitelist": PROTOCOLS,
        "format_whitelist": FORMATS,
        "max_streams": str(MAX_STREAMS),
        "max_pixels": str(MAX_PIXELS),
        "max_alloc": str(MAX_ALLOC),
        "probesize": str(PROBE_BYTES),
        "analyzeduration": str(ANALYZE_MICROSECONDS),
    }


def image_options() -> dict[str, str | None]:
    """The same before the ``-i`` of an owner's image, whose first bytes were looked at."""
    return {**input_options(), "format_whitelist": "jpeg_pipe,png_pipe,webp_pipe"}


def open_options() -> dict[str, str]:
    """The same for libavformat when a file is probed."""
    options = {name: value for name, value in input_options().items() if value is not None}
    options["max_pixels"] = str(MAX_SIDE * MAX_SIDE)  # larger ones get a name, not a riddle
    del options["max_alloc"]  # it is the program's; the prober's memory is bounded as a whole
    return options
