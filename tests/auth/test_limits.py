"""How often something may be asked for, counted in a real Redis."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from redis import ConnectionPool
from werkzeug.test import TestResponse

from app import create_app
from app.database import db
from app.limits import address_key, flow, guard
from config import Settings

from .conftest import PASSWORD, Add, Outbox, Submit, csrf_token, log_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def guess(browser: FlaskClient, email: str = "ada@example.com", **headers: str) -> TestResponse:
    body = {"email": email, "password": "a wrong guess"}
    return browser.post("/api/login/", json=body, headers=headers)


def is_refused(answer: TestResponse) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.get_json()["code"] == "too_many_requests"
    assert 0 < int(answer.headers["Retry-After"]) <= 3601
    return True


def test_a_burst_of_guesses_ends_and_a_spoofed_address_does_not_help(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add()
    app.config["LIMIT_LOGIN_ACCOUNT"] = "5 per 5 minutes"
    answers = [guess(client, **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(9)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 4
    assert is_refused(answers[-1])
    assert 200 < int(answers[-1].headers["Retry-After"]) <= 301
    assert is_refused(log_in(client)), "even the right password, so that it is no oracle"
    assert is_refused(guess(client, " ADA@Example.com")), "another spelling is the same account"
    assert guess(client, "bob@example.com").status_code == 401


def test_guesses_at_many_accounts_count_by_address(app: APIFlask, client: FlaskClient) -> None:
    app.config["LIMIT_LOGIN_ADDRESS"] = "6 per 5 minutes"
    codes = [guess(client, f"user{n}@example.com").status_code for n in range(8)]
    assert codes == [401] * 6 + [429] * 2
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "10.1.2.3"
    assert guess(elsewhere).status_code == 401


def test_only_failures_count(app: APIFlask, client: FlaskClient, add: Add) -> None:
    add()
    app.config["LIMIT_LOGIN_ACCOUNT"] = app.config["LIMIT_LOGIN_ADDRESS"] = "3 per minute"
    assert [log_in(client).status_code for _ in range(6)] == [200] * 6


def test_a_limit_ends(app: APIFlask, client: FlaskClient, add: Add) -> None:
    add()
    app.config["LIMIT_LOGIN_ACCOUNT"] = "2 per 1 second"
    deadline = time.monotonic() + 60
    while not is_refused(answer := guess(client)):
        assert time.monotonic() < deadline
    time.sleep(int(answer.headers["Retry-After"]) + 0.1)
    assert log_in(client).status_code == 200


def test_the_page_and_the_api_share_a_limit(
    app: APIFlask, client: FlaskClient, add: Add, submit: Submit
) -> None:
    add()
    app.config["LIMIT_LOGIN_ACCOUNT"] = "3 per minute"
    assert guess(client).status_code == 401
    for _ in range(2):
        assert submit("/login", email="ada@example.com", password="wrong one").status_code == 400
    page = submit("/login", email="ada@example.com", password=PASSWORD)
    assert page.status_code == 429
    assert "Too many tries" in page.text
    assert int(page.headers["Retry-After"]) > 0
    assert is_refused(guess(client))
    assert client.get("/login").status_code == 200


@pytest.mark.parametrize("path", ["password/", "email/", ""])
def test_the_present_password_is_not_to_be_guessed_either(
    app: APIFlask, client: FlaskClient, add: Add, path: str
) -> None:
    add()
    log_in(client)
    app.config["LIMIT_LOGIN_ACCOUNT"] = "3 per minute"
    body = {"current_password": "wrong one", "password": "wrong one"}
    body |= {"new_password": "a new sentence", "email": "new@example.com"}
    method = "POST" if path else "DELETE"
    codes = [client.open(f"/api/me/{path}", method=method, json=body).status_code for _ in range(4)]
    assert codes == [400] * 3 + [429]
    assert is_refused(log_in(app.test_client())), "it is one limit with signing in"


@pytest.mark.parametrize("path", ["password_reset", "register"])
def test_nobody_is_flooded_with_mail(
    app: APIFlask, client: FlaskClient, add: Add, outbox: Outbox, path: str
) -> None:
    add()
    app.config["LIMIT_MAIL_ACCOUNT"] = "2 per hour"
    body = {"email": "ada@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}
    answers = [client.post(f"/api/{path}/", json=body) for _ in range(4)]
    assert [is_refused(answer) for answer in answers] == [False, False, True, True]
    assert len(outbox) == 2
    wrong = body | {"password": "short12"}
    for _ in range(3):  # what sends nothing counts for nothing
        client.post(f"/api/{path}/", json=wrong | {"email": f"x{_}@example.com"})
    other = client.post(f"/api/{path}/", json=body | {"email": "bob@example.com"})
    assert other.status_code < 300


def test_an_unknown_address_is_limited_like_a_known_one(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add()
    app.config["LIMIT_MAIL_ACCOUNT"] = "2 per hour"
    for email in ("ada@example.com", "nobody@example.com"):
        codes = [
            client.post("/api/password_reset/", json={"email": email}).status_code for _ in range(3)
        ]
        assert codes == [200, 200, 429]


def test_behind_a_proxy_the_last_trusted_hop_counts(settings: Settings, app: APIFlask) -> None:
    proxied = create_app(replace(settings, TRUSTED_PROXIES=1, LIMIT_LOGIN_ADDRESS="3 per minute"))
    browser = proxied.test_client()
    for number in range(3):  # the client writes what it likes; the proxy appends the truth
        header = {"X-Forwarded-For": f"9.9.9.{number}, 203.0.113.7"}
        assert guess(browser, f"u{number}@example.com", **header).status_code == 401
    assert is_refused(guess(browser, **{"X-Forwarded-For": "1.1.1.1, 203.0.113.7"}))
    assert guess(browser, **{"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}).status_code == 401
    with proxied.app_context():
        db.session.remove()
        db.engine.dispose()
        proxied.extensions["redis"].close()


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("nonsense", "unknown"),
    ],
)
def test_an_address_is_a_customer(app: APIFlask, address: str, key: str) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": address}):
        assert address_key() == key


def test_reading_is_limited_by_account_and_generously(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add()
    add("bob@example.com")
    log_in(client)
    bob = app.test_client()
    log_in(bob, "bob@example.com")
    app.config["LIMIT_API"] = "5 per hour"
    assert client.get("/api/there-is-no-such-call/").status_code == 404
    assert [client.get("/api/me/").status_code for _ in range(5)] == [200] * 5
    assert is_refused(client.get("/api/me/"))
    assert bob.get("/api/me/").status_code == 200, "behind the same address"
    assert client.get("/browse").status_code == 200, "pages and streams are no API"


def test_each_of_several_limits_counts(app: APIFlask, client: FlaskClient, add: Add) -> None:
    add()
    log_in(client)
    app.config["LIMIT_API"] = "3 per minute; 5 per hour"
    answers = [client.get("/api/me/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert int(answers[-1].headers["Retry-After"]) <= 61


def test_without_redis_guessing_is_refused_and_reading_is_not(
    app: APIFlask, client: FlaskClient, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    log_in(client)
    token = csrf_token(client, "/account")
    away = ConnectionPool.from_url("redis://127.0.0.1:1", socket_connect_timeout=1)
    for limiter in (guard, flow):
        monkeypatch.setattr(limiter.storage.storage, "connection_pool", away)  # type: ignore[attr-defined]
    stranger = app.test_client()
    for path, body in (
        ("login", {"email": "ada@example.com", "password": PASSWORD}),
        ("password_reset", {"email": "ada@example.com"}),
    ):
        answer = stranger.post(f"/api/{path}/", json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    body = {"current_password": PASSWORD, "new_password": "a new sentence"}
    assert client.post("/api/me/password/", json=body).status_code == 503
    assert client.post("/login", data={"csrf_token": token}).status_code == 503
    for path in ("/api/me/", "/api/global-videos/", "/browse", "/account"):
        assert client.get(path).status_code == 200
    new = {"email": "bob@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}
    assert stranger.post("/api/register/", json=new).status_code == 201


def test_redis_does_not_say_whose_counter_it_is(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add()
    guess(client)
    keys = app.extensions["redis"].keys()
    assert any(b"guess-account" in key for key in keys)
    assert not any(b"ada" in key for key in keys)
