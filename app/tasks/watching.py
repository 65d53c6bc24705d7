"""The watched folder: films that appear in WATCH_FOLDER are imported.

A file counts as complete once two looks found it the same. What became of each is written down in
DATA_DIR/imports/watched.jsonl: a file that failed is not tried again until it changes, and a film
that was deleted does not come back. The film's row tells whether it was imported, so a journal that
is lost, or lacks its last line, lets nothing in twice.
"""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

from flask import Flask, current_app

from app.database import db, forget_connections
from app.errors import DomainError
from app.videos.imports import importing
from app.videos.imports.folders import Found, look
from app.videos.imports.importing import Line, Order, Outcome, Way
from app.videos.imports.turns import import_turn

log = logging.getLogger(__name__)


class Watch:
    """What one process saw of the folder."""

    def __init__(self, folder: Path, journal: Path) -> None:
        self._folder = folder
        self._journal = journal
        self._seen: set[str] = set()
        self._told: set[tuple[str, str]] = set()

    def look(self) -> list[Line]:
        """Look once, and import what is complete and new; what became of it. Commits.

        Does nothing while another process imports.
        """
        if not self._folder.is_dir():
            self._tell(str(self._folder), "WATCH_FOLDER is no folder, or is not mounted")
            return []
        looked = look([self._folder], current_app.config["DATA_DIR"])
        films = [one for one in looked if isinstance(one, Found)]
        complete = [film for film in films if film.source in self._seen]
        self._seen = {film.source for film in films}
        if not complete:
            return []
        with import_turn() as mine:
            if not mine:
                return []
            done = self._done()
            waiting = [film for film in complete if film.source not in done]
            return self._take_all(waiting) if waiting else []

    def _take_all(self, films: list[Found]) -> list[Line]:
        settings = current_app.config
        try:
            owner_id = importing.owner_of(settings["WATCH_OWNER"]).id
        except (DomainError, importing.NotTaken) as error:
            self._tell("WATCH_OWNER", f"nobody can own the films of WATCH_FOLDER: {error}")
            return []
        finally:
            db.session.rollback()
        order = Order(owner_id, Way(settings["WATCH_ACTION"]), settings["WATCH_GLOBAL"])
        report = []
        for film in films:
            line = importing.take(film, order, lambda _count: None)
            report.append(line)
            # There may be room at the next look, and what was moved is gone.
            if not line.passing and film.path.exists():
                self._note(film, line)
            if line.outcome is Outcome.FAILED:
                self._tell(film.source, f"{film.path.name!r} was not imported: {line.why}")
            else:
                facts = {"film": line.video_id, "notes": line.notes}
                log.info("%s from the watched folder", line.outcome, extra={"facts": facts})
        return report

    def _done(self) -> set[str]:
        """The sources that were dealt with; a line that was cut off is none."""
        try:
            lines = self._journal.read_text().splitlines()
        except FileNotFoundError:
            return set()
        return {line[:64] for line in lines if line.endswith("}")}

    def _note(self, film: Found, line: Line) -> None:
        """Write down what became of a film. Its line begins anew, should the last be cut off."""
        facts = {"file": film.path.name, "outcome": line.outcome, "why": line.why}
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("a") as file:
            file.write(f"\n{film.source} {json.dumps(facts)}")
            file.flush()
            os.fsync(file.fileno())

    def _tell(self, about: str, what: str) -> None:
        """Warn once, not at every look."""
        if (about, what) not in self._told:
            self._told.add((about, what))
            log.warning("%s", what)


def watch(app: Flask) -> None:
    """Watch for ever, in a process of its own, which may be killed at any moment."""
    with app.app_context():
        forget_connections(db.engine)
        settings = app.config
        watched = Watch(settings["WATCH_FOLDER"], settings["DATA_DIR"] / "imports/watched.jsonl")
        while True:
            try:
                watched.look()
            except Exception:
                log.warning("looking at WATCH_FOLDER failed, trying again later", exc_info=True)
            finally:
                db.session.remove()
            time.sleep(max(settings["WATCH_SECONDS"], 1))
