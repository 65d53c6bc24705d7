"""Pictures of a film: one is chosen or drawn, then written in several sizes and formats."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.media.cage import MAX_PIXELS
from app.media.errors import MediaError, damaged
from app.media.filing import sync_folder, write_synced
from app.media.grid import Plan
from app.media.limits import limits_for
from app.media.manifest import Picture, write_manifest
from app.media.poster import ENOUGH, GOOD, LOOK_BYTES, judge, places
from app.media.runner import Finished, Limits, run
from app.media.still_commands import (
    Still,
    image_command,
    look_command,
    pictures_command,
    wave_command,
)

SECONDS: Final = 120.0
POSTER: Final = "poster.jpg"
THUMB: Final = "thumb.jpg"
MANIFEST: Final = "pictures.json"
JPEGS: Final = ((POSTER, 1280), (THUMB, 480))
"""For programs that know nothing else."""
WIDTHS: Final = (480, 960, 1920)
"""Of the modern formats: cards, cards of dense screens and phones, the large picture."""
FORMATS: Final = ("webp", "avif")
"""Where ffmpeg has no encoder for one, it is left out, with those after it."""
PLACEHOLDER_WIDTH: Final = 20
PLACEHOLDER_LIMIT: Final = 400
"""Bytes of a placeholder as text; a list of films carries one for each."""
KEY_SECONDS: Final = 20.0
"""A shorter film is decoded up to its moments."""
KEY_GAP: Final = 10.0
"""Seconds: where places are further apart, key frames near them do."""


@dataclass(frozen=True)
class Pictures:
    """The files of a film's picture, MANIFEST among them, and a tiny one as a ``data:`` address."""

    files: list[Path]
    placeholder: str | None


def use_image(image: Path, place: Path, *, ffmpeg: str, stop: Callable[[], bool]) -> Pictures:
    """Write the pictures of an owner's JPEG, PNG or WebP into ``place``.

    Raises MediaError (stage poster) ``not_an_image``; Stopped.
    """
    raw = place / "image.y4m"
    finished = _run(image_command(ffmpeg, image, raw), image, place, limits_for(MAX_PIXELS), stop)
    made = _dress(raw, place, ffmpeg, stop) if _is_whole(finished, raw) else None
    if made is None:
        raise MediaError(
            "not_an_image",
            stage="poster",
            message="We could not read this image.",
            hint="Choose a JPEG, PNG or WebP image.",
            log=finished.log,
        )
    return made


def make_poster(
    source: Path,
    plan: Plan,
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
    seconds: float | None = None,
) -> Pictures:
    """Write the pictures of a film into ``place``: POSTER and THUMB, and FORMATS in WIDTHS.

    The picture at ``seconds`` is taken if one is wished for; else the best of those looked at
    (`poster.judge`). None is larger than the film.
    Raises MediaError (stage poster) ``damaged`` if no picture can be had; Stopped.
    """
    raw = place / "best.y4m"
    log = _find(source, plan, raw, ffmpeg, stop, seconds) if plan.source else ""
    if plan.source is None:
        command = wave_command(ffmpeg, source, plan.audio[0], raw)
        length = SECONDS + plan.duration
        finished = _run(command, source, place, limits_for(0), stop, seconds=length)
        log = finished.log
    made = _dress(raw, place, ffmpeg, stop) if raw.is_file() else None
    if made is None:
        raise damaged("poster", log)
    return made


def _find(
    source: Path,
    plan: Plan,
    best: Path,
    ffmpeg: str,
    stop: Callable[[], bool],
    seconds: float | None,
) -> str:
    """Write the film's best picture (or the one at ``seconds``) to ``best``; the last log."""
    video = plan.source
    if video is None:
        raise ValueError("the plan has no picture")
    limits = limits_for(video.pixels, tone_map=video.tone_map)
    looks = _looks(plan.duration, can_seek=video.lead_in == 0)
    if seconds is not None:
        looks = [(min(seconds, max(0.0, plan.duration - 1 / video.rate)), False)]
    new, log, highest = best.with_name("try.y4m"), "", -1.0
    for number, (moment, at_key) in enumerate(looks):
        if number >= ENOUGH and highest >= GOOD:
            break
        seen = bytearray()
        command = look_command(ffmpeg, source, plan, moment, new, at_key=at_key)
        try:
            finished = _run(
                command, source, best.parent, limits, stop,
                seconds=SECONDS + plan.duration, stdout=seen.extend,
            )  # fmt: skip
            log = finished.log
            if _is_whole(finished, new) and len(seen) in {LOOK_BYTES, 2 * LOOK_BYTES}:
                score = judge(bytes(seen[:LOOK_BYTES]), bytes(seen[LOOK_BYTES:]))
                if score > highest:
                    highest = score
                    new.replace(best)
        except MediaError as error:
            if error.code != "hung":
                raise
            log = error.log
        finally:
            new.unlink(missing_ok=True)
    return log


