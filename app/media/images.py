"""Posters: a picture that shows something, found by looking at several."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.media.cage import MAX_PIXELS
from app.media.commands import image_command, still_command, wave_command
from app.media.errors import MediaError, damaged
from app.media.filing import sync_folder
from app.media.grid import Plan
from app.media.limits import limits_for
from app.media.runner import run

PLACES: Final = (0.15, 0.3, 0.5, 0.7, 0.85, 0.05, 0.0)
"""Where to look, as shares of the film: not the very front, where titles and black are."""
GOOD_SPREAD: Final = 30.0
"""Standard deviation of grey (0 to 255) from which a picture has enough in it."""
DARK: Final = 32.0
BRIGHT: Final = 225.0
SECONDS: Final = 120.0
POSTER: Final = "poster.jpg"
THUMB: Final = "thumb.jpg"


def use_image(image: Path, place: Path, *, ffmpeg: str, stop: Callable[[], bool]) -> list[Path]:
    """Write ``poster.jpg`` and ``thumb.jpg`` of an owner's JPEG, PNG or WebP into ``place``.

    Raises MediaError (stage poster) ``not_an_image``; Stopped.
    """
    poster, thumb = place / POSTER, place / THUMB
    finished = run(
        image_command(ffmpeg, image, poster, thumb),
        limits=limits_for(MAX_PIXELS),
        wall_seconds=SECONDS,
        stall_seconds=SECONDS,
        stop=stop,
        stage="poster",
    )
    if finished.returncode != 0 or not all(path.is_file() for path in (poster, thumb)):
        raise MediaError(
            "not_an_image",
            stage="poster",
            message="We could not read this image.",
            hint="Choose a JPEG, PNG or WebP image.",
            log=finished.log,
        )
    sync_folder(place)
    return [poster, thumb]


def make_poster(
    source: Path,
    plan: Plan,
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
    seconds: float | None = None,
) -> list[Path]:
    """Write ``poster.jpg`` (at most 1280 wide) and ``thumb.jpg`` (480) into ``place``.

    The picture at ``seconds`` is taken if one is wished for; else the first that is neither dark,
    glaring nor flat, or the best one seen.
    Raises MediaError (stage poster) ``damaged`` if no picture can be had; Stopped.
    """
    poster, thumb = place / POSTER, place / THUMB
    pixels = plan.source.pixels if plan.source else 0
    hdr = plan.source is not None and plan.source.tone_map
    best, log = -1.0, ""
    times = [plan.duration * share for share in PLACES] if plan.source else [0.0]
    if seconds is not None and plan.source:
        times = [min(seconds, max(0.0, plan.duration - 1 / plan.source.rate))]
    for number, moment in enumerate(dict.fromkeys(round(time, 3) for time in times)):
        new = (place / f"try-{number}.jpg", place / f"try-{number}-thumb.jpg")
        grey = bytearray()
        command = (
            still_command(ffmpeg, source, plan, moment, *new)
            if plan.source
            else wave_command(ffmpeg, source, plan.audio[0], *new)
        )
        try:
            finished = run(
                command,
                limits=limits_for(pixels, tone_map=hdr),
                wall_seconds=SECONDS + plan.duration,
                stall_seconds=SECONDS,
                stop=stop,
                stdout=grey.extend,
                stage="poster",
            )
            made = finished.returncode == 0 and all(p.is_file() and p.stat().st_size for p in new)
            log = log if made else finished.log
            score = judge(bytes(grey)) if grey else 0.0
            if made and score > best:
                best = score
                new[0].replace(poster)
                new[1].replace(thumb)
        except MediaError as error:
            if error.code != "hung":
                raise
            log = error.log
        finally:
            for path in new:
                path.unlink(missing_ok=True)
        if best >= GOOD_SPREAD:
            break
    if best < 0:
        raise damaged("poster", log)
    sync_folder(place)
    return [poster, thumb]


def judge(grey: bytes) -> float:
    """How much there is to see in grey pixels: their spread, less where all is dark or glaring."""
    mean = sum(grey) / len(grey)
    spread = math.sqrt(sum((value - mean) ** 2 for value in grey) / len(grey))
    return spread if DARK <= mean <= BRIGHT else spread / 4
