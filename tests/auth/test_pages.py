"""The pages, as a browser without scripts uses them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.forms import LoginForm
from app.auth.models import Session, User
from app.database import now

from .conftest import (
    PASSWORD,
    Add,
    Change,
    Outbox,
    Submit,
    age_sessions,
    csrf_token,
    log_in,
    log_in_page,
)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Rows = Callable[[type], list[Any]]


def test_from_register_to_account(client: FlaskClient, submit: Submit, outbox: Outbox) -> None:
    page = submit(
        "/register", email="ada@example.com", password=PASSWORD, confirmed_password=PASSWORD
    )
    assert page.status_code == 200
    assert "ada@example.com" in page.text
    path = "/verify/{}/{}".format(*outbox.parts())
    assert f"http://localhost{path}" in outbox[-1].text
    assert submit(path).status_code == 200
    answer = submit("/login", email="ada@example.com", password=PASSWORD)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/browse")
    account = client.get("/account")
    assert account.status_code == 200
    assert "ada@example.com" in account.text
    assert "no-store" in account.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/register", {"email": "email", "password": "new-password"}),
        ("/login", {"email": "username", "password": "current-password"}),
        ("/forgot-password", {"email": "username"}),
    ],
)
def test_fields_say_what_they_are_for(
    client: FlaskClient, path: str, names: dict[str, str]
) -> None:
    page = client.get(path)
    assert page.status_code == 200
    for name, purpose in names.items():
        tag = next(t for t in page.text.split("<") if f'name="{name}"' in t)
        assert f'autocomplete="{purpose}"' in tag
        if name == "email":
            assert 'inputmode="email"' in tag
        else:
            assert 'type="password"' in tag


@pytest.mark.parametrize("path", ["/register", "/login", "/forgot-password"])
def test_a_form_without_its_token_does_nothing(
    client: FlaskClient, add: Add, path: str, outbox: Outbox, rows: Rows
) -> None:
    add()
    client.get(path)
    for token in ({}, {"csrf_token": "garbage"}):
        fields = {"email": "ada@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}
        page = client.post(path, data=fields | token)
        assert page.status_code == 400
        assert "This page was open for too long" in page.text
    assert rows(Session) == []
    assert list(outbox) == []


def test_a_token_of_another_browser_does_nothing(app: APIFlask, client: FlaskClient) -> None:
    stolen = csrf_token(app.test_client(), "/forgot-password")
    client.get("/forgot-password")
    page = client.post("/forgot-password", data={"email": "a@example.com", "csrf_token": stolen})
    assert page.status_code == 400


def test_json_is_no_form(app: APIFlask) -> None:
    for body in ([], ["x"], {"email": "x"}, "x"):
        with app.test_request_context("/login", method="POST", json=body):
            form = LoginForm()
            assert not form.validate_on_submit()
            assert not form.email.data


def test_json_at_a_page_is_no_form(client: FlaskClient) -> None:
    for body in ([], ["x"], {"email": "x"}, "x"):
        assert client.post("/login", json=body).status_code == 400


def test_wrong_input_comes_back_with_sentences(submit: Submit, rows: Rows) -> None:
    page = submit("/register", email="nonsense", password="short12", confirmed_password="x")
    assert page.status_code == 400
    assert "This is not an e-mail address." in page.text
    assert "Use at least 8 characters." in page.text
    assert 'value="nonsense"' in page.text
    assert "short12" not in page.text
    page = submit("/register", email="a@example.com", password=PASSWORD, confirmed_password="other")
    assert "The two passwords differ." in page.text
    page = submit("/register")
    for sentence in ("Enter your e-mail address.", "Choose a password.", "Repeat your password."):
        assert sentence in page.text
    assert rows(User) == []


def test_markup_in_a_field_is_inert(submit: Submit) -> None:
    page = submit("/login", email='"><script>alert(1)</script>', password="x")
    assert "<script>alert" not in page.text


def test_register_looks_the_same_for_a_known_address(submit: Submit, add: Add) -> None:
    add("ada@example.com")
    pages = [
        submit("/register", email=email, password=PASSWORD, confirmed_password=PASSWORD).text
        for email in ("ada@example.com", "bob@example.com")
    ]
    assert pages[0].replace("ada@", "bob@") == pages[1]


# verify


def test_an_opened_link_changes_nothing_until_its_button_is_pressed(
    client: FlaskClient, add: Add, outbox: Outbox, submit: Submit, rows: Rows
) -> None:
    add(verified=False)
    path = "/verify/{}/{}".format(*outbox.parts())
    for _ in range(3):
        assert client.get(path).status_code == 200
    client.head(path)
    assert client.post(path).status_code == 400, "without its token"
    assert rows(User)[0].verified_at is None
    assert submit(path).status_code == 200
    assert rows(User)[0].verified_at is not None
    page = client.get(path)
    assert page.status_code == 400
    assert "used already" in page.text


def test_a_damaged_or_old_link_says_so(
    client: FlaskClient, add: Add, outbox: Outbox, later: Callable[[timedelta], None]
) -> None:
    add(verified=False)
    uid, token = outbox.parts()
    for path in (f"/verify/{uid}/{token}x", f"/verify/x/{token}", f"/reset-password/{uid}/{token}"):
        assert client.get(path).status_code == 400
    later(timedelta(hours=73))
    page = client.get(f"/verify/{uid}/{token}")
    assert page.status_code == 400
    assert "This link is too old." in page.text


# login, next, logout


def test_wrong_credentials_say_one_thing(submit: Submit, add: Add) -> None:
    add("ada@example.com")
    add("new@example.com", verified=False)
    texts = set()
    for email, password in (
        ("ada@example.com", "a wrong guess"),
        ("nobody@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
        ("nonsense", PASSWORD),
    ):
        page = submit("/login", email=email, password=password)
        assert page.status_code == 400
        assert "do not match" in page.text
        texts.add(_without_tokens(page.text).replace(email, "…"))
    assert len(texts) == 1


def _without_tokens(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "csrf_token" not in line)


@pytest.mark.parametrize("target", ["/account", "/search?q=a%20b", "/videos/3"])
def test_login_goes_back_to_our_own_page(client: FlaskClient, add: Add, target: str) -> None:
    add()
    token = csrf_token(client, "/login")
    answer = client.post(
        "/login",
        query_string={"next": target},
        data={"email": "ada@example.com", "password": PASSWORD, "csrf_token": token},
    )
    assert answer.headers["Location"] == target


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil", "/\t/evil", "https:evil", "\\\\evil", "javascript:alert(1)"],
)
def test_login_goes_nowhere_else(client: FlaskClient, add: Add, target: str) -> None:
    add()
    assert "evil" not in client.get("/login", query_string={"next": target}).text
    token = csrf_token(client, "/login")
    for where in ({"query_string": {"next": target}}, {}):
        fields = {"email": "ada@example.com", "password": PASSWORD, "csrf_token": token}
        answer = client.post("/login", data=fields if where else fields | {"next": target}, **where)
        assert answer.headers["Location"] == "/browse"
        token = csrf_token(client, "/forgot-password")
    answer = client.get("/login", query_string={"next": target})
    assert answer.headers["Location"] == "/browse"


def test_a_page_for_members_sends_to_sign_in_and_back(client: FlaskClient) -> None:
    answer = client.get("/account?tab=1")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/account?tab%3D1"


def test_login_makes_a_new_session_and_keeps_nothing_of_the_old(
    app: APIFlask, client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    csrf_token(client, "/login")
    before = client.get_cookie("videoflix_session")
    log_in_page(client)
    after = client.get_cookie("videoflix_session")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    fixated = app.test_client()
    fixated.set_cookie("videoflix_session", before.value)
    assert fixated.get("/account").status_code == 302
    (session,) = rows(Session)
    assert session.kind == "page"
    assert session.secret_hash not in after.value


def test_a_page_login_ends_the_api_session_of_the_browser(
    client: FlaskClient, add: Add, rows: Rows
) -> None:
    add()
    token = csrf_token(client, "/login")
    log_in(client)
    assert client.get_cookie("access_token") is not None
    assert client.post("/login", data={"email": "x", "csrf_token": token}).status_code == 400
    assert client.get("/login").status_code == 302, "signed in already"
    log_in_fields = {"email": "ada@example.com", "password": PASSWORD}
    client.post(
        "/login", data=log_in_fields | {"csrf_token": csrf_token(client, "/forgot-password")}
    )
    assert client.get_cookie("access_token") is None
    assert [bool(session.ended_at) for session in rows(Session)] == [True, False]


def test_logout_ends_the_session_for_a_copied_cookie_too(
    app: APIFlask, client: FlaskClient, add: Add, submit: Submit
) -> None:
    add()
    log_in_page(client)
    cookie = client.get_cookie("videoflix_session")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("videoflix_session", cookie.value)
    assert thief.get("/account").status_code == 200
    token = csrf_token(client, "/account")
    answer = client.post("/logout", data={"csrf_token": token})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert client.get("/account").status_code == 302
    assert thief.get("/account").status_code == 302
    assert client.get_cookie("videoflix_session") is None


def test_logout_wants_its_token_and_a_post(client: FlaskClient, add: Add) -> None:
    add()
    log_in_page(client)
    assert client.post("/logout").status_code == 400
    assert client.get("/logout").status_code == 405
    assert client.get("/account").status_code == 200


def test_another_site_can_neither_sign_in_nor_out(client: FlaskClient, add: Add) -> None:
    add()
    log_in_page(client)
    token = csrf_token(client, "/account")
    for path in ("/login", "/logout", "/register", "/forgot-password"):
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = client.post(path, data={"csrf_token": token}, headers=headers)
            assert answer.status_code == 403
    assert client.get("/account").status_code == 200


def test_the_cookie_stays_for_thirty_days_and_is_renewed_with_use(
    client: FlaskClient, add: Add, change: Change, rows: Rows
) -> None:
    add()
    answer = log_in_page(client)
    line = next(x for x in answer.headers.getlist("Set-Cookie") if "videoflix_session" in x)
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Expires="):
        assert part in line
    client.get("/account")
    assert "Set-Cookie" not in client.get("/account").headers
    age_sessions(change, timedelta(days=3))
    assert "Set-Cookie" in client.get("/account").headers
    assert rows(Session)[0].seen_at > now() - timedelta(minutes=1)


def test_the_api_knows_a_page_session(client: FlaskClient, add: Add) -> None:
    add()
    log_in_page(client)
    assert client.get("/api/me/").get_json()["email"] == "ada@example.com"
    assert client.post("/api/logout/").status_code == 200
    assert client.get("/account").status_code == 302


# reset


def test_a_forgotten_password_is_replaced(
    app: APIFlask, client: FlaskClient, add: Add, submit: Submit, outbox: Outbox
) -> None:
    add()
    elsewhere = app.test_client()
    log_in_page(elsewhere)
    page = submit("/forgot-password", email="ada@example.com")
    assert page.status_code == 200
    path = "/reset-password/{}/{}".format(*outbox.parts())
    page = submit(path, new_password="short12", confirm_password="short12")
    assert page.status_code == 400
    assert "Use at least 8 characters." in page.text
    answer = submit(path, new_password="a new sentence", confirm_password="a new sentence")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "Your new password is set." in client.get("/login").text
    assert elsewhere.get("/account").status_code == 302
    assert client.get(path).status_code == 400
    assert log_in_page(client).status_code == 400
    assert log_in_page(client, password="a new sentence").status_code == 303


def test_forgot_password_looks_the_same_for_anyone(
    submit: Submit, add: Add, outbox: Outbox
) -> None:
    add("ada@example.com")
    pages = [submit("/forgot-password", email=f"{x}@example.com").text for x in ("ada", "bob")]
    assert pages[0].replace("ada@", "bob@") == pages[1]
    assert len(outbox) == 1
    assert submit("/forgot-password", email="nonsense").status_code == 400
