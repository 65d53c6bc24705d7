"""The command that makes a sound row, and the loudness that it measures meanwhile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.media import cage
from app.media.grid import AudioRow
from app.media.jumps import TICK, WRAP, straightened
from app.media.tracks import BITS, SURROUND

GLOBAL: Final = ("-hide_banner", "-nostats", "-loglevel", "info", "-y", "-max_error_rate", "1")
"""The loudness is told at level info, after everything else. However much of a track does not
decode, the rest is to be heard."""
FRAGMENT_MICROSECONDS: Final = 1_000_000
RANGE: Final = 7
"""LU: what is left of the distance between quiet and loud, the filter's own default."""
LAYOUTS: Final = {1: "mono", 2: "stereo", SURROUND: "5.1"}
SILENCE: Final = -70.0
"""LUFS: the absolute gate (ITU-R BS.1770-4), below which nothing counts as sound."""
EARLIER_SECONDS: Final = 1.0
"""Decoded before an excerpt: MP3 and AAC need the frames before, Opus 80 ms (RFC 7845, 4.6)."""
TRUE_PEAK: Final = -1.5
"""dBTP that an even volume keeps below: EBU R128 allows -1, a lossy encoder adds a little."""


@dataclass(frozen=True)
class Loudness:
    """EBU R128: ``integrated`` in LUFS, ``range`` in LU, ``true_peak`` in dBTP, if it has one."""

    integrated: float
    range: float
    true_peak: float | None


def read_loudness(log: str) -> Loudness | None:
    """The summary of the filter ``ebur128`` at the end of ffmpeg's log; None for silence."""
    found = {}
    for name in ("I", "LRA", "Peak"):
        values = re.findall(rf"^ +{name}: +(-?[0-9.]+|-?inf|nan) (?:LUFS|LU|dBFS)$", log, re.M)
        if not values:
            return None
        found[name] = float(values[-1])
    if not found["I"] > SILENCE:
        return None
    peak = found["Peak"]
    return Loudness(found["I"], found["LRA"], peak if abs(peak) < float("inf") else None)


@dataclass(frozen=True)
class Excerpt:
    """``count`` samples of a row from sample ``first`` on; ``container_start`` (s) is the time
    stamp against which ffmpeg counts ``-ss``."""

    first: int
    count: int
    container_start: float


def audio_command(
    binary: str,
    source: Path,
    row: AudioRow,
    *,
    silent: bool = False,
    part: Excerpt | None = None,
) -> list[str]:
    """A sound track as AAC fragments on stdout, exactly ``row.total`` samples from film time
    zero on, or those of ``part``, after one frame of encoder priming. Its loudness is in the log
    at the end.

    The track is first decoded to plain samples of one rate and layout, and those go through the
    filters: a track that changes its rate or channels on the way would begin them anew.
    """
    layout = LAYOUTS[row.channels]
    if silent:
        opened = ["-nostdin", "-f", "lavfi", "-i", f"anullsrc=r={row.rate}:cl={layout}"]
        chain = ["[0:a]anull"]
    else:
        first, then = _film_time(row)
        opened = [
            *_input(source, row, part),
            "-map", f"0:{row.stream}", "-af", f"{first}aresample=osr={row.rate}:ochl={layout}",
            "-c:a", "pcm_f32le", "-f", "null", "-", "-dec", "0:0",
        ]  # fmt: skip
        exact = ":min_hard_comp=0.001" if row.shifts else ""
        begin = part.first if part is not None else 0
        chain = [
            f"[dec:0]{then}atrim=start={begin / row.rate:.9f}",
            f"aresample=async=1:first_pts={begin}{exact}",
        ]
        if row.normalise:
            # It works at 192 kHz; said before it, so that the samples below are counted at theirs.
            chain += [
                f"aresample={4 * row.rate}",
                f"loudnorm=I={row.normalise:g}:TP={TRUE_PEAK}:LRA={RANGE}",
                f"aresample=osr={row.rate}:ochl={layout}",
            ]
        chain.append("apad")
    if part is None:
        chain += [f"atrim=end_sample={row.total}", "ebur128=peak=true:framelog=quiet[sound]"]
    else:
        chain += [f"atrim=end_sample={part.count}", "asetpts=N[sound]"]
    encoded = [
        "-map", "[sound]", "-c:a", "aac", "-b:a", str(BITS[row.channels]), "-ar", str(row.rate),
        "-ac", str(row.channels), "-frag_duration", str(FRAGMENT_MICROSECONDS),
        "-flush_packets", "1", "-movflags", "+empty_moov+default_base_moof", "-f", "mp4",
        "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "pipe:1",
    ]  # fmt: skip
    return [binary, *GLOBAL, *opened, "-filter_complex", ",".join(chain), *encoded]


def _film_time(row: AudioRow) -> tuple[str, str]:
    """Filters that count from film time zero, while decoding or after it: by the track's own times,
    or by samples where it has none. What has a negative time does not come out of the first."""
    if row.counted:
        return "", "asetpts=N/SR/TB,"
    zero = f"({row.origin!r})/TB"
    if row.shifts:  # jumps are counted, which filters that begin anew cannot do
        time = straightened("PTS*TB", row.shifts, row.origin, Fraction(1))
        return f"asetpts=PTS+{float(WRAP * TICK)!r}/TB,", f"asetpts='round({time}/TB-{zero})',"
    return f"asetpts=round(PTS-{zero}),", ""


def _input(source: Path, row: AudioRow, part: Excerpt | None) -> list[str]:
    options = cage.input_options() | {"copyts": None}
    if part is not None:
        seconds = part.first / row.rate - EARLIER_SECONDS + row.origin - part.container_start
        if seconds > 0:
            options |= {"noaccurate_seek": None, "ss": f"{seconds:.6f}"}
    given = [word for name, value in options.items() for word in (f"-{name}", value) if word]
    return [*given, "-i", f"file:{source}"]
