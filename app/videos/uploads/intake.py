"""What every film passes as its bytes come in, whichever way: size, room, and whether it is a film.

What cannot become a film is refused as early as it is known, and before the rest arrives.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

from werkzeug.exceptions import HTTPException

from app.errors import DomainError, InvalidInput
from app.media.sniff import SNIFF_BYTES, looks_like_film
from app.storage import Incoming, StorageAway
from app.videos.uploads.room import NoRoom, require_small_enough

SPACE_CHECK_BYTES = 64 * 2**20
"""The disk is asked for room again each time so many bytes have come."""

SILENCE_SECONDS = 30.0
"""A body of which nothing came for so long is given up; its thread has other work."""

DRAIN_BYTES = 8 * 2**20
"""How much of a refused body is read and thrown away, so that a browser gets to see the answer
instead of a broken connection."""


class NotAFilm(DomainError):
    """The bytes are no film."""

    status = 415
    code = "not_a_video"

    def __init__(self) -> None:
        super().__init__(
            "This file is not a film that we can read. Upload an MP4, MOV, MKV, WebM, AVI or "
            "MPEG file."
        )


class Interrupted(DomainError):
    """The body broke off."""

    code = "interrupted"

    def __init__(self) -> None:
        super().__init__("The connection broke off before everything had come. Send the rest.")


class Readable(Protocol):
    """A body, as servers hand it over."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


class Intake:
    """Appends to a file that is coming in, and checks as it goes.

    `room` is asked from time to time whether the next bytes fit, and raises NoRoom.
    """

    def __init__(self, incoming: Incoming, room: Callable[[int], None]) -> None:
        self.incoming = incoming
        self._room = room
        self._next_check = 0
        self._recognised = False

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.incoming.size

    def write(self, data: bytes) -> int:
        """Take the next bytes. Raises TooLarge, NoRoom, NotAFilm."""
        require_small_enough(self.size + len(data))
        if self.size >= self._next_check:
            self._room(len(data))
            self._next_check = self.size + SPACE_CHECK_BYTES
        try:
            self.incoming.write(data)
        except StorageAway:
            raise
        except OSError as error:
            raise NoRoom from error
        if not self._recognised and self.size >= SNIFF_BYTES:
            self._recognise()
        return len(data)

    def finish(self) -> None:
        """Check what only the end tells, and wait until the bytes are safely on the disk.

        Raises NotAFilm, NoRoom, InvalidInput for an empty file.
        """
        if self.size == 0:
            raise empty_file()
        if not self._recognised:
            self._recognise()
        try:
            self.incoming.sync()
        except StorageAway:
            raise
        except OSError as error:
            raise NoRoom from error

    def _recognise(self) -> None:
        if not looks_like_film(self.incoming.head(SNIFF_BYTES)):
            raise NotAFilm
        self._recognised = True


def empty_file() -> InvalidInput:
    """The refusal of a file without bytes."""
    return InvalidInput({"file": ["The file is empty."]}, "The file is empty.")


def drain(body: Readable) -> None:
    """Read a refused body, up to DRAIN_BYTES."""
    left = DRAIN_BYTES
    try:
        while left > 0 and (block := body.read(min(left, 2**16))):
            left -= len(block)
    except (HTTPException, DomainError, OSError):
        return  # the answer matters, not the rest of a body that is refused anyway


def stop_reading(environ: dict[str, Any]) -> None:
    """Let nobody wait for the rest of a body that is refused, where the server can: gunicorn would
    read on for seconds, so that slow senders take every thread by being refused."""
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def end_silence(environ: dict[str, Any]) -> None:
    """Let reading the body fail once nothing came for SILENCE_SECONDS, where the server can."""
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SILENCE_SECONDS)