def _looks(duration: float, *, can_seek: bool) -> list[tuple[float, bool]]:
    """The moments to look at, and whether at the key frame before each: decoding up to a moment
    costs as much as the way from there. Where key frames have nothing good, some exact moments."""
    moments = places(duration)
    if not can_seek or duration < KEY_SECONDS:
        return [(moment, False) for moment in moments]
    exact = [] if duration / len(moments) > KEY_GAP else moments[1::3]
    return [*((moment, True) for moment in moments), *((moment, False) for moment in exact)]


def _dress(raw: Path, place: Path, ffmpeg: str, stop: Callable[[], bool]) -> Pictures | None:
    """Write one picture in all sizes and formats that ffmpeg can, and remove it; None if none."""
    width, height = _size(raw)
    tiny = place / "placeholder.webp"
    for count in range(len(FORMATS), -1, -1):
        stills = _stills(width, height, FORMATS[:count])
        wanted = [Still(place / s.name, s.width, s.height, s.format) for s in stills]
        if count:
            wanted.append(Still(tiny, *_scaled(width, height, PLACEHOLDER_WIDTH), "tiny"))
        pixels = sum(still.width * still.height for still in stills)
        command = pictures_command(ffmpeg, raw, wanted)
        finished = _run(command, raw, place, limits_for(width * height, pixels), stop)
        if _is_whole(finished, *(still.path for still in wanted)):
            break
    else:
        return None
    raw.unlink()
    placeholder = _as_address(tiny) if count else None
    tiny.unlink(missing_ok=True)
    manifest = place / MANIFEST
    write_synced(manifest, write_manifest(stills))
    sync_folder(place)
    return Pictures([*(place / still.name for still in stills), manifest], placeholder)


def _stills(width: int, height: int, formats: Sequence[str]) -> list[Picture]:
    """What is to be written of a picture of this size."""
    widths = [*(w for w in WIDTHS if w < width), next((w for w in WIDTHS if w >= width), 0)]
    return [
        *(Picture(name, *_scaled(width, height, wide), "jpeg") for name, wide in JPEGS),
        *(
            Picture(f"{wide}.{kind}", *_scaled(width, height, wide), kind)
            for kind in formats
            for wide in widths
            if wide
        ),
    ]


def _scaled(width: int, height: int, widest: int) -> tuple[int, int]:
    """Even sides, never larger than they are."""
    wide = max(2, min(width, widest) // 2 * 2)
    return wide, max(2, round(wide * height / width / 2) * 2)


def _size(raw: Path) -> tuple[int, int]:
    """What the first line of a YUV4MPEG2 file says; ours always has one."""
    with raw.open("rb") as file:
        found = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) ", file.read(64))
    if found is None:
        raise ValueError("not a raw picture")
    return int(found[1]), int(found[2])


def _as_address(picture: Path) -> str | None:
    text = f"data:image/webp;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    return text if len(text) <= PLACEHOLDER_LIMIT else None


def _run(
    command: list[str],
    read: Path,
    place: Path,
    limits: Limits,
    stop: Callable[[], bool],
    *,
    seconds: float = SECONDS,
    stdout: Callable[[bytes], None] | None = None,
) -> Finished:
    return run(
        command,
        limits=limits,
        wall_seconds=seconds,
        stall_seconds=SECONDS,
        stop=stop,
        reads=[read],
        writes=[place],
        stdout=stdout,
        stage="poster",
    )


def _is_whole(finished: Finished, *paths: Path) -> bool:
    return finished.returncode == 0 and all(p.is_file() and p.stat().st_size for p in paths)
