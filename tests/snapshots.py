"""What takes long to bring about is done once per process; each test begins with its own copy."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from apiflask import APIFlask

from app.database import db
from tests.databases import copy_database, postgres_database

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """A site as it was: its database, its media, its Redis, and what bringing it about gave."""

    database: str
    media: Path
    redis: dict[bytes, tuple[bytes, int]]
    given: Any


class Snapshots:
    """Snapshots of sites with one kind of database, by name, with their files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Snapshot] = {}
        self._databases = contextlib.ExitStack()

    def after(self, app: APIFlask, name: str, act: Callable[[], T]) -> T:
        """Let the site, which is as new, become as `act` leaves it, and return what `act` gave."""
        if name in self._kept:
            self._restore(app, self._kept[name])
        else:
            self._kept[name] = self._take(app, act())
        given: T = self._kept[name].given
        return given

    def remove(self) -> None:
        """Give up what is kept on a server."""
        self._databases.close()

    def _take(self, app: APIFlask, given: object) -> Snapshot:
        _forget(app)
        url, media = app.config["DATABASE_URL"], self._folder / str(len(self._kept))
        if url.startswith("sqlite"):
            database = f"sqlite:///{media}.sqlite"
            copy_database(url, database)
        else:
            database = self._databases.enter_context(postgres_database(url, url))
        shutil.copytree(app.config["DATA_DIR"] / "media", media)
        client = app.extensions["redis"]
        kept = {key: (client.dump(key), max(client.pttl(key), 0)) for key in client.scan_iter()}
        return Snapshot(database, media, kept, given)

    def _restore(self, app: APIFlask, snapshot: Snapshot) -> None:
        _forget(app)
        copy_database(snapshot.database, app.config["DATABASE_URL"])
        shutil.copytree(snapshot.media, app.config["DATA_DIR"] / "media", dirs_exist_ok=True)
        client = app.extensions["redis"]
        client.flushdb()
        for key, (value, milliseconds) in snapshot.redis.items():
            client.restore(key, milliseconds, value)


def _forget(app: APIFlask) -> None:
    """Close the application's connections to its database."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
