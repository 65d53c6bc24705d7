"""What tests of accounts share: the outbox, the links in it, forms as a browser sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, overload
from urllib.parse import urlsplit

import itsdangerous
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.auth import admin
from app.auth.models import OutgoingMail, Role, Session
from app.database import db, now

PASSWORD = "correct horse battery"

Change = Callable[..., None]
Add = Callable[..., int]
Submit = Callable[..., TestResponse]


class Outbox(Sequence[OutgoingMail]):
    """The rows of the outbox as they are now, oldest first."""

    def __init__(self, app: APIFlask) -> None:
        self._app = app

    def _rows(self) -> list[OutgoingMail]:
        with self._app.app_context():
            rows = list(db.session.scalars(select(OutgoingMail).order_by(OutgoingMail.id)))
            db.session.expunge_all()
            return rows

    @overload
    def __getitem__(self, index: int) -> OutgoingMail: ...
    @overload
    def __getitem__(self, index: slice) -> list[OutgoingMail]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._rows()[index]

    def __len__(self) -> int:
        return len(self._rows())

    def parts(self, index: int = -1) -> tuple[str, str]:
        """`uid` and `token` of the link in a mail."""
        link = re.search(r"https?://\S+/\S+", self[index].text)
        assert link is not None
        uid, token = urlsplit(link[0]).path.split("/")[-2:]
        return uid, token


@pytest.fixture
def outbox(app: APIFlask) -> Outbox:
    """The mails written so far."""
    return Outbox(app)


@pytest.fixture
def add(app: APIFlask) -> Add:
    """Add an account whose password is PASSWORD."""

    def create(email: str = "ada@example.com", **how: Any) -> int:
        how = {"verified": True, "role": Role.MEMBER} | how
        with app.app_context():
            user = admin.create_user(email, PASSWORD, **how)
            db.session.commit()
            return user.id

    return create


@pytest.fixture
def change(app: APIFlask) -> Change:
    """Change all rows of a model, behind the application's back."""

    def apply(model: type, **values: Any) -> None:
        with app.app_context():
            db.session.execute(update(model).values(**values))
            db.session.commit()

    return apply


@pytest.fixture
def rows(app: APIFlask) -> Callable[[type], list[Any]]:
    """All rows of a model as they are now."""

    def read(model: type) -> list[Any]:
        with app.app_context():
            found = list(db.session.scalars(select(model).order_by(model.id)))
            db.session.expunge_all()
            return found

    return read


@pytest.fixture
def submit(client: FlaskClient) -> Submit:
    """Open a page, fill its form in and send it."""

    def send(path: str, _client: FlaskClient | None = None, **fields: str) -> TestResponse:
        browser = _client or client
        return browser.post(path, data=fields | {"csrf_token": csrf_token(browser, path)})

    return send


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[timedelta], None]]:
    """Let signed tokens believe that time has passed."""
    real = itsdangerous.TimestampSigner.get_timestamp

    def shift(by: timedelta) -> None:
        monkeypatch.setattr(
            itsdangerous.TimestampSigner,
            "get_timestamp",
            lambda self: real(self) + int(by.total_seconds()),
        )

    return shift


def csrf_token(browser: FlaskClient, path: str) -> str:
    """The token in the form of a page."""
    page = browser.get(path)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def log_in(
    browser: FlaskClient, email: str = "ada@example.com", password: str = PASSWORD
) -> TestResponse:
    """Sign in through the API."""
    return browser.post("/api/login/", json={"email": email, "password": password})


def log_in_page(
    browser: FlaskClient, email: str = "ada@example.com", password: str = PASSWORD
) -> TestResponse:
    """Sign in through the page."""
    fields = {"email": email, "password": password, "csrf_token": csrf_token(browser, "/login")}
    return browser.post("/login", data=fields)


def age_sessions(change: Change, by: timedelta) -> None:
    """Make every session look unused for so long."""
    change(Session, seen_at=now() - by)
