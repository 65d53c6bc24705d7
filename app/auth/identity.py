"""Who is asking: the one place that decides it, for pages, API and streams alike.

A bearer token decides alone: an API token, or an access token that a script sends itself. Then the
pages' cookie, then the `access_token` cookie. Flask-Login asks here as well, through its request
loader: what it would keep in the cookie names an account, ours names a session row that the server
can end.
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

from app.auth import api_tokens, sessions, tokens
from app.auth.models import ApiToken, Role, Scope, Session, User
from app.auth.tokens import Purpose, TokenInvalid
from app.database import writing
from app.errors import Forbidden, NotSignedIn
from app.security import SAFE_METHODS, bearer_token

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
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, and the row that their credential stands for: a session or an API token."""

    user: User
    row: Session | ApiToken
    credential: Credential

    @property
    def session(self) -> Session | None:
        """The session, unless a program asks with its API token."""
        return self.row if isinstance(self.row, Session) else None

    @property
    def may_write(self) -> bool:
        """Whether the credential is good for more than reading."""
        return not isinstance(self.row, ApiToken) or self.row.scope == Scope.WRITE


def current_identity() -> Identity | None:
    """The identity of this request, found on the first call; None if there is none."""
    if _ENVIRON_KEY not in request.environ:
        found = _find()
        if found is not None and _is_stale(found):
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
    return found.session.id if found and found.session else None


def require_user() -> User:
    """The person who is asking, with a credential that is good for this method.

    Raises NotSignedIn, Forbidden `scope_needed`.
    """
    found = current_identity()
    if found is None:
        raise NotSignedIn
    if request.method not in SAFE_METHODS and not found.may_write:
        raise Forbidden(
            "This API token may only read. Make one with the scope “write”.", code="scope_needed"
        )
    return found.user


def require_session() -> User:
    """The person who is asking, signed in themselves and not through an API token.

    For what must not be done with a token that leaked, such as making another one. Raises
    NotSignedIn, Forbidden `session_needed`.
    """
    user = require_user()
    if current_session_id() is None:
        raise Forbidden("Sign in for this; an API token is not enough.", code="session_needed")
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


def signed_in(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A call of the API for people who are signed in: 401 before its body is even read."""
    return _first(require_user, view)


def in_person(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A call of the API that no API token may make, refused before its body is even read."""
    return _first(require_session, view)


def _first(
    require: Callable[[], User], view: Callable[P, ResponseReturnValue]
) -> Callable[P, ResponseReturnValue]:
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        require()
        return view(*args, **kwargs)

    return guarded


def login_required(
    view: Callable[P, ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """A page for people who are signed in; others are sent to sign in first, and then back."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_user_or_none() is None:
            return to_login()
        return view(*args, **kwargs)

    return guarded


def to_login() -> ResponseReturnValue:
    """The way to the sign-in page, and back here afterwards if this is a page."""
    if request.method not in SAFE_METHODS:
        return redirect(url_for("auth.login"), 303)
    wanted = request.full_path if request.query_string else request.path
    return redirect(url_for("auth.login", next=wanted))


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
    """Ids of all sessions whose token came with the request, old and expired ones included."""
    found = set()
    secret = session.get(_PAGE_KEY)
    if isinstance(secret, str):
        found.add(sessions.page_id(secret))
    for purpose, token in (
        (Purpose.ACCESS, request.cookies.get(ACCESS_COOKIE, "")),
        (Purpose.REFRESH, request.cookies.get(REFRESH_COOKIE, "")),
        (Purpose.ACCESS, bearer_token() or ""),
    ):
        claims = _session_token(purpose, token, max_age=None)
        found.add(claims[0] if claims else None)
    return {number for number in found if number is not None}


def access_token(of: Session) -> str:
    """A token that stands for the session for ACCESS_MINUTES."""
    return tokens.sign(Purpose.ACCESS, [of.id, of.user_id])


def _find() -> Identity | None:
    bearer = bearer_token()
    if bearer is not None:  # never fall back to a cookie: the origin check let it pass
        return _of_bearer(bearer)
    secret = session.get(_PAGE_KEY)
    row = sessions.find_page(secret) if isinstance(secret, str) else None
    if row is not None:
        return Identity(row[1], row[0], Credential.PAGE)
    return _of_access_token(request.cookies.get(ACCESS_COOKIE, ""))


def _of_bearer(secret: str) -> Identity | None:
    if not secret.startswith(api_tokens.PREFIX):
        return _of_access_token(secret)
    row = api_tokens.find(secret)
    return Identity(row[1], row[0], Credential.TOKEN) if row is not None else None


def _of_access_token(token: str) -> Identity | None:
    age = timedelta(minutes=current_app.config["ACCESS_MINUTES"])
    claims = _session_token(Purpose.ACCESS, token, age)
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


def _is_stale(found: Identity) -> bool:
    if isinstance(found.row, ApiToken):
        return api_tokens.is_stale(found.row)
    return sessions.is_stale(found.row)


def _touch(found: Identity) -> None:
    """Note the credential's use. A GET may do so too, and must not fail if the disk is full."""
    if found.credential is Credential.PAGE:
        session.modified = True  # the browser keeps the cookie for as long as the row will live
    touch = api_tokens.touch if found.credential is Credential.TOKEN else sessions.touch
    row_id = found.row.id
    if request.method not in SAFE_METHODS:
        touch(row_id)
        return
    try:
        with writing():
            touch(row_id)
    except OperationalError as error:
        log.warning("a credential's use could not be noted", exc_info=error)


def load_for_flask_login(_request: Any) -> User | None:
    """Flask-Login's request loader, so that `current_user` is the same person everywhere.

    Templates ask it, also that of the page which says that the database is away: it names nobody
    then.
    """
    try:
        return current_user_or_none()
    except OperationalError:
        return None
