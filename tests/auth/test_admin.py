"""Administrators and operators: find, promote, disable, resend, delete; and the hourly tidying."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import update

from app.auth import admin
from app.auth.models import Role, Session, User
from app.auth.tidying import tidy
from app.database import db, now
from app.storage import storage
from app.videos.models import Video
from tests.films import made_film, multipart

from .conftest import PASSWORD, Add, Change, Outbox, age_sessions, csrf_token, log_in, log_in_page

Rows = Callable[[type], list[Any]]


@pytest.fixture
def boss(client: FlaskClient, add: Add) -> FlaskClient:
    """An administrator, signed in to the pages."""
    add("boss@example.com", role=Role.ADMIN)
    log_in_page(client, "boss@example.com")
    return client


def press(boss: FlaskClient, user_id: int, what: str, **fields: str) -> Any:
    fields["csrf_token"] = csrf_token(boss, "/admin/users")
    return boss.post(f"/admin/users/{user_id}/{what}?q=ex", data=fields)


def role_and_state(rows: Rows, email: str) -> tuple[str, str]:
    (user,) = [user for user in rows(User) if user.email == email]
    return user.role, admin.state_of(user)


# pages


def test_people_are_found_by_address_name_and_state(
    app: APIFlask, boss: FlaskClient, add: Add
) -> None:
    add("ada@example.com")
    add("bob_1@example.com", verified=False)
    add("bobx1@example.org")
    with app.app_context():
        db.session.execute(
            update(User).where(User.email == "ada@example.com").values(username="Countess Ä%")
        )
        db.session.commit()

    def shown(query: str) -> set[str]:
        page = boss.get(f"/admin/users?{query}").text
        return {name for name in ("ada@", "bob_1@", "bobx1@", "boss@") if name in page}

    assert shown("") == {"ada@", "bob_1@", "bobx1@", "boss@"}
    assert shown("q=BOB_1") - {"boss@"} == {"bob_1@"}, "an underscore is an underscore"
    assert shown("q=countess") - {"boss@"} == {"ada@"}
    assert shown("q=%25") - {"boss@"} == {"ada@"}
    assert shown("state=unverified") - {"boss@"} == {"bob_1@"}
    assert shown("state=nonsense") == {"ada@", "bob_1@", "bobx1@", "boss@"}
    assert "Nobody found" in boss.get("/admin/users?q=zzz").text


def test_a_long_list_goes_on(boss: FlaskClient, app: APIFlask) -> None:
    with app.app_context():
        people = [
            User(email=f"p{n}@example.com", username=f"p{n}", password_hash="x") for n in range(60)
        ]
        db.session.add_all(people)
        db.session.commit()
    page = boss.get("/admin/users").text
    assert "p59@" in page
    assert "p5@" not in page
    before = page.split("before=")[-1].split('"')[0]
    assert "p5@" in boss.get(f"/admin/users?before={before}").text


def test_disabling_ends_sessions_and_enabling_opens_again(
    app: APIFlask, boss: FlaskClient, add: Add, rows: Rows
) -> None:
    ada_id = add()
    ada = app.test_client()
    log_in(ada)
    answer = press(boss, ada_id, "disable")
    assert (answer.status_code, answer.location) == (303, "/admin/users?q=ex")
    assert "cannot sign in" in boss.get("/admin/users").text
    assert ada.get("/api/me/").status_code == 401
    assert log_in(ada).status_code == 401
    press(boss, ada_id, "enable")
    assert ada.get("/api/me/").status_code == 401, "old sessions stay ended"
    assert log_in(ada).status_code == 200


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_given_and_taken(boss: FlaskClient, add: Add, rows: Rows, role: Role) -> None:
    ada_id = add(role=Role.CURATOR)
    press(boss, ada_id, "role", role=role)
    assert role_and_state(rows, "ada@example.com")[0] == role
    assert press(boss, ada_id, "role", role="god").status_code == 400
    assert role_and_state(rows, "ada@example.com")[0] == role


def test_a_link_is_sent_again_to_who_needs_it(
    boss: FlaskClient, add: Add, outbox: Outbox, rows: Rows
) -> None:
    ada_id = add(verified=False)
    press(boss, ada_id, "resend")
    assert len(outbox) == 2
    assert boss.get("/api/activate/{}/{}/".format(*outbox.parts())).status_code == 200
    press(boss, ada_id, "resend")
    assert len(outbox) == 2
    assert "confirmed already" in boss.get("/admin/users").text


def test_a_deleted_account_takes_its_films_along(
    app: APIFlask, boss: FlaskClient, add: Add, rows: Rows
) -> None:
    ada_id = add()
    ada = app.test_client()
    log_in(ada)
    ada.post("/api/local-videos/", **multipart(made_film(1).read_bytes()))
    assert press(boss, ada_id, "delete").status_code == 303
    assert [user.email for user in rows(User)] == ["boss@example.com"]
    assert rows(Video) == []
    with app.app_context():
        assert list(storage().films()) == []


def test_nobody_acts_on_themselves_there(boss: FlaskClient, add: Add, rows: Rows) -> None:
    add("second@example.com", role=Role.ADMIN)
    (me,) = [user.id for user in rows(User) if user.email == "boss@example.com"]
    for what in ("disable", "delete", "role"):
        press(boss, me, what, role="member")
        assert role_and_state(rows, "boss@example.com") == ("admin", "active")
    assert "own account" in boss.get("/admin/users").text
    assert boss.post(f"/admin/users/{me}/disable").status_code == 400, "without the form's token"


# the last administrator


@pytest.mark.parametrize("command", ["disable", "delete", "promote"])
def test_the_last_administrator_stays(
    runner: FlaskCliRunner, add: Add, rows: Rows, command: str
) -> None:
    add("boss@example.com", role=Role.ADMIN)
    add("shut@example.com", role=Role.ADMIN)
    assert runner.invoke(args=["users", "disable", "shut@example.com"]).exit_code == 0
    words = ["users", command, "boss@example.com"]
    words += ["--role", "member"] if command == "promote" else []
    result = runner.invoke(args=words)
    assert result.exit_code == 1
    assert "last administrator" in result.output
    assert role_and_state(rows, "boss@example.com") == ("admin", "active")


def test_the_last_administrator_does_not_leave_either(
    app: APIFlask, client: FlaskClient, add: Add
) -> None:
    add(role=Role.ADMIN)
    log_in(client)
    answer = client.delete("/api/me/", json={"password": PASSWORD})
    assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    add("second@example.com", role=Role.ADMIN)
    assert client.delete("/api/me/", json={"password": PASSWORD}).status_code == 204


# commands


@pytest.mark.parametrize(
    ("words", "said", "facts"),
    [
        (["promote", "ADA@example.com"], "is admin now", {"role": "admin"}),
        (["promote", "ada@example.com", "--role", "curator"], "curator", {"role": "curator"}),
        (["disable", "ada@example.com"], "Disabled", {"state": "disabled"}),
        (["enable", "ada@example.com"], "Enabled", {"state": "active"}),
        (["delete", "ada@example.com"], "Deleted", {"state": "deleted"}),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_commands_say_what_they_did(
    runner: FlaskCliRunner, add: Add, words: list[str], said: str, facts: Any, as_json: bool
) -> None:
    add("boss@example.com", role=Role.ADMIN)
    add()
    result = runner.invoke(args=["users", *words, *(["--json"] if as_json else [])])
    assert result.exit_code == 0, result.output
    if as_json:
        assert facts.items() <= json.loads(result.output).items()
    else:
        assert said in result.output


def test_resend_from_the_command_line(runner: FlaskCliRunner, add: Add, outbox: Outbox) -> None:
    add(verified=False)
    result = runner.invoke(args=["users", "resend", "ada@example.com", "--json"])
    assert json.loads(result.output)["state"] == "unverified"
    assert len(outbox) == 2
    runner.invoke(args=["users", "disable", "ada@example.com"])
    assert runner.invoke(args=["users", "resend", "ada@example.com"]).exit_code == 1


@pytest.mark.parametrize("command", ["promote", "disable", "enable", "resend", "delete"])
@pytest.mark.parametrize("email", ["nobody@example.com", "nonsense"])
def test_commands_name_who_is_not_there(runner: FlaskCliRunner, command: str, email: str) -> None:
    result = runner.invoke(args=["users", command, email])
    assert result.exit_code == 1
    assert f"There is no account {email}" in result.output
    assert runner.invoke(args=["users", command, "--help"]).exit_code == 0


def test_list_finds(runner: FlaskCliRunner, add: Add) -> None:
    add()
    add("bob@example.com", verified=False)
    found = runner.invoke(args=["users", "list", "--search", "BOB", "--json"]).output
    assert [row["email"] for row in json.loads(found)] == ["bob@example.com"]
    found = runner.invoke(args=["users", "list", "--state", "active", "--json"]).output
    assert [row["email"] for row in json.loads(found)] == ["ada@example.com"]


def test_films_have_confirmed_owners(runner: FlaskCliRunner, add: Add) -> None:
    add(verified=False)
    film = str(made_film(1))
    result = runner.invoke(args=["videos", "import", film, "--owner", "ada@example.com"])
    assert result.exit_code == 1
    assert "not confirmed" in result.output


# tidying


def test_accounts_never_confirmed_go_after_a_week_and_no_other(
    runner: FlaskCliRunner, client: FlaskClient, add: Add, rows: Rows, change: Change
) -> None:
    add("real@example.com")
    add("old@example.com", verified=False)
    change(User, created_at=now() - timedelta(days=7, minutes=1))
    add("fresh@example.com", verified=False)
    result = runner.invoke(args=["users", "tidy", "--json"])
    assert json.loads(result.output) == {"accounts": 1, "sessions": 0}
    assert [user.email for user in rows(User)] == ["real@example.com", "fresh@example.com"]
    assert "Removed 0 accounts" in runner.invoke(args=["users", "tidy"]).output


def test_registering_again_begins_the_week_anew(
    app: APIFlask, client: FlaskClient, add: Add, rows: Rows, change: Change
) -> None:
    add(verified=False)
    change(User, created_at=now() - timedelta(days=8))
    body = {"email": "ada@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}
    client.post("/api/register/", json=body)
    with app.app_context():
        assert tidy()["accounts"] == 0


def test_an_account_confirmed_at_that_moment_stays(
    app: APIFlask, add: Add, outbox: Outbox, rows: Rows, change: Change
) -> None:
    """Confirming and tidying at once, again and again: who got “confirmed” has an account."""
    for number in range(8):
        add(f"a{number}@example.com", verified=False)
        path = "/api/activate/{}/{}/".format(*outbox.parts())
        change(User, created_at=now() - timedelta(days=8))
        start = threading.Barrier(2)
        answers: list[int] = []

        def confirm(path: str = path, start: Any = start, answers: list[int] = answers) -> None:
            start.wait()
            answers.append(app.test_client().get(path).status_code)

        def sweep(start: Any = start) -> None:
            start.wait()
            with app.app_context():
                tidy()
                db.session.commit()
                db.session.remove()

        threads = [threading.Thread(target=act) for act in (confirm, sweep)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = [user for user in rows(User) if user.email == f"a{number}@example.com"]
        assert answers == ([200] if kept else [400])
        assert all(user.is_verified for user in kept)


def test_sessions_long_ended_are_forgotten(
    app: APIFlask, client: FlaskClient, add: Add, rows: Rows, change: Change
) -> None:
    add()
    log_in(client)
    log_in(client)  # ends the first
    with app.app_context():
        assert tidy()["sessions"] == 0
        db.session.rollback()
    change(Session, ended_at=now() - timedelta(days=31))
    log_in(client)
    with app.app_context():
        assert tidy()["sessions"] == 2
        db.session.commit()
    (left,) = rows(Session)
    assert left.ended_at is None
    age_sessions(change, timedelta(days=61))
    with app.app_context():
        assert tidy()["sessions"] == 1
