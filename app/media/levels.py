"""H.264 levels: the smallest that a picture size, a frame rate and a bit rate fit into."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

HIGH_PROFILE: Final = "6400"
"""profile_idc 100 and no constraint flags, as x264 writes them for ``-profile:v high``."""

# ITU-T H.264 table A-1: level times 10, macroblocks/s, macroblocks per picture, kbit/s. The bit
# rates are those of the High profile (1.25 times the table's).
LEVELS: Final = (
    (10, 1_485, 99, 80),
    (11, 3_000, 396, 240),
    (12, 6_000, 396, 480),
    (13, 11_880, 396, 960),
    (20, 11_880, 396, 2_500),
    (21, 19_800, 792, 5_000),
    (22, 20_250, 1_620, 5_000),
    (30, 40_500, 1_620, 12_500),
    (31, 108_000, 3_600, 17_500),
    (32, 216_000, 5_120, 25_000),
    (40, 245_760, 8_192, 25_000),
    (42, 522_240, 8_704, 62_500),
    (50, 589_824, 22_080, 168_750),
    (51, 983_040, 36_864, 300_000),
    (52, 2_073_600, 36_864, 300_000),
    (60, 4_177_920, 139_264, 300_000),
    (62, 16_711_680, 139_264, 1_000_000),
)


def smallest_level(width: int, height: int, rate: Fraction, kilobits: int) -> int:
    """The level times ten (31 for 3.1) for a size in pixels, frames/s and a peak in kbit/s."""
    columns, rows = -(-width // 16), -(-height // 16)
    picture = columns * rows
    for level, per_second, largest, speed in LEVELS:
        side = 8 * largest
        if (
            picture <= largest
            and columns * columns <= side
            and rows * rows <= side
            and picture * rate <= per_second
            and kilobits <= speed
        ):
            return level
    return LEVELS[-1][0]


def codec_name(level: int) -> str:
    """The CODECS entry of a High profile stream at ``level`` (times ten)."""
    return f"avc1.{HIGH_PROFILE}{level:02x}"
