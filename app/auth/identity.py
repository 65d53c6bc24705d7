"""Who is asking: the one place that decides it, for pages, API and streams alike.

A bearer token decides alone (there are none yet, so it names nobody); then the pages' cookie; then
the `access_token` cookie. Flask-Login asks here as well, through its request loader: what it would
keep in the cookie names an account, ours names a session row that the server can end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec

from flask import current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError

from app.auth import sessions, tokens
from app.auth.models import Role, Session, User
from app.auth.tokens import Purpose, TokenInvalid
from app.database import writing
from app.errors import Forbidden, NotSignedIn
from app.security import SAFE_METHODS

log = logging.getLogger(__name__)

P = ParamSpec("P")

ACCESS_COOKIE = "access_token"
REFRESH_COOKIE = "refresh_token"

_PAGE_KEY = "key"
"""Where the pages' signed cookie holds the secret of its session row."""

_ENVIRON_KEY = "videoflix.identity"
"""The answer is kept with the request itself, so that it cannot outlive it."""


class Credential(StrEnum):
    """What the request proved itself with."""

    PAGE = "page"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, in which session, and how they proved it."""

    user: User
    session: Session
    credential: Credential


def current_identity() -> Identity | None:
    """The identity of this request, found on the first call; None if there is none."""
    if _ENVIRON_KEY not in request.environ:
        found = _find()
        if found is not None and sessions.is_stale(found.session):
            _touch(found)
        request.environ[_ENVIRON_KEY] = found
    known: Identity | None = request.environ[_ENVIRON_KEY]
    return known


def current_user_or_none() -> User | None:
    """The person who is asking, if signed in."""
    found = current_identity()
    return found.user if found else None


def current_session_id() -> int | None:
    """The id of the session in which this request is made."""
    found = current_identity()
    return found.session.id if found else None


def require_user() -> User:
    """The person who is asking. Raises NotSignedIn."""
    user = current_user_or_none()
    if user is None:
        raise NotSignedIn
    return user


def require_verified() -> User:
    """The person who is asking, their address confirmed. Raises NotSignedIn, Forbidden."""
    user = require_user()
    if not user.is_verified:
        raise Forbidden("Confirm your e-mail address first.", code="not_verified")
    return user


def require_role(role: Role) -> User:
    """The person who is asking, if they have at least this role. Raises NotSignedIn, Forbidden."""
    user = require_verified()
    if not Role(user.role).includes(role):
        raise Forbidden("Your account may not do this.", code="role_needed")
    return user


def login_required(
    view: Callable[P, ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """A page for people who are signed in; others are sent to sign in first, and then back."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_user_or_none() is not None:
            return view(*args, **kwargs)
        if request.method not in SAFE_METHODS:
            return redirect(url_for("auth.login"), 303)
        wanted = request.full_path if request.query_string else request.path
        return redirect(url_for("auth.login", next=wanted))

    return guarded


def remember_page_session(secret: str) -> None:
    """Make this browser's page cookie stand for the session; all else in it is dropped."""
    session.clear()
    session[_PAGE_KEY] = secret
    session.permanent = True
    forget_identity()


def forget_page_session() -> None:
    """Take this browser's page cookie away, if it has one."""
    if session:
        session.clear()
    forget_identity()


def forget_identity() -> None:
    """Look again who is asking: the credentials of this request have just changed."""
    request.environ.pop(_ENVIRON_KEY, None)


def presented_sessions() -> set[int]:
    """Ids of all sessions whose cookie came with the request, old and expired ones included."""
    found = set()
    secret = session.get(_PAGE_KEY)
    if isinstance(secret, str):
        found.add(sessions.page_id(secret))
    for purpose, cookie in ((Purpose.ACCESS, ACCESS_COOKIE), (Purpose.REFRESH, REFRESH_COOKIE)):
        claims = _session_token(purpose, request.cookies.get(cookie, ""), max_age=None)
        found.add(claims[0] if claims else None)
    return {number for number in found if number is not None}


def access_token(of: Session) -> str:
    """A token that stands for the session for ACCESS_MINUTES."""
    return tokens.sign(Purpose.ACCESS, [of.id, of.user_id])


def _find() -> Identity | None:
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return None  # never fall back to a cookie: the origin check lets bearer requests pass
    secret = session.get(_PAGE_KEY)
    row = sessions.find_page(secret) if isinstance(secret, str) else None
    if row is not None:
        return Identity(row[1], row[0], Credential.PAGE)
    age = timedelta(minutes=current_app.config["ACCESS_MINUTES"])
    claims = _session_token(Purpose.ACCESS, request.cookies.get(ACCESS_COOKIE, ""), age)
    row = sessions.find_api(*claims) if claims else None
    return Identity(row[1], row[0], Credential.ACCESS) if row is not None else None


def _session_token(
    purpose: Purpose, token: str, max_age: timedelta | None
) -> tuple[int, int] | None:
    """Session id and user id in a genuine token."""
    if not token:
        return None
    try:
        match tokens.read(purpose, token, max_age):
            case [int(session_id), int(user_id), *_]:
                return session_id, user_id
    except TokenInvalid:
        pass
    return None


def _touch(found: Identity) -> None:
    """Note the use of the session. A GET may do so too, and must not fail if the disk is full."""
    if found.credential is Credential.PAGE:
        session.modified = True  # the browser keeps the cookie for as long as the row will live
    session_id = found.session.id
    if request.method not in SAFE_METHODS:
        sessions.touch(session_id)
        return
    try:
        with writing():
            sessions.touch(session_id)
    except OperationalError as error:
        log.warning("a session's use could not be noted", exc_info=error)


def load_for_flask_login(_request: Any) -> User | None:
    """Flask-Login's request loader, so that `current_user` is the same person everywhere."""
    return current_user_or_none()
