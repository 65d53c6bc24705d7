"""API tokens: what they open, what they do not, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.api_tokens import MOST
from app.auth.models import ApiToken, User
from app.database import now

from .conftest import PASSWORD, Add, Change, Outbox, log_in
from .test_api import problem

Rows = Callable[[type], list[Any]]


@pytest.fixture
def ada(client: FlaskClient, add: Add) -> FlaskClient:
    add()
    log_in(client)
    return client


def make(browser: FlaskClient, scope: str = "write", name: str = "Lamp") -> dict[str, Any]:
    answer = browser.post("/api/me/tokens/", json={"name": name, "scope": scope})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def bearer(app: APIFlask, token: str) -> FlaskClient:
    program = app.test_client()
    program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return program


def test_a_token_is_shown_once_and_kept_as_a_hash(ada: FlaskClient, rows: Rows) -> None:
    made = make(ada, "read")
    assert made["token"].startswith("vf_")
    (listed,) = ada.get("/api/me/tokens/").json
    assert listed == {name: value for name, value in made.items() if name != "token"}
    (row,) = rows(ApiToken)
    assert made["token"] not in (row.secret_hash, row.name)
    assert len(row.secret_hash) == 64


def test_a_token_reads_and_one_for_writing_writes(app: APIFlask, ada: FlaskClient) -> None:
    reads, writes = (bearer(app, make(ada, scope)["token"]) for scope in ("read", "write"))
    for program in (reads, writes):
        assert program.get("/api/me/").json["email"] == "ada@example.com"
    problem(reads.patch("/api/me/", json={"username": "x"}), 403, "scope_needed")
    assert writes.patch("/api/me/", json={"username": "Ada"}).status_code == 200
    from_elsewhere = {"Origin": "https://other.example"}
    answer = writes.patch("/api/me/", json={"username": "Ada L"}, headers=from_elsewhere)
    assert answer.status_code == 200, "a bearer token is never ambient"


def test_a_token_makes_no_other_and_ends_no_session(app: APIFlask, ada: FlaskClient) -> None:
    program = bearer(app, make(ada)["token"])
    problem(program.post("/api/me/tokens/", json={"name": "More"}), 403, "session_needed")
    problem(program.delete("/api/me/sessions/"), 403, "session_needed")
    assert ada.get("/api/me/").status_code == 200
    assert all(session["current"] is False for session in program.get("/api/me/sessions/").json)


def test_a_withdrawn_token_is_worthless(app: APIFlask, ada: FlaskClient, add: Add) -> None:
    made = make(ada)
    program = bearer(app, made["token"])
    assert program.get("/api/me/").status_code == 200
    add("bob@example.com")
    bob = app.test_client()
    log_in(bob, "bob@example.com")
    assert bob.delete(f"/api/me/tokens/{made['id']}/").status_code == 404
    assert program.get("/api/me/").status_code == 200
    assert ada.delete(f"/api/me/tokens/{made['id']}/").status_code == 204
    problem(program.get("/api/me/"), 401, "not_signed_in")
    assert ada.delete(f"/api/me/tokens/{made['id']}/").status_code == 404


def test_a_token_ends_with_its_account_and_with_a_reset(
    app: APIFlask, ada: FlaskClient, outbox: Outbox, change: Change
) -> None:
    program = bearer(app, make(ada)["token"])
    change(User, disabled_at=now())
    problem(program.get("/api/me/"), 401, "not_signed_in")
    change(User, disabled_at=None)
    assert program.get("/api/me/").status_code == 200
    ada.post("/api/password_reset/", json={"email": "ada@example.com"})
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    body = {"new_password": "a new sentence", "confirm_password": "a new sentence"}
    assert ada.post(path, json=body).status_code == 200
    problem(program.get("/api/me/"), 401, "not_signed_in")


@pytest.mark.parametrize("token", ["", "vf_", "vf_wrong", "garbage", "vf_" + "x" * 5000, "vf_é"])
def test_a_wrong_token_is_nobody_even_beside_a_good_cookie(ada: FlaskClient, token: str) -> None:
    answer = ada.get("/api/me/", headers={"Authorization": f"Bearer {token}"})
    problem(answer, 401, "not_signed_in")


def test_an_access_token_may_be_sent_by_a_script(app: APIFlask, ada: FlaskClient) -> None:
    access = ada.post("/api/token/refresh/").json["access"]
    script = bearer(app, access)
    assert script.get("/api/me/").status_code == 200
    assert script.post("/api/logout/").status_code == 200
    problem(script.get("/api/me/"), 401, "not_signed_in")
    problem(ada.get("/api/me/"), 401, "not_signed_in")


def test_its_use_is_noted_now_and_then(
    app: APIFlask, ada: FlaskClient, rows: Rows, change: Change
) -> None:
    program = bearer(app, make(ada)["token"])
    assert ada.get("/api/me/tokens/").json[0]["used_at"] is None
    program.get("/api/me/")
    first = rows(ApiToken)[0].used_at
    assert first > now() - timedelta(minutes=1)
    program.get("/api/me/")
    assert rows(ApiToken)[0].used_at == first
    change(ApiToken, used_at=now() - timedelta(hours=1))
    program.patch("/api/me/", json={"username": "Ada"})
    assert rows(ApiToken)[0].used_at > now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "scope": "admin"}, "scope"),
        ({"name": "x", "scope": None}, "scope"),
    ],
)
def test_a_wrong_token_form_makes_nothing(
    ada: FlaskClient, rows: Rows, body: dict[str, Any], field: str
) -> None:
    answer = problem(ada.post("/api/me/tokens/", json=body), 400, "invalid_input")
    assert list(answer["errors"]) == [field]
    assert all(text.endswith(".") for text in answer["errors"][field])
    assert rows(ApiToken) == []


def test_there_is_an_end_to_them(ada: FlaskClient) -> None:
    for number in range(MOST):
        make(ada, name=str(number))
    problem(ada.post("/api/me/tokens/", json={"name": "x"}), 409, "too_many_tokens")


# sessions


def test_sessions_say_device_and_time_and_can_be_ended(app: APIFlask, ada: FlaskClient) -> None:
    phone = app.test_client()
    agent = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
    )
    body = {"email": "ada@example.com", "password": PASSWORD}
    phone.post("/api/login/", json=body, headers={"User-Agent": agent})
    there, here = sorted(ada.get("/api/me/sessions/").json, key=lambda row: row["current"])
    assert there["device"] == "Mobile Safari on iOS"
    assert there["kind"] == "api"
    assert there["address"] == "127.0.0.1"
    assert there["seen_at"].endswith("Z")
    assert here["device"] == "Werkzeug"
    assert ada.delete(f"/api/me/sessions/{there['id']}/").status_code == 204
    assert phone.get("/api/me/").status_code == 401
    assert ada.delete(f"/api/me/sessions/{there['id']}/").status_code == 404
    assert [row["id"] for row in ada.get("/api/me/sessions/").json] == [here["id"]]


def test_nobody_ends_anothers_session(app: APIFlask, ada: FlaskClient, add: Add) -> None:
    add("bob@example.com")
    bob = app.test_client()
    log_in(bob, "bob@example.com")
    (mine,) = ada.get("/api/me/sessions/").json
    assert bob.delete(f"/api/me/sessions/{mine['id']}/").status_code == 404
    assert ada.get("/api/me/").status_code == 200


def test_signing_out_everywhere_ends_every_session(app: APIFlask, ada: FlaskClient) -> None:
    others = [app.test_client() for _ in range(2)]
    for other in others:
        log_in(other)
    assert ada.delete("/api/me/sessions/").status_code == 204
    assert ada.get_cookie("access_token") is None
    for browser in (ada, *others):
        assert browser.get("/api/me/").status_code == 401
