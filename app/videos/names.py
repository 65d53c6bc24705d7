"""Names of a film's files within its folder. All are ours; none comes from a person."""

from __future__ import annotations

import re
import secrets

ORIGINAL = "original"
INIT = "init.mp4"
POSTER = "poster.jpg"
CARD = "thumb.jpg"
PICTURES = "pictures.json"
"""The list of the film's picture files (`media.images.MANIFEST`); it is not served."""

MODERN = frozenset(f"{width}.{kind}" for width in (480, 960, 1920) for kind in ("webp", "avif"))
"""Pictures in other sizes and formats (`media.images.WIDTHS`, `FORMATS`)."""


STORYBOARD = "storyboard.vtt"
PREVIEW = "preview.mp4"
BOARD = re.compile(r"board-(0|[1-9][0-9]{0,3})\.jpg")
CAPTIONS = "captions.vtt"
CHAPTERS = "chapters.vtt"
POSTER_UPLOAD = "poster-upload"
"""An image that the owner chose, as it came; a task makes pictures of it."""


def new_text() -> str:
    """A name for a captions file, which nobody can guess."""
    return secrets.token_hex(16)


def text_file(name: str) -> str:
    """A captions file of the film."""
    return f"text/{name}.vtt"


def new_film() -> str:
    """A name for a new film's folder, which nobody can guess."""
    return secrets.token_hex(16)


def grid_folder(grid_id: int) -> str:
    """The folder of a grid."""
    return f"grid-{grid_id}"


def grid_file(grid_id: int, row: str, name: str) -> str:
    """A file of a grid's row."""
    return f"{grid_folder(grid_id)}/{row}/{name}"


def is_image(name: str) -> bool:
    """Whether a film may have a picture file of this name."""
    known = {POSTER, CARD, STORYBOARD, PREVIEW} | MODERN
    return name in known or BOARD.fullmatch(name) is not None


def image_file(name: str) -> str:
    """A picture of the film."""
    return f"images/{name}"
