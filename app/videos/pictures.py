"""Which picture files a film has: the list beside them says so."""

from __future__ import annotations

from functools import lru_cache

from app.media.manifest import Picture, read_manifest
from app.storage import StorageAway, storage
from app.videos.names import PICTURES, image_file


def pictures_of(film: str, version: int) -> tuple[Picture, ...]:
    """The picture files of a film; none of one whose pictures are older than the list.

    They never change within a version, and a film's name is never used again.
    """
    try:
        return _kept(film, version)
    except StorageAway:  # pages go on without; the next one asks again
        return ()


@lru_cache(maxsize=4096)
def _kept(film: str, _version: int) -> tuple[Picture, ...]:
    return listed(film)


def listed(film: str) -> tuple[Picture, ...]:
    """The same, read now. Raises StorageAway."""
    try:
        return read_manifest(storage().read(film, image_file(PICTURES)).decode())
    except StorageAway:
        raise
    except (OSError, ValueError):
        return ()
