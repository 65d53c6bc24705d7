"""One's own account over the JSON API: name, password, address, data, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.models import ApiToken, Session, User
from app.database import db
from app.storage import storage
from app.videos.models import Video
from app.videos.viewing_models import Viewing
from tests.films import made_film, multipart

from .conftest import PASSWORD, Add, Outbox, Submit, csrf_token, log_in, log_in_page
from .test_api import problem

Rows = Callable[[type], list[Any]]
NEW = "a new sentence"


@pytest.fixture
def ada(client: FlaskClient, add: Add) -> FlaskClient:
    """Ada, signed in."""
    add()
    log_in(client)
    return client


# profile


def test_the_name_that_others_see_can_be_changed(ada: FlaskClient) -> None:
    changed = ada.patch("/api/me/", json={"username": "  Ada\t Lovelace ", "role": "admin"})
    assert changed.status_code == 200
    assert changed.json["username"] == "Ada Lovelace"
    assert changed.json["initials"] == "AL"
    assert changed.json["role"] == "member"
    assert ada.get("/api/me/").json == changed.json
    assert ada.patch("/api/me/", json={}).json == changed.json


@pytest.mark.parametrize(
    ("name", "initials"),
    [("ada.lovelace", "AL"), ("Ada", "A"), ("x y z", "XZ"), ("...", "?"), ("Élodie", "É")],
)
def test_initials_stand_for_a_person(name: str, initials: str) -> None:
    assert User(username=name).initials == initials


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\0b", "a\u202eb", 5, None, ["x"]])
def test_a_wrong_name_is_refused(ada: FlaskClient, name: Any) -> None:
    answer = ada.patch("/api/me/", json={"username": name})
    if name is None:
        assert answer.status_code == 200, "null changes nothing"
        assert answer.json["username"] == "ada"
        return
    assert list(problem(answer, 400, "invalid_input")["errors"]) == ["username"]
    assert ada.get("/api/me/").json["username"] == "ada"


# password


def test_a_new_password_ends_all_other_sessions_and_is_told(
    app: APIFlask, ada: FlaskClient, outbox: Outbox
) -> None:
    elsewhere = app.test_client()
    log_in_page(elsewhere)
    body = {"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW}
    assert ada.post("/api/me/password/", json=body).status_code == 200
    assert elsewhere.get("/api/me/").status_code == 401
    assert ada.get("/api/me/").status_code == 200, "this one goes on"
    assert log_in(app.test_client()).status_code == 401
    assert log_in(app.test_client(), password=NEW).status_code == 200
    assert outbox[-1].subject == "Your Videoflix password has changed"
    assert NEW not in outbox[-1].text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"current_password": "wrong one"}, "current_password"),
        ({"new_password": "short12", "confirm_password": "short12"}, "new_password"),
        ({"confirm_password": "another one"}, "confirm_password"),
    ],
)
def test_a_wrong_password_change_changes_nothing(
    app: APIFlask, ada: FlaskClient, outbox: Outbox, change: dict[str, str], field: str
) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW, "confirm_password": NEW} | change
    answer = problem(ada.post("/api/me/password/", json=body), 400, "invalid_input")
    assert list(answer["errors"]) == [field]
    assert log_in(app.test_client()).status_code == 200
    assert list(outbox) == []


def test_a_password_change_kills_mailed_links(
    app: APIFlask, ada: FlaskClient, outbox: Outbox
) -> None:
    ada.post("/api/password_reset/", json={"email": "ada@example.com"})
    reset = "/api/password_confirm/{}/{}/".format(*outbox.parts())
    ada.post("/api/me/password/", json={"current_password": PASSWORD, "new_password": NEW})
    body = {"new_password": "third sentence", "confirm_password": "third sentence"}
    problem(ada.post(reset, json=body), 400, "link_invalid")


# address


def ask_for(browser: FlaskClient, email: str, password: str = PASSWORD) -> Any:
    body = {"current_password": password, "email": email}
    return browser.post("/api/me/email/", json=body)


def test_a_new_address_counts_once_its_link_is_used(
    app: APIFlask, ada: FlaskClient, outbox: Outbox
) -> None:
    answer = ask_for(ada, " Ada@Example.ORG ")
    assert answer.status_code == 200
    assert [(mail.recipient, mail.subject) for mail in outbox] == [
        ("ada@example.org", "Confirm your new address for Videoflix"),
        ("ada@example.com", "Your Videoflix address is about to change"),
    ]
    assert "ada@example.org" in outbox[1].text
    assert ada.get("/api/me/").json["email"] == "ada@example.com"
    assert ada.get("/api/me/").json["pending_email"] == "ada@example.org"
    assert log_in(app.test_client(), "ada@example.org").status_code == 401

    path = "/api/activate/{}/{}/".format(*outbox.parts(0))
    assert ada.head(path).status_code == 200
    assert ada.get("/api/me/").json["email"] == "ada@example.com", "HEAD must not act"
    assert "new address" in app.test_client().get(path).json["message"]
    profile = ada.get("/api/me/").json
    assert (profile["email"], profile["pending_email"]) == ("ada@example.org", None)
    assert outbox[-1].recipient == "ada@example.com"
    assert outbox[-1].subject == "Your Videoflix address has changed"
    assert log_in(app.test_client(), "ada@example.com").status_code == 401
    assert log_in(app.test_client(), "ada@example.org").status_code == 200
    problem(ada.get(path), 400, "link_invalid")


def test_the_page_of_the_link_waits_for_its_button(
    ada: FlaskClient, outbox: Outbox, submit: Submit
) -> None:
    ask_for(ada, "new@example.org")
    path = "/verify/{}/{}".format(*outbox.parts(0))
    page = ada.get(path)
    assert "new@example.org" in page.text
    assert ada.get("/api/me/").json["email"] == "ada@example.com"
    assert "Your new address counts" in submit(path).text
    assert ada.get("/api/me/").json["email"] == "new@example.org"


@pytest.mark.parametrize("what", ["another request", "a new password", "dropping it", "a taker"])
def test_a_link_to_a_new_address_dies_with(
    app: APIFlask, ada: FlaskClient, add: Add, outbox: Outbox, submit: Submit, what: str
) -> None:
    ask_for(ada, "new@example.org")
    path = "/api/activate/{}/{}/".format(*outbox.parts(0))
    if what == "another request":
        ask_for(ada, "newer@example.org")
    elif what == "a new password":
        ada.post("/api/me/password/", json={"current_password": PASSWORD, "new_password": NEW})
    elif what == "dropping it":
        assert submit_button(ada, "/account/email/forget").status_code == 303
    else:
        add("new@example.org")
    problem(ada.get(path), 400, "link_invalid")
    assert ada.get("/api/me/").json["email"] == "ada@example.com"


def submit_button(browser: FlaskClient, path: str) -> Any:
    return browser.post(path, data={"csrf_token": csrf_token(browser, "/account")})


def test_a_taken_address_is_not_told_apart(
    ada: FlaskClient, add: Add, outbox: Outbox, rows: Rows
) -> None:
    add("bob@example.com")
    taken, free = ask_for(ada, "bob@example.com"), ask_for(ada, "eve@example.com")
    assert taken.status_code == free.status_code == 200
    assert taken.text.replace("bob", "eve") == free.text
    assert outbox[0].recipient == "bob@example.com"
    assert "/verify/" not in outbox[0].text


@pytest.mark.parametrize("email", ["nonsense", "ada@example.com", "a@b.org\nBcc: x@y.org", "", 5])
def test_a_wrong_address_changes_nothing(ada: FlaskClient, outbox: Outbox, email: Any) -> None:
    body = problem(ask_for(ada, email), 400, "invalid_input")
    assert list(body["errors"]) == ["email"]
    assert list(outbox) == []
    assert ada.get("/api/me/").json["pending_email"] is None


def test_a_new_address_wants_the_password(ada: FlaskClient, outbox: Outbox) -> None:
    body = problem(ask_for(ada, "new@example.org", "wrong one"), 400, "invalid_input")
    assert list(body["errors"]) == ["current_password"]
    assert list(outbox) == []


def test_a_name_does_not_reach_strangers_by_mail(ada: FlaskClient, outbox: Outbox) -> None:
    ada.patch("/api/me/", json={"username": "Win at https://evil.example now"})
    ask_for(ada, "victim@example.org")
    assert "evil.example" not in outbox[0].text + outbox[0].html


# data and deletion


def test_the_export_holds_everything_and_no_secret(
    app: APIFlask, ada: FlaskClient, rows: Rows
) -> None:
    secret = ada.post("/api/me/tokens/", json={"name": "Lamp", "scope": "read"}).json["token"]
    film = made_film(1).read_bytes()
    made = ada.post("/api/local-videos/", **multipart(film, title="My cat")).json["id"]
    ada.put(f"/api/my-list/{made}/")
    with app.app_context():
        db.session.add(Viewing(user_id=rows(User)[0].id, video_id=made, position=12.5))
        db.session.commit()
    answer = ada.get("/api/me/export/")
    assert "attachment" in answer.headers["Content-Disposition"]
    data = answer.json
    kinds = {"profile", "sessions", "api_tokens", "videos", "uploads", "viewings", "my_list"}
    assert set(data) == kinds
    assert [(seen["title"], seen["position"]) for seen in data["viewings"]] == [("My cat", 12.5)]
    assert [saved["video_id"] for saved in data["my_list"]] == [made]
    assert data["profile"]["email"] == "ada@example.com"
    assert [film["title"] for film in data["videos"]] == ["My cat"]
    assert [token["name"] for token in data["api_tokens"]] == ["Lamp"]
    assert len(data["sessions"]) == 1
    for hidden in (secret, rows(User)[0].password_hash, rows(Session)[0].secret_hash):
        assert hidden not in answer.text


def test_deleting_the_account_leaves_nothing(
    app: APIFlask, ada: FlaskClient, add: Add, outbox: Outbox, rows: Rows
) -> None:
    add("bob@example.com")
    bob = app.test_client()
    log_in(bob, "bob@example.com")
    film = made_film(1).read_bytes()
    bob.post("/api/local-videos/", **multipart(film))
    for _ in range(2):
        ada.post("/api/local-videos/", **multipart(film))
    ada.post("/api/me/tokens/", json={"name": "Lamp"})
    ask_for(ada, "new@example.org")
    problem(ada.delete("/api/me/", json={"password": "wrong one"}), 400, "invalid_input")
    assert len(rows(Video)) == 3

    assert ada.delete("/api/me/", json={"password": PASSWORD}).status_code == 204
    assert ada.get_cookie("access_token") is None
    assert [user.email for user in rows(User)] == ["bob@example.com"]
    assert [session.user_id for session in rows(Session)] == [rows(User)[0].id]
    assert rows(ApiToken) == []
    with app.app_context():
        (left,) = rows(Video)
        assert set(storage().films()) == {left.film}
    assert [(mail.recipient, mail.subject) for mail in outbox if "ada" in mail.recipient] == [
        ("ada@example.com", "Your Videoflix account is deleted")
    ]
    assert log_in(app.test_client()).status_code == 401
