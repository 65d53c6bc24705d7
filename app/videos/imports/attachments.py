"""What the files beside a film give it as it is imported: words, captions, a picture.

None of them ever stops the film: what cannot be read becomes a note of the report.
"""

from __future__ import annotations

import errno
from pathlib import Path

from app.errors import DomainError
from app.media.captions import NotCaptions, read_captions
from app.storage import open_source
from app.videos.adornments import bring_image, keep_captions
from app.videos.imports.filenames import read_name
from app.videos.imports.folders import Found
from app.videos.imports.nfo import MAX_BYTES, Nfo, NotNfo, read_nfo
from app.videos.imports.sidecars import CaptionsFile, Sidecars
from app.videos.models import CATEGORY_LENGTH, DESCRIPTION_LENGTH, TITLE_LENGTH, Video
from app.videos.schemas import FIRST_YEAR, LAST_YEAR, VideoDetails
from app.videos.uploads.form import MAX_CAPTIONS_BYTES, MAX_IMAGE_BYTES, title_from


def describe(
    found: Found, title: str, description: str, category: str
) -> tuple[VideoDetails, list[str]]:
    """What is said of the film: what is given here, else its `.nfo`, else its name. And notes."""
    said, notes = Nfo(), []
    path = found.sidecars.nfo
    if path is not None:
        try:
            said = read_nfo(_read(path, MAX_BYTES))
        except (NotNfo, OSError) as error:
            notes.append(_note(path, reason_of(error)))
    name = found.path.name
    from_name = read_name(name)
    named = said.named or from_name
    series = (named.name or from_name.name) if named.episode is not None else ""
    title = title or (named.own_title if series else named.title) or title_from(name)
    year = said.year or from_name.year
    details = VideoDetails(
        title=title[:TITLE_LENGTH],
        description=(description or said.plot)[:DESCRIPTION_LENGTH],
        category=(category or said.genre)[:CATEGORY_LENGTH],
        year=year if year and FIRST_YEAR <= year <= LAST_YEAR else None,
        series=series[:TITLE_LENGTH],
        season=named.season if series else None,
        episode=named.episode if series else None,
    )
    return details, notes


def add_sidecars(video: Video, sidecars: Sidecars) -> list[str]:
    """Give the film what lies beside it; what cannot be read is told and left out."""
    notes = []
    labels: set[str] = set()
    for captions in sidecars.captions:
        try:
            _add_captions(video, captions, labels)
        except (NotCaptions, DomainError, OSError) as error:
            notes.append(_note(captions.path, reason_of(error)))
    if sidecars.picture is not None:
        try:
            bring_image(video, _read(sidecars.picture, MAX_IMAGE_BYTES))
        except (DomainError, OSError) as error:
            notes.append(_note(sidecars.picture, reason_of(error)))
    return notes


def reason_of(error: Exception) -> str:
    """The error as a sentence for the report."""
    if isinstance(error, DomainError):
        return error.detail
    return f"{error.strerror}." if isinstance(error, OSError) else str(error)


def _add_captions(video: Video, captions: CaptionsFile, labels: set[str]) -> None:
    cues = read_captions(_read(captions.path, MAX_CAPTIONS_BYTES))
    label = captions.label
    if label in labels:
        label = f"{label} {len(labels) + 1}"
    keep_captions(video, cues, captions.language, label, is_forced=captions.forced)
    labels.add(label)


def _read(path: Path, limit: int) -> bytes:
    """A small file. Raises OSError, EFBIG where it is larger."""
    with open_source(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, "It is too large")
    return data


def _note(path: Path, why: str) -> str:
    return f"{path.name}: {why}"
