"""The JSON API: statuses, bodies and cookies as the contract writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.auth.models import Session, User
from app.database import db, now
from config import Settings

from .conftest import PASSWORD, Add, Change, Outbox, age_sessions, log_in

Rows = Callable[[type], list[Any]]

NEW = {
    "email": "ada@example.com",
    "password": PASSWORD,
    "confirmed_password": PASSWORD,
}


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert (body["status"], body["code"]) == (status, code)
    return body


def cookies(answer: TestResponse) -> dict[str, str]:
    return {line.split("=", 1)[0]: line for line in answer.headers.getlist("Set-Cookie")}


# register


def test_register_answers_201_and_mails_a_link(client: FlaskClient, outbox: Outbox) -> None:
    answer = client.post("/api/register/", json=NEW | {"privacy_policy": "on", "role": "admin"})
    assert answer.status_code == 201
    assert answer.get_json() == {
        "user": {"email": "ada@example.com"},
        "detail": "We sent a mail to this address. Open its link to finish.",
    }
    assert [mail.recipient for mail in outbox] == ["ada@example.com"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_no_field_of_the_request_makes_a_role(client: FlaskClient, rows: Rows) -> None:
    client.post(
        "/api/register/",
        json=NEW | {"role": "admin", "verified_at": "2020-01-01T00:00:00Z", "id": 77},
    )
    (user,) = rows(User)
    assert (user.role, user.verified_at, user.username) == ("member", None, "ada")
    assert user.id != 77


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "ada@example.com\r\nBcc: eve@example.com"}, "email"),
        ({"email": 5}, "email"),
        ({"email": None}, "email"),
        ({"email": ["ada@example.com"]}, "email"),
        ({"password": "short12", "confirmed_password": "short12"}, "password"),
        ({"password": "password1", "confirmed_password": "password1"}, "password"),
        ({"password": 12345678901}, "password"),
        ({"password": "\ud800" * 10, "confirmed_password": "\ud800" * 10}, "password"),
        ({"confirmed_password": PASSWORD + " "}, "confirmed_password"),
        ({"confirmed_password": True}, "confirmed_password"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_stored(
    client: FlaskClient, rows: Rows, outbox: Outbox, wrong: dict[str, Any], field: str
) -> None:
    body = problem(client.post("/api/register/", json=NEW | wrong), 400, "invalid_input")
    assert list(body["errors"]) == [field]
    assert all(text.endswith(".") for text in body["errors"][field])
    assert rows(User) == []
    assert list(outbox) == []


@pytest.mark.parametrize("path", ["register", "login", "password_reset", "password_confirm/a/b"])
def test_missing_fields_are_named(client: FlaskClient, path: str) -> None:
    body = problem(client.post(f"/api/{path}/", json={}), 400, "invalid_input")
    assert len(body["errors"]) >= 1
    assert all(texts == ["This field is needed."] for texts in body["errors"].values())


@pytest.mark.parametrize("path", ["register", "login", "password_reset", "password_confirm/a/b"])
def test_only_json_is_taken(client: FlaskClient, path: str) -> None:
    url = f"/api/{path}/"
    problem(client.post(url, data=NEW), 415, "unsupported_media_type")
    problem(client.post(url, data="{}", content_type="text/plain"), 415, "unsupported_media_type")
    problem(client.post(url), 415, "unsupported_media_type")
    for text in ("", "{", "{'a': 1}", b"\xff\xfe", "[" * 100_000, '{"a":' * 5000):
        problem(client.post(url, data=text, content_type="application/json"), 400, "bad_request")
    for value in ([], "x", 5, [NEW]):
        problem(client.post(url, json=value), 400, "bad_request")
    problem(client.post(url, json={"email": "x" * 2**20}), 413, "too_large")


def test_a_form_without_slash_is_served(client: FlaskClient) -> None:
    assert client.post("/api/register", json=NEW).status_code == 201


def test_a_known_address_gets_the_same_answer_and_a_mail(
    client: FlaskClient, add: Add, outbox: Outbox, rows: Rows
) -> None:
    add("ada@example.com")
    before = rows(User)[0].password_hash
    known = client.post("/api/register/", json=NEW | {"email": " ADA@Example.com"})
    fresh = client.post("/api/register/", json=NEW | {"email": "bob@example.com"})
    assert known.status_code == fresh.status_code == 201
    assert known.text.replace("ada", "bob") == fresh.text
    assert [mail.subject for mail in outbox] == [
        "You already have a Videoflix account",
        "Confirm your address for Videoflix",
    ]
    assert rows(User)[0].password_hash == before


def test_registering_again_before_confirming_replaces_the_password(
    client: FlaskClient, outbox: Outbox, rows: Rows
) -> None:
    client.post(
        "/api/register/", json=NEW | {"password": "eve waits", "confirmed_password": "eve waits"}
    )
    lurking = outbox.parts()
    client.post("/api/register/", json=NEW)
    assert len(rows(User)) == 1
    problem(client.get("/api/activate/{}/{}/".format(*lurking)), 400, "link_invalid")
    assert client.get("/api/activate/{}/{}/".format(*outbox.parts())).status_code == 200
    assert log_in(client, password="eve waits").status_code == 401
    assert log_in(client).status_code == 200


# activate


def test_activation_works_once(client: FlaskClient, outbox: Outbox) -> None:
    client.post("/api/register/", json=NEW)
    path = "/api/activate/{}/{}/".format(*outbox.parts())
    assert log_in(client).status_code == 401
    assert client.head(path).status_code == 200
    assert log_in(client).status_code == 401, "HEAD must not act"
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.get_json() == {"message": "Your address is confirmed. You can sign in now."}
    assert log_in(client).status_code == 200
    problem(client.get(path), 400, "link_invalid")


def test_an_activation_link_dies_of_age_and_damage(
    client: FlaskClient, outbox: Outbox, later: Callable[[timedelta], None]
) -> None:
    client.post("/api/register/", json=NEW)
    uid, token = outbox.parts()
    problem(client.get(f"/api/activate/{uid}/{token[:-1]}/"), 400, "link_invalid")
    problem(client.get(f"/api/activate/{uid}x/{token}/"), 400, "link_invalid")
    later(timedelta(hours=72, seconds=5))
    problem(client.get(f"/api/activate/{uid}/{token}/"), 400, "link_expired")


def test_a_disabled_account_is_not_activated(
    client: FlaskClient, outbox: Outbox, change: Change
) -> None:
    client.post("/api/register/", json=NEW)
    change(User, disabled_at=now())
    problem(client.get("/api/activate/{}/{}/".format(*outbox.parts())), 400, "link_invalid")


# login, logout


def test_login_answers_the_person_and_sets_both_cookies(client: FlaskClient, add: Add) -> None:
    user_id = add()
    answer = log_in(client, " Ada@Example.com ")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "detail": "You are signed in.",
        "user": {"id": user_id, "username": "ada", "email": "ada@example.com"},
    }
    given = cookies(answer)
    assert set(given) == {"access_token", "refresh_token", "csrftoken"}
    assert "HttpOnly" not in given.pop("csrftoken"), "scripts read it and send it back"
    assert "Max-Age=1800" in given["access_token"]
    assert "Max-Age=2592000" in given["refresh_token"]
    for line in given.values():
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
        assert "Path=/" in line
        assert "Secure" not in line
    profile = client.get("/api/me/").get_json()
    assert profile.pop("created_at").endswith("Z")
    assert profile == {
        "id": user_id,
        "username": "ada",
        "initials": "A",
        "email": "ada@example.com",
        "role": "member",
        "pending_email": None,
        "quota_bytes": None,
        "used_bytes": 0,
    }


def test_cookies_are_secure_under_https(settings: Settings, app: APIFlask, add: Add) -> None:
    add()
    secure = create_app(replace(settings, PUBLIC_URL="https://films.example.org"))
    browser, own = secure.test_client(), "https://films.example.org"
    answer = browser.post(
        f"{own}/api/login/",
        json={"email": "ada@example.com", "password": PASSWORD},
    )
    assert all("Secure" in line for line in cookies(answer).values())
    page = browser.get(f"{own}/login")
    assert page.status_code == 302, "the API's cookie signs in to the pages too"
    fresh = secure.test_client().get(f"{own}/login")
    line = cookies(fresh)["__Host-videoflix_session"]
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in line
    assert "Domain" not in line
    with secure.app_context():
        db.session.remove()
        db.engine.dispose()
        secure.extensions["redis"].close()


def test_everything_wrong_is_the_same_401(client: FlaskClient, add: Add, change: Change) -> None:
    add("ada@example.com")
    add("new@example.com", verified=False)
    answers = [
        log_in(client, "ada@example.com", "a wrong guess"),
        log_in(client, "ada@example.com", f" {PASSWORD}"),
        log_in(client, "ada@example.com", ""),
        log_in(client, "ada@example.com", "x" * 100_000),
        log_in(client, "ada@example.com", "\ud800"),
        log_in(client, "nobody@example.com"),
        log_in(client, "no address at all"),
        log_in(client, "new@example.com"),
        log_in(client, "new@example.com", "a wrong guess"),
    ]
    change(User, disabled_at=now())
    answers.append(log_in(client, "ada@example.com"))
    for answer in answers:
        problem(answer, 401, "wrong_credentials")
        assert answer.get_json() == answers[0].get_json()
        assert not {"access_token", "refresh_token"} & set(cookies(answer))


def test_logout_ends_the_session_on_the_server(
    app: APIFlask, client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    log_in(client)
    thief = app.test_client()
    for name in ("access_token", "refresh_token"):
        cookie = client.get_cookie(name)
        assert cookie is not None
        thief.set_cookie(name, cookie.value)
    assert thief.get("/api/me/").status_code == 200
    answer = client.post("/api/logout/")
    assert answer.status_code == 200
    assert answer.get_json() == {"detail": "You are signed out."}
    assert client.get_cookie("access_token") is None
    assert client.get_cookie("refresh_token") is None
    problem(thief.get("/api/me/"), 401, "not_signed_in")
    problem(thief.post("/api/token/refresh/"), 401, "not_signed_in")
    assert [bool(session.ended_at) for session in rows(Session)] == [True]


def test_logout_with_the_refresh_cookie_alone_ends_the_session(
    client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    log_in(client)
    client.delete_cookie("access_token")
    assert client.post("/api/logout/").status_code == 200
    assert rows(Session)[0].ended_at is not None


def test_logout_of_nobody_is_fine(client: FlaskClient) -> None:
    client.set_cookie("refresh_token", "garbage")
    assert client.post("/api/logout/").status_code == 200


def test_each_login_is_a_new_session_and_ends_the_one_before(
    client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    log_in(client)
    first = client.get_cookie("access_token")
    log_in(client)
    assert first is not None
    assert [bool(session.ended_at) for session in rows(Session)] == [True, False]
    client.set_cookie("access_token", first.value)
    problem(client.get("/api/me/"), 401, "not_signed_in")


# refresh


def test_refresh_rotates(client: FlaskClient, add: Add) -> None:
    add()
    log_in(client)
    before = client.get_cookie("refresh_token")
    client.delete_cookie("access_token")
    answer = client.post("/api/token/refresh/")
    assert answer.status_code == 200
    access = client.get_cookie("access_token")
    after = client.get_cookie("refresh_token")
    assert access is not None
    assert after is not None
    assert before is not None
    assert answer.get_json() == {"detail": "Your session goes on.", "access": access.value}
    assert after.value != before.value
    assert client.get("/api/me/").status_code == 200
    assert client.post("/api/token/refresh/").status_code == 200


def test_reuse_of_a_refresh_token_ends_the_family(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add()
    log_in(client)
    old = client.get_cookie("refresh_token")
    assert old is not None
    client.post("/api/token/refresh/")
    thief = app.test_client()
    thief.set_cookie("refresh_token", old.value)
    problem(thief.post("/api/token/refresh/"), 401, "not_signed_in")
    problem(client.get("/api/me/"), 401, "not_signed_in")
    problem(client.post("/api/token/refresh/"), 401, "not_signed_in")


def test_refresh_without_a_cookie_is_400(client: FlaskClient) -> None:
    problem(client.post("/api/token/refresh/"), 400, "no_refresh_token")


def test_refresh_with_anything_else_is_401(client: FlaskClient, add: Add) -> None:
    add()
    log_in(client)
    access = client.get_cookie("access_token")
    refresh = client.get_cookie("refresh_token")
    assert access is not None
    assert refresh is not None
    for wrong in ("garbage", access.value, refresh.value[:-1], "é"):
        client.set_cookie("refresh_token", wrong)
        problem(client.post("/api/token/refresh/"), 401, "not_signed_in")


def test_an_access_token_lasts_half_an_hour(
    client: FlaskClient, add: Add, later: Callable[[timedelta], None]
) -> None:
    add()
    log_in(client)
    later(timedelta(minutes=29))
    assert client.get("/api/me/").status_code == 200
    later(timedelta(minutes=31))
    problem(client.get("/api/me/"), 401, "not_signed_in")
    assert client.post("/api/token/refresh/").status_code == 200
    later(timedelta(days=40))
    problem(client.post("/api/token/refresh/"), 401, "not_signed_in")


# reset


def test_reset_answers_alike_for_known_unknown_and_nonsense(
    client: FlaskClient, add: Add, outbox: Outbox
) -> None:
    add()
    answers = [
        client.post("/api/password_reset/", json={"email": email})
        for email in ("ada@example.com", "nobody@example.com", "nonsense", "")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert [mail.recipient for mail in outbox] == ["ada@example.com"]


def test_a_disabled_account_gets_no_link(
    client: FlaskClient, add: Add, outbox: Outbox, change: Change
) -> None:
    add()
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    change(User, disabled_at=now())
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    assert len(outbox) == 1
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    problem(client.post(path, json=_new("a new sentence")), 400, "link_invalid")


def _new(password: str, again: str | None = None) -> dict[str, str]:
    return {"new_password": password, "confirm_password": again or password}


def test_a_reset_sets_the_password_once_and_ends_all_other_sessions(
    app: APIFlask, client: FlaskClient, add: Add, outbox: Outbox
) -> None:
    add()
    elsewhere = app.test_client()
    log_in(client)
    log_in(elsewhere)
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    first, second = outbox.parts(0), outbox.parts(1)
    path = "/api/password_confirm/{}/{}/"
    answer = client.post(path.format(*first), json=_new(" a new sentence "))
    assert answer.status_code == 200
    assert answer.get_json() == {"detail": "Your new password is set."}
    problem(elsewhere.get("/api/me/"), 401, "not_signed_in")
    assert client.get("/api/me/").status_code == 200, "the session that asked goes on"
    for used_or_outlived in (first, second):
        answer = client.post(path.format(*used_or_outlived), json=_new("yet another one"))
        problem(answer, 400, "link_invalid")
    assert log_in(elsewhere).status_code == 401
    assert log_in(elsewhere, password="a new sentence").status_code == 401
    assert log_in(elsewhere, password=" a new sentence ").status_code == 200


def test_a_wrong_new_password_leaves_the_link_alive(
    client: FlaskClient, add: Add, outbox: Outbox
) -> None:
    add()
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    for wrong, field in (
        (_new("short12"), "new_password"),
        (_new("password1"), "new_password"),
        (_new("ada@example.com"), "new_password"),
        (_new("a new sentence", "another one"), "confirm_password"),
    ):
        body = problem(client.post(path, json=wrong), 400, "invalid_input")
        assert list(body["errors"]) == [field]
    assert client.post(path, json=_new("a new sentence")).status_code == 200


def test_a_reset_link_expires_and_serves_nothing_else(
    client: FlaskClient, add: Add, outbox: Outbox, later: Callable[[timedelta], None]
) -> None:
    add()
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    uid, token = outbox.parts()
    problem(client.get(f"/api/activate/{uid}/{token}/"), 400, "link_invalid")
    later(timedelta(hours=2, seconds=5))
    answer = client.post(f"/api/password_confirm/{uid}/{token}/", json=_new("a new sentence"))
    problem(answer, 400, "link_expired")


def test_a_reset_proves_the_address(client: FlaskClient, outbox: Outbox) -> None:
    client.post("/api/register/", json=NEW)
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    path = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    assert client.post(path, json=_new("a new sentence")).status_code == 200
    assert log_in(client, password="a new sentence").status_code == 200


# who is asking


def test_nobody_is_401(client: FlaskClient) -> None:
    problem(client.get("/api/me/"), 401, "not_signed_in")
    client.set_cookie("access_token", "garbage")
    problem(client.get("/api/me/"), 401, "not_signed_in")


def test_a_bearer_token_decides_alone(client: FlaskClient, add: Add) -> None:
    add()
    log_in(client)
    answer = client.get("/api/me/", headers={"Authorization": "Bearer nonsense"})
    problem(answer, 401, "not_signed_in")


def test_disabling_ends_sessions_at_once(client: FlaskClient, add: Add, change: Change) -> None:
    add()
    log_in(client)
    change(User, disabled_at=now())
    problem(client.get("/api/me/"), 401, "not_signed_in")
    problem(client.post("/api/token/refresh/"), 401, "not_signed_in")


def test_an_unused_session_ends(client: FlaskClient, add: Add, change: Change) -> None:
    add()
    log_in(client)
    age_sessions(change, timedelta(days=29))
    assert client.get("/api/me/").status_code == 200
    age_sessions(change, timedelta(days=31))
    problem(client.get("/api/me/"), 401, "not_signed_in")


def test_a_session_ends_however_much_it_is_used(
    client: FlaskClient, add: Add, change: Change
) -> None:
    add()
    log_in(client)
    change(Session, expires_at=now() - timedelta(seconds=1))
    problem(client.get("/api/me/"), 401, "not_signed_in")


def test_use_is_noted_every_few_minutes_only(
    client: FlaskClient, add: Add, change: Change, rows: Rows
) -> None:
    add()
    log_in(client)
    recent = now() - timedelta(minutes=4)
    change(Session, seen_at=recent)
    client.get("/api/me/")
    assert rows(Session)[0].seen_at == recent
    age_sessions(change, timedelta(minutes=6))
    assert client.get("/api/me/").status_code == 200
    assert rows(Session)[0].seen_at > now() - timedelta(minutes=1)


def test_where_a_session_comes_from_is_one_line(client: FlaskClient, add: Add, rows: Rows) -> None:
    add()
    client.post(
        "/api/login/",
        json={"email": "ada@example.com", "password": PASSWORD},
        headers={"User-Agent": "Browser\x1b[31m " + "x" * 900},
    )
    (session,) = rows(Session)
    assert session.agent.startswith("Browser ")
    assert session.agent.isprintable()
    assert len(session.agent) == 200
    assert session.address == "127.0.0.1"
    assert session.kind == "api"


def test_a_login_from_another_site_is_refused(client: FlaskClient, add: Add) -> None:
    add()
    answer = client.post(
        "/api/login/",
        json={"email": "ada@example.com", "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
    )
    problem(answer, 403, "cross_origin")


def test_the_description_has_every_call(client: FlaskClient) -> None:
    spec = client.get("/api/openapi.json").get_json()
    body = spec["paths"]["/api/register/"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["$ref"].endswith("RegisterIn")
    assert "201" in spec["paths"]["/api/register/"]["post"]["responses"]
    assert "Identity" not in str(spec)
