"""Which picture files a film has: the list beside them says so."""

from __future__ import annotations

from functools import lru_cache

from app.media.manifest import Picture, read_manifest
from app.storage import storage
from app.videos.names import PICTURES, image_file


@lru_cache(maxsize=4096)
def pictures_of(film: str, _version: int) -> tuple[Picture, ...]:
    """The picture files of a film; none of one whose pictures are older than the list.

    They never change within a version, and a film's name is never used again.
    """
    return listed(film)


def listed(film: str) -> tuple[Picture, ...]:
    """The same, read now."""
    try:
        return read_manifest(storage().path(film, image_file(PICTURES)).read_text())
    except (OSError, ValueError):
        return ()
