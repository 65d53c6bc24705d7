"""What only shows when things happen at once, or go wrong between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask import redirect
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app.auth import admin, identity, passwords, sessions
from app.auth.models import Session, User
from app.database import db, now
from app.errors import Forbidden, InvalidInput

from .conftest import PASSWORD, Add, Change, Outbox, age_sessions, log_in, log_in_page

Rows = Callable[[type], list[Any]]


def at_once(app: APIFlask, count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run it in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        with app.app_context():
            barrier.wait()
            try:
                results[number] = act(number)
            except Exception as error:
                results[number] = error
            db.session.remove()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_address_registered_at_once_is_one_account(
    app: APIFlask, rows: Rows, outbox: Outbox
) -> None:
    def register(_: int) -> int:
        body = {"email": "a@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}
        return app.test_client().post("/api/register/", json=body).status_code

    assert at_once(app, 4, register) == [201] * 4
    assert len(rows(User)) == 1
    assert len(outbox) == 4


def test_a_link_used_at_once_works_once(app: APIFlask, add: Add, outbox: Outbox) -> None:
    add(verified=False)
    path = "/api/activate/{}/{}/".format(*outbox.parts())
    answers = at_once(app, 4, lambda _: app.test_client().get(path).status_code)
    assert sorted(answers) == [200, 400, 400, 400]


def test_a_refresh_token_used_at_once_ends_the_session(
    app: APIFlask, client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    log_in(client)
    cookie = client.get_cookie("refresh_token")
    assert cookie is not None

    def refresh(_: int) -> int:
        browser = app.test_client()
        browser.set_cookie("refresh_token", cookie.value)
        return browser.post("/api/token/refresh/").status_code

    assert sorted(at_once(app, 3, refresh)) == [200, 401, 401]
    assert rows(Session)[0].ended_at is not None


def test_a_hash_with_old_parameters_is_replaced_at_login(
    client: FlaskClient, add: Add, change: Change, rows: Rows
) -> None:
    add()
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    change(User, password_hash=weak)
    assert log_in(client, password="a wrong guess").status_code == 401
    assert rows(User)[0].password_hash == weak
    assert log_in(client).status_code == 200
    assert not passwords.is_outdated(rows(User)[0].password_hash)
    assert log_in(client).status_code == 200


@pytest.mark.parametrize("values", [{"password_hash": "other"}, {"disabled_at": now()}])
def test_what_changes_while_a_password_is_hashed_counts(
    client: FlaskClient, add: Add, change: Change, rows: Rows,
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any],
) -> None:  # fmt: skip
    add()
    real = passwords.verify

    def meanwhile(*args: Any) -> bool:
        change(User, **values)  # on SQLite it would wait for 15 s, were a transaction open
        return real(*args)

    monkeypatch.setattr(passwords, "verify", meanwhile)
    assert log_in(client).status_code == 401
    assert rows(Session) == []


def test_a_new_password_loses_against_a_faster_one(
    app: APIFlask, client: FlaskClient, add: Add, change: Change, outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    add()
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    real = passwords.hash_password

    def meanwhile(password: str) -> str:
        change(User, password_hash="other")
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", meanwhile)
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    body = {"new_password": "a new sentence", "confirm_password": "a new sentence"}
    assert client.post(path, json=body).get_json()["code"] == "link_invalid"


def test_a_post_in_a_long_unused_session_is_served(
    client: FlaskClient, add: Add, change: Change, outbox: Outbox
) -> None:
    add()
    log_in(client)
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    age_sessions(change, timedelta(days=1))
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    body = {"new_password": "short12", "confirm_password": "short12"}
    assert client.post(path, json=body).status_code == 400


def test_a_get_is_answered_where_nothing_can_be_written(
    client: FlaskClient, add: Add, change: Change, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    log_in_page(client)
    age_sessions(change, timedelta(days=1))

    def full(_: int) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(sessions, "touch", full)
    assert client.get("/account").status_code == 200
    assert rows(Session)[0].seen_at < now() - timedelta(hours=1)


def test_a_read_after_a_write_on_one_thread_and_back(client: FlaskClient, add: Add) -> None:
    """A GET's deferred transactions must not stay with the thread that served it."""
    from app.database import _reading

    add()
    client.get("/api/me/")
    assert _reading.get() is True
    log_in(client)
    assert _reading.get() is False


def test_who_is_not_verified_or_posts_unknown(app: APIFlask, add: Add, change: Change) -> None:
    add()
    browser = app.test_client()
    log_in(browser)
    cookie = browser.get_cookie("access_token")
    assert cookie is not None
    change(User, verified_at=None)
    headers = {"Cookie": f"access_token={cookie.value}"}
    with app.test_request_context("/", headers=headers), pytest.raises(Forbidden):
        identity.require_verified()
    with app.test_request_context("/account", method="POST"):
        answer: Any = identity.login_required(lambda: redirect("/never"))()
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_an_operator_hears_of_every_wrong_field(app: APIFlask) -> None:
    with app.app_context(), pytest.raises(InvalidInput) as caught:
        admin.create_user("nonsense", "short12")
    assert set(caught.value.errors) == {"email", "password"}
