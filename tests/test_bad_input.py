"""Bodies that no client should send, to every call of the API that takes JSON.

The calls and their fields come from the API's own description, so that a new one is asked too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.database import Base, db
from tests.conftest import make_user
from tests.test_roles import as_actor, restore

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATHS = {"{uid}": "MQ", "{token}": "t", "{video_id}": "1", "{session_id}": "1", "{token_id}": "1"}

DEEP = 100
"""Levels of nesting; the last body of `MALFORMED` has many more."""

MALFORMED = ["", "{", "{'a': 1}", "nul", b"\xff\xfe{", '{"a":' * 50_000]
NO_OBJECTS = ["[]", '"x"', "5", "null", "true", "[{}]"]
WRONG_TYPES: list[Any] = [5, True, [], {}, ["x"], {"x": "y"}]


def calls(app: APIFlask) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (method, path, properties) that takes a JSON body."""
    spec = app.spec
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is None:
                continue
            name = content["schema"]["$ref"].rsplit("/", 1)[-1]
            for mark, value in PATHS.items():
                path = path.replace(mark, value)
            yield method.upper(), path, spec["components"]["schemas"][name]["properties"]


def is_right(facts: dict[str, Any], value: Any) -> bool:
    """Whether one of `WRONG_TYPES` is none for this field."""
    for one in facts.get("anyOf", [facts]):
        kind = one.get("type")
        if kind == "array" and value in ([], ["x"]):
            return True
        if kind in {"integer", "number"} and value == 5:
            return bool(one.get("minimum", 0) <= 5)
    return False


def count(app: APIFlask) -> dict[str, int | None]:
    with app.app_context():
        return {
            name: db.session.scalar(select(func.count()).select_from(table))
            for name, table in Base.metadata.tables.items()
        }


def said(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


@pytest.fixture
def owner(app: APIFlask) -> FlaskClient:
    """Somebody for whom every such call is meant."""
    restore(app)
    app.config["LIMIT_LOGIN_ACCOUNT"] = app.config["LIMIT_LOGIN_ADDRESS"] = "9999 per minute"
    return as_actor(app, "owner")


def test_the_description_names_the_calls(app: APIFlask) -> None:
    assert len(list(calls(app))) >= 10


def test_what_is_no_json_is_refused_with_its_reason(app: APIFlask, owner: FlaskClient) -> None:
    before = count(app)
    for method, path, _ in calls(app):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "text/xml", None):
            answer = owner.open(path, method=method, data="{}", content_type=kind)
            assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type"), (
                path
            )
        for text in [*MALFORMED, *NO_OBJECTS]:
            answer = owner.open(path, method=method, data=text, content_type="application/json")
            assert said(answer) == (400, "bad_request"), (path, text)
        huge = owner.open(path, method=method, json={"x": "y" * 2**20})
        assert said(huge) == (413, "too_large"), path
    assert count(app) == before


def test_every_field_of_a_wrong_type_is_named(app: APIFlask, owner: FlaskClient) -> None:
    before = count(app)
    deep: Any = "x"
    for _ in range(DEEP):
        deep = [deep]
    for method, path, properties in calls(app):
        for value in [*WRONG_TYPES, deep]:
            wrong = {name for name, facts in properties.items() if not is_right(facts, value)}
            if not wrong:
                continue
            answer = owner.open(path, method=method, json=dict.fromkeys(properties, value))
            assert (answer.status_code, answer.json["code"]) == (400, "invalid_input"), (
                path,
                value,
            )
            named = {name.split(".")[0] for name in answer.json["errors"]}  # of a list, an item
            assert named == wrong, (path, value)
            for texts in answer.json["errors"].values():
                assert all(text.endswith(".") for text in texts), texts
            assert answer.content_type == "application/problem+json"
    assert count(app) == before


@pytest.mark.parametrize("text", ["x" * 10_000, "\ud800", "\0", "a\r\nBcc: eve@example.com"])
def test_no_text_breaks_anything(app: APIFlask, owner: FlaskClient, text: str) -> None:
    for method, path, properties in calls(app):
        answer = owner.open(path, method=method, json=dict.fromkeys(properties, text))
        assert answer.status_code < 500, (path, answer.text)
        if answer.status_code >= 400:
            assert answer.content_type == "application/problem+json"
            assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "spelling",
    ["ADA@example.com", " ada@EXAMPLE.com ", "\uff41da@example.com", "ada@ex\uff41mple.com"],
)
def test_another_spelling_of_an_address_is_the_same_account(
    app: APIFlask, client: FlaskClient, spelling: str
) -> None:
    make_user(app, "ada@example.com")
    before = count(app)["users"]
    password = "correct horse battery"
    body = {"email": spelling, "password": password, "confirmed_password": password}
    assert client.post("/api/register/", json=body).status_code == 201
    assert count(app)["users"] == before
    assert client.post("/api/login/", json=body).json["user"]["email"] == "ada@example.com"


def test_a_look_alike_is_no_address(app: APIFlask, client: FlaskClient) -> None:
    make_user(app, "ada@example.com")
    before = count(app)
    password = "correct horse battery"
    for spelling in ("\u0430da@example.com", "ad\u0430@example.com", "ada\u200b@example.com"):
        body = {"email": spelling, "password": password, "confirmed_password": password}
        answer = client.post("/api/register/", json=body)
        assert list(answer.json["errors"]) == ["email"]
    assert count(app) == before
