"""`flask users …`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient, FlaskCliRunner

from app.auth.models import User

from .conftest import PASSWORD, Add, Outbox, log_in

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Rows = Callable[[type], list[Any]]


def test_create_an_admin(
    runner: FlaskCliRunner, client: FlaskClient, rows: Rows, outbox: Outbox
) -> None:
    result = runner.invoke(
        args=["users", "create", "Ada@Example.com", "--admin", "--verified", "--password-stdin"],
        input=f"{PASSWORD}\n",
    )
    assert result.exit_code == 0, result.output
    assert result.output == "Created ada@example.com (admin).\n"
    (user,) = rows(User)
    assert user.is_admin
    assert user.is_curator
    assert list(outbox) == []
    assert log_in(client).status_code == 200


def test_an_account_that_is_not_verified_gets_its_mail(
    runner: FlaskCliRunner, client: FlaskClient, outbox: Outbox
) -> None:
    result = runner.invoke(
        args=["users", "create", "ada@example.com", "--password-stdin", "--json"],
        input=f"{PASSWORD}\n",
    )
    facts = json.loads(result.output)
    assert (facts["email"], facts["role"], facts["state"]) == (
        "ada@example.com",
        "member",
        "unverified",
    )
    assert client.get("/api/activate/{}/{}/".format(*outbox.parts())).status_code == 200


def test_the_password_is_asked_for_twice(runner: FlaskCliRunner, client: FlaskClient) -> None:
    result = runner.invoke(
        args=["users", "create", "ada@example.com", "--verified"], input=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert log_in(client).status_code == 200


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("nonsense", PASSWORD, "This is not an e-mail address."),
        ("new@example.com", "short12", "Use at least 8 characters."),
        ("ada@example.com", PASSWORD, "ada@example.com has an account already."),
    ],
)
def test_what_cannot_be_created_says_why(
    runner: FlaskCliRunner, add: Add, rows: Rows, email: str, password: str, sentence: str
) -> None:
    add("ada@example.com")
    result = runner.invoke(
        args=["users", "create", email, "--password-stdin"], input=f"{password}\n"
    )
    assert result.exit_code == 1
    assert sentence in result.output
    assert len(rows(User)) == 1


def test_list(runner: FlaskCliRunner, add: Add) -> None:
    add("ada@example.com")
    add("bob@example.com", verified=False)
    table = runner.invoke(args=["users", "list"]).output.splitlines()
    assert table[0].split() == ["id", "email", "username", "role", "state", "created_at"]
    assert [line.split()[1] for line in table[1:]] == ["bob@example.com", "ada@example.com"]
    found = json.loads(runner.invoke(args=["users", "list", "--json"]).output)
    assert [(row["email"], row["state"]) for row in found] == [
        ("bob@example.com", "unverified"),
        ("ada@example.com", "active"),
    ]
    assert all(row["created_at"].endswith("Z") for row in found)


@pytest.mark.parametrize("command", [["users"], ["users", "create"], ["users", "list"]])
def test_help(runner: FlaskCliRunner, command: list[str]) -> None:
    assert runner.invoke(args=[*command, "--help"]).exit_code == 0
