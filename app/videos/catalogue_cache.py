"""What is the same of the catalogue for everyone, kept until a write changes it.

A value carries the version that it was read at, which the commit of such a write moves on; so
nothing is ever looked for to be dropped. Who reads takes the version first and the rows afterwards,
in a transaction that begins then: what was read before a commit can only be kept with the version
before it, and a value of another version than the present one is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session

from app.auth.models import User
from app.caching import cache
from app.database import after_commit, on_session, reading_afresh
from app.videos.models import Series, Subtitle, Video
from app.videos.viewing_models import Category

LIFE_SECONDS = 60
"""How long a value lives whose version nobody moved on, because Redis was away at that moment."""

CHANGING_SECONDS = 3
"""How long one lives that shows films being converted: their cells fill without a notice."""

UNSEEN = {"catalogue": "as it was"}
"""Execution options of a frequent statement on these tables after which nothing looks different."""

_VERSION = "catalogue:version"
_TABLES = frozenset(model.__tablename__ for model in (Video, Series, Subtitle, Category))
_UNSHOWN = frozenset({"received", "sha256", "source", "share_key", "may_copy", "poster_time"})


def recall(key: str, make: Callable[[], Any], changes: Callable[[Any], bool]) -> Any:
    """The value of this key, else the one that `make` reads from the database, JSON all through.

    `changes` says of a value that it shows films which change without a notice. `make` must not
    touch objects of the request's own session.
    """
    version, kept = cache.get_many(_VERSION, f"catalogue:{key}")
    if version is None:
        cache.add(_VERSION, time.time_ns() // 1000, timeout=0)  # never one that was there before
        return _read(make)
    match kept:
        case {"version": known, "value": value} if known == version:
            return value
    found = _read(make)
    life = CHANGING_SECONDS if changes(found) else LIFE_SECONDS
    cache.set(f"catalogue:{key}", {"version": version, "value": found}, timeout=life)
    return found


def watch_writes() -> None:
    """Move the version on with every commit that changes what the catalogue shows."""
    on_session("after_flush", _flushed)
    on_session("do_orm_execute", _executed)


def _read(make: Callable[[], Any]) -> Any:
    with reading_afresh():
        return make()


def _flushed(session: Session, _context: object) -> None:
    whole: Iterable[object] = chain(session.new, session.deleted)
    if any(_stands_there(row) for row in whole) or any(map(_looks_different, session.dirty)):
        _move_on(session)


def _executed(state: ORMExecuteState) -> None:
    if state.is_select or state.execution_options.get("catalogue") == UNSEEN["catalogue"]:
        return
    table = getattr(state.statement, "table", None)
    if table is not None and table.name in _TABLES:
        _move_on(state.session)


def _stands_there(row: object) -> bool:
    """Whether the catalogue shows this row, which is new, or gone. Loads nothing."""
    if isinstance(row, Video):
        return bool(_state(row).dict.get("is_global", True))
    return isinstance(row, Series | Subtitle | Category)


def _looks_different(row: object) -> bool:
    """Whether the catalogue shows something of what was changed in this row."""
    if not isinstance(row, Video | Series | Subtitle | Category | User):
        return False
    attributes = _state(row).attrs
    changed = {each.key for each in attributes if each.history.has_changes()}
    if isinstance(row, Video):
        was_global = True in (attributes["is_global"].history.deleted or ())
        return bool(changed - _UNSHOWN) and (row.is_global or was_global)
    return "username" in changed if isinstance(row, User) else bool(changed)


def _state(row: object) -> InstanceState[Any]:
    state: InstanceState[Any] = inspect(row)
    return state


def _move_on(session: Session) -> None:
    if _announce not in session.info.get("after_commit", ()):
        after_commit(_announce)


def _announce() -> None:
    cache.cache.inc(_VERSION)
