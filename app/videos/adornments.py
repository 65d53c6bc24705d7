"""What owners add to a film: captions, and the picture that stands for it. Services flush.

Files go through a scratch folder of the storage, so that a name is there whole or not at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import update

from app.database import db
from app.errors import Conflict, DomainError, InvalidInput, NotFound
from app.media.captions import Cue, NotCaptions, read_captions, to_webvtt
from app.media.filing import write_synced
from app.media.sniff import looks_like_image
from app.media.tracks import LANGUAGES, label_of, language_of
from app.storage import FilmGone, storage
from app.videos import queries
from app.videos.models import Subtitle, TaskKind, Video
from app.videos.names import POSTER_UPLOAD, new_text, text_file
from app.videos.work import add_task

MAX_SUBTITLES: Final = 100


def add_subtitle(video: Video, data: bytes, language: str, label: str) -> Subtitle:
    """Keep an SRT or WebVTT file as captions of our own writing.

    Raises InvalidInput with the field that is wrong, Conflict `too_many_subtitles`.
    """
    errors: dict[str, list[str]] = {}
    code = language_of(language)
    if not code:
        errors["language"] = ["Use a language code of two or three letters, such as en."]
    cues: list[Cue] = []
    try:
        cues = read_captions(data)
    except NotCaptions as error:
        errors["file"] = [str(error)]
    if errors:
        raise InvalidInput(errors)
    return keep_captions(video, cues, code, label_of(label) or LANGUAGES.get(code) or code)


def keep_captions(
    video: Video, cues: Sequence[Cue], language: str, label: str, *, is_forced: bool = False
) -> Subtitle:
    """Keep these captions; `language` may be empty. Raises Conflict `too_many_subtitles`."""
    if len(queries.subtitles_of(video.id)) >= MAX_SUBTITLES:
        raise Conflict("This film has enough captions. Remove some.", code="too_many_subtitles")
    row = Subtitle(
        video_id=video.id,
        name=new_text(),
        language=language,
        label=label_of(label),
        is_forced=is_forced,
    )
    _keep(video, text_file(row.name), to_webvtt(cues).encode())
    db.session.add(row)
    db.session.flush()
    return row


def remove_subtitle(video: Video, subtitle_id: int) -> None:
    """Remove captions, the film's own ones too. Raises NotFound."""
    found = db.session.get(Subtitle, subtitle_id)
    if found is None or found.video_id != video.id:
        raise NotFound("There are no such captions.")
    db.session.delete(found)
    db.session.flush()
    storage().delete(video.film, text_file(found.name))


def choose_moment(video: Video, seconds: float) -> None:
    """Let the picture at this moment be the poster; a task makes it. Raises InvalidInput."""
    if video.duration is None:
        raise Conflict("This film has not been looked at yet. Try again in a moment.")
    if seconds > video.duration:
        raise InvalidInput({"time": [f"The film is {video.duration:.1f} seconds long."]})
    storage().delete(video.film, POSTER_UPLOAD)
    _make_poster(video, seconds)


def choose_image(video: Video, data: bytes) -> None:
    """Let this JPEG, PNG or WebP be the poster; a task makes pictures of it.

    Raises DomainError `not_an_image`.
    """
    _require_image(data)
    if video.duration is None:
        raise Conflict("This film has not been looked at yet. Try again in a moment.")
    _keep(video, POSTER_UPLOAD, data)
    _make_poster(video, None)


def bring_image(video: Video, data: bytes) -> None:
    """Let this image be the poster of a film that was not looked at yet: its first task is to come.

    Raises DomainError `not_an_image`.
    """
    _require_image(data)
    _keep(video, POSTER_UPLOAD, data)


def _require_image(data: bytes) -> None:
    if not looks_like_image(data[:16]):
        raise DomainError(
            "This file is not an image that we can read. Choose a JPEG, PNG or WebP.",
            code="not_an_image",
            status=415,
        )


def _make_poster(video: Video, seconds: float | None) -> None:
    db.session.execute(update(Video).where(Video.id == video.id).values(poster_time=seconds))
    add_task(video.id, TaskKind.POSTER)


def _keep(video: Video, name: str, data: bytes) -> None:
    """Write a small file of the film. Raises NotFound where the film was just deleted."""
    attempt = f"kept-{secrets.token_hex(8)}"
    try:
        place = storage().scratch(video.film, attempt)
        write_synced(place / "file", data)
        storage().publish(video.film, [(place / "file", name)])
    except FilmGone:
        raise NotFound("There is no such film.") from None
    finally:
        storage().drop_scratch(video.film, attempt)
