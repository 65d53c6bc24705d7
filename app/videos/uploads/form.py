"""Receiving a film: a multipart body, streamed to the disk on which it stays, in constant memory.

It passes the checks of `intake` as it comes; its length is held against room and quota before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, Any, cast

from flask import Request, current_app
from pydantic import ValidationError
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.database import db
from app.errors import DomainError, InvalidInput, Unavailable
from app.json_body import field_errors
from app.storage import storage
from app.videos.models import TITLE_LENGTH
from app.videos.schemas import VideoDetails
from app.videos.uploads import room
from app.videos.uploads.bodies import one_body
from app.videos.uploads.intake import Intake, Interrupted, drain, end_silence, stop_reading

FORM_OVERHEAD_BYTES = 2**20
"""How much longer than the film its multipart body may be: the other fields and the boundaries."""

FIELD_BYTES = 2**18
"""All other fields together; more than the 64 KiB that the parser reads, and counts, at a time."""

FORM_PARTS = 20

MAX_CAPTIONS_BYTES = 10**6
MAX_IMAGE_BYTES = 10**7


class Receiver(Intake):
    """A writable file for one part of a form."""

    def __init__(self) -> None:
        try:
            super().__init__(storage().receive(), _room)
        except OSError as error:
            raise room.NoRoom from error

    def seek(self, _offset: int) -> int:
        """Werkzeug rewinds a file it has parsed; there is nothing to rewind here."""
        return 0

    def close(self) -> None:
        """Nothing: the incoming file is kept or discarded by `receive_form`."""


@contextmanager
def receive_form(request: Request, owner_id: int) -> Iterator[tuple[Receiver, VideoDetails]]:
    """Stream the request's form: its film and what it says of it.

    What was received is discarded unless the caller kept it; its quota is only sure while the
    transaction lasts that is open then. Raises InvalidInput, TooLarge, NoRoom, QuotaReached,
    NotAFilm, Interrupted.
    """
    receivers: list[Receiver] = []
    end_silence(request.environ)
    request.max_content_length = current_app.config["MAX_UPLOAD_BYTES"] + FORM_OVERHEAD_BYTES
    try:
        try:
            _look_at_length(request, owner_id)
            with one_body(owner_id):
                form, files = _parse(request, receivers)
            film = next((file for file in files.getlist("file") if file.filename), None)
            if film is None:
                raise InvalidInput({"file": ["Choose a film."]}, "There is no film in this form.")
            receiver = cast("Receiver", film.stream)
            details = _details(form, film.filename or "")
            receiver.finish()
            room.lock_promises()
            room.require_quota(owner_id, receiver.size)
        except RequestEntityTooLarge:
            drain(request.stream)
            raise room.too_large() from None
        except OSError as error:
            raise Interrupted from error
        except Unavailable:
            stop_reading(request.environ)
            raise
        except DomainError:
            db.session.rollback()
            drain(request.stream)
            raise
        yield receiver, details
    finally:
        for receiver in receivers:
            receiver.incoming.discard()


def small_file(request: Request, name: str, limit: int) -> bytes:
    """The bytes of a form's one small file, such as captions.

    Raises InvalidInput where there is none, RequestEntityTooLarge beyond the limit.
    """
    request.max_content_length = limit + FORM_OVERHEAD_BYTES
    found = request.files.get(name)
    data = found.read(limit + 1) if found else b""
    if len(data) > limit:
        raise RequestEntityTooLarge
    if not data:
        raise InvalidInput({name: ["Choose a file."]})
    return data


def title_from(filename: str) -> str:
    """A title out of a file's name: without folders and ending, one line, underscores as spaces."""
    name = PureWindowsPath(PurePosixPath(filename).name).name
    stem = name.rsplit(".", 1)[0] or name
    readable = "".join(sign if sign.isprintable() and sign != "_" else " " for sign in stem)
    return " ".join(readable.split())[:TITLE_LENGTH] or "Untitled"


def _parse(
    request: Request, receivers: list[Receiver]
) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    limit = current_app.config["MAX_UPLOAD_BYTES"]
    if request.mimetype != "multipart/form-data":
        raise DomainError(
            "Send the film as multipart/form-data with a field named file.",
            code="unsupported_media_type",
            status=415,
        )

    def receive(
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if receivers:
            raise InvalidInput({"file": ["Send one film at a time."]}, "Send one film at a time.")
        receivers.append(Receiver())
        return cast("IO[bytes]", receivers[-1])

    parser = FormDataParser(
        stream_factory=receive,
        max_form_memory_size=FIELD_BYTES,
        max_content_length=limit + FORM_OVERHEAD_BYTES,
        max_form_parts=FORM_PARTS,
        silent=False,
    )
    try:
        _, form, files = parser.parse(
            request.stream, request.mimetype, request.content_length, request.mimetype_params
        )
    except ValueError as error:
        raise DomainError("The form could not be read. Send it again.") from error
    return form, files


def _details(form: MultiDict[str, str], filename: str) -> VideoDetails:
    given: dict[str, Any] = {
        name: form[name] for name in VideoDetails.model_fields if form.get(name)
    }
    given.setdefault("title", title_from(filename))
    try:
        return VideoDetails.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(field_errors(error)) from None


def _look_at_length(request: Request, owner_id: int) -> None:
    """Refuse what its length alone tells; the film is a little shorter than the form."""
    length = request.content_length or 0
    film = max(length - FORM_OVERHEAD_BYTES, 0)
    room.require_small_enough(film)
    _room(length)
    room.require_quota(owner_id, film)
    db.session.rollback()


def _room(size: int) -> None:
    """Ask for room beside what others were promised, and hold no transaction afterwards."""
    room.require_room(size)
    db.session.rollback()
