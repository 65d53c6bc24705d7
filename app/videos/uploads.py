"""Receiving a film: a multipart body, streamed to the disk on which it stays, in constant memory.

What cannot become a film is refused as early as it is known: too large or no room from the length,
no film from the first bytes, all before the rest arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath, PureWindowsPath
from typing import IO, Any, cast

from flask import Request, current_app
from pydantic import ValidationError
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.errors import DomainError, InvalidInput
from app.formatting import bytesize
from app.json_body import field_errors
from app.media.sniff import SNIFF_BYTES, looks_like_film
from app.storage import Incoming, storage
from app.videos.models import TITLE_LENGTH
from app.videos.schemas import VideoDetails

FORM_OVERHEAD_BYTES = 2**20
"""How much longer than the film its multipart body may be: the other fields and the boundaries."""

FIELD_BYTES = 2**18
"""All other fields together; more than the 64 KiB that the parser reads, and counts, at a time."""

FORM_PARTS = 20

MAX_CAPTIONS_BYTES = 10**6
MAX_IMAGE_BYTES = 10**7

SPACE_CHECK_BYTES = 64 * 2**20
"""The disk is asked for room again each time so many bytes have come."""

DRAIN_BYTES = 8 * 2**20
"""How much of a refused body is read and thrown away, so that a browser gets to see the answer
instead of a broken connection."""


class TooLarge(DomainError):
    """The film is larger than MAX_UPLOAD_BYTES."""

    status = 413
    code = "too_large"


class NoRoom(DomainError):
    """There is no room on the disk."""

    status = 507
    code = "no_room"

    def __init__(self) -> None:
        super().__init__(
            "There is no room for this film at the moment. Try again later, or delete a film."
        )


class NotAFilm(DomainError):
    """The bytes are no film."""

    status = 415
    code = "not_a_video"

    def __init__(self) -> None:
        super().__init__(
            "This file is not a film that we can read. Upload an MP4, MOV, MKV, WebM, AVI or "
            "MPEG file."
        )


class Receiver:
    """A writable file for one part of a form: checks as it goes, stores through the storage."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._head = b""
        self._recognised = False
        self._next_check = 0
        self.incoming: Incoming = storage().receive()

    def write(self, data: bytes) -> int:
        """Take the next bytes. Raises TooLarge, NoRoom, NotAFilm."""
        if self.size + len(data) > self._limit:
            raise too_large()
        if self.size >= self._next_check:
            require_room(len(data))
            self._next_check = self.size + SPACE_CHECK_BYTES
        if not self._recognised:
            self._head += data[: SNIFF_BYTES - len(self._head)]
            if len(self._head) >= SNIFF_BYTES:
                self._recognise()
        try:
            self.incoming.write(data)
        except OSError as error:
            raise NoRoom from error
        self.size += len(data)
        return len(data)

    def finish(self) -> None:
        """Check what only the end tells. Raises NotAFilm, InvalidInput for an empty file."""
        if self.size == 0:
            raise InvalidInput({"file": ["The file is empty."]}, "The file is empty.")
        if not self._recognised:
            self._recognise()

    def seek(self, _offset: int) -> int:
        """Werkzeug rewinds a file it has parsed; there is nothing to rewind here."""
        return 0

    def close(self) -> None:
        """Nothing: the incoming file is kept or discarded by `receive_form`."""

    def _recognise(self) -> None:
        if not looks_like_film(self._head):
            raise NotAFilm
        self._recognised = True


@contextmanager
def receive_form(request: Request) -> Iterator[tuple[Receiver, VideoDetails]]:
    """Stream the request's form: its film and what it says of it.

    What was received is discarded unless the caller kept it. Raises InvalidInput, TooLarge,
    NoRoom, NotAFilm.
    """
    receivers: list[Receiver] = []
    try:
        try:
            form, files = _parse(request, receivers)
            film = next((file for file in files.getlist("file") if file.filename), None)
            if film is None:
                raise InvalidInput({"file": ["Choose a film."]}, "There is no film in this form.")
            receiver = cast("Receiver", film.stream)
            receiver.finish()
            details = _details(form, film.filename or "")
        except RequestEntityTooLarge:
            _drain(request)
            raise too_large() from None
        except DomainError:
            _drain(request)
            raise
        yield receiver, details
    finally:
        for receiver in receivers:
            receiver.incoming.discard()


def require_room(size: int) -> None:
    """Raise NoRoom unless so many bytes fit beside the reserve."""
    if storage().free_bytes() - size < current_app.config["MIN_FREE_BYTES"]:
        raise NoRoom


def too_large() -> TooLarge:
    """The refusal of a film that is too large, with the limit in words."""
    limit = current_app.config["MAX_UPLOAD_BYTES"]
    return TooLarge(f"This film is larger than the {bytesize(limit)} that may be uploaded.")


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
    length = request.content_length
    request.max_content_length = limit + FORM_OVERHEAD_BYTES
    if length is not None:
        if length > limit + FORM_OVERHEAD_BYTES:
            raise too_large()
        require_room(length)
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
        receivers.append(Receiver(limit))
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
            request.stream, request.mimetype, length, request.mimetype_params
        )
    except ValueError as error:
        raise DomainError("The form could not be read. Send it again.") from error
    return form, files


def _details(form: MultiDict[str, str], filename: str) -> VideoDetails:
    given: dict[str, Any] = {
        name: form[name] for name in ("title", "description", "category") if form.get(name)
    }
    given.setdefault("title", title_from(filename))
    try:
        return VideoDetails.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(field_errors(error)) from None


def _drain(request: Request) -> None:
    left = DRAIN_BYTES
    try:
        while left > 0 and (block := request.stream.read(min(left, 2**16))):
            left -= len(block)
    except (HTTPException, OSError):
        return  # the answer matters, not the rest of a body that is refused anyway
