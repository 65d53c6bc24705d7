"""The list of a film's picture files, written beside them by who made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Picture:
    """A picture file: its name, its size in pixels, and ``jpeg``, ``webp`` or ``avif``."""

    name: str
    width: int
    height: int
    format: str


def write_manifest(pictures: Sequence[Picture]) -> bytes:
    """The list as JSON."""
    return json.dumps([asdict(picture) for picture in pictures]).encode()


def read_manifest(text: str) -> tuple[Picture, ...]:
    """What `write_manifest` wrote. Raises ValueError for anything else."""
    try:
        return tuple(Picture(**entry) for entry in json.loads(text))
    except TypeError as error:
        raise ValueError("not a list of pictures") from error
