"""Names of a film's files within its folder. All are ours; none comes from a person."""

from __future__ import annotations

import secrets

ORIGINAL = "original"
POSTER = "poster.jpg"
CARD = "thumb.jpg"


def new_film() -> str:
    """A name for a new film's folder, which nobody can guess."""
    return secrets.token_hex(16)


def grid_folder(grid_id: int) -> str:
    """The folder of a grid."""
    return f"grid-{grid_id}"


def grid_file(grid_id: int, row: str, name: str) -> str:
    """A file of a grid's row."""
    return f"{grid_folder(grid_id)}/{row}/{name}"


def image_file(name: str) -> str:
    """A picture of the film."""
    return f"images/{name}"
