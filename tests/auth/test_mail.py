"""Mails as they are composed: parts, links, headers."""

from __future__ import annotations

import email
import email.policy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app import create_app
from app.auth import admin, mail, service
from app.auth.models import OutgoingMail, User
from app.database import db
from app.extensions import redis_client
from app.tasks.mail import _message
from app.tasks.queue import MAIL, queue
from config import Settings

from .conftest import PASSWORD, Add, Outbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NEW = {"email": "ada@example.com", "password": PASSWORD, "confirmed_password": PASSWORD}


def test_each_mail_has_a_text_and_an_html_part_with_the_link(
    client: FlaskClient, add: Add, outbox: Outbox
) -> None:
    client.post("/api/register/", json=NEW)
    client.post("/api/password_reset/", json={"email": "ada@example.com"})
    add("bob@example.com")
    client.post("/api/register/", json=NEW | {"email": "bob@example.com"})
    verify, reset, known = outbox
    for row, path in ((verify, "/verify/"), (reset, "/reset-password/"), (known, "/login")):
        assert f"http://localhost{path}" in row.text
        assert f'href="http://localhost{path}' in row.html
        assert "<" not in row.text
        assert "{{" not in row.text + row.html
        assert row.html.startswith("<!doctype html>")
    assert "72 hours" in verify.text
    assert "2 hours" in reset.text
    assert "http://localhost/forgot-password" in known.text


def test_the_host_header_is_never_in_a_mail(client: FlaskClient, outbox: Outbox) -> None:
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
        client.post("/api/register/", json=NEW, headers=headers)
    for row in outbox:
        assert "evil.example" not in row.text + row.html
    assert len(outbox) >= 1


def test_links_may_point_at_another_front_end(settings: Settings, app: APIFlask) -> None:
    other = create_app(
        replace(
            settings,
            MAIL_LINK_VERIFY="https://spa.example/activate.html?uid={uid}&token={token}",
            MAIL_LINK_RESET="https://spa.example/reset.html?uid={uid}&token={token}",
        )
    )
    with other.app_context():
        user = admin.create_user("ada@example.com", PASSWORD)
        db.session.commit()
        for post, path in ((mail.post_verification, "activate"), (mail.post_reset, "reset")):
            row = post(user, "MQ", "a.b-c_d")
            link = f"https://spa.example/{path}.html?uid=MQ&token=a.b-c_d"
            assert link in row.text
            assert link.replace("&", "&amp;") in row.html
        db.session.remove()
        db.engine.dispose()
        other.extensions["redis"].close()


def test_every_mail_has_two_parts_in_which_a_name_is_inert(app: APIFlask) -> None:
    with app.app_context():
        name = "<img src=x onerror=alert(1)>"
        user = User(email="ada@example.com", username=name)
        rows = [
            mail.post_verification(user, "MQ", "token"),
            mail.post_reset(user, "MQ", "token"),
            mail.post_known_address(user),
            mail.post_new_address(user, "new@example.org", "MQ", "token"),
            mail.post_address_asked(user, "new@example.org"),
            mail.post_address_changed(user, "old@example.org"),
            mail.post_password_changed(user),
            mail.post_account_deleted(user),
        ]
        folder = Path(app.root_path) / "templates" / "mail"
        assert len(rows) == len(list(folder.glob("*.txt"))), "one of each"
        for row in rows:
            assert "<img" not in row.html
            assert row.html.startswith("<!doctype html>")
            assert "{{" not in row.text + row.html
            assert "{%" not in row.text + row.html
            assert row.text.rstrip().endswith("Videoflix, http://localhost")
        assert {row.recipient for row in rows[3:6]} == {
            "new@example.org",
            "ada@example.com",
            "old@example.org",
        }
        db.session.rollback()


@pytest.mark.parametrize(
    "address", ["a@example.com\nBcc: eve@example.com", "a@example.com\r\n\r\nHello", "a\0@b.com"]
)
def test_no_header_can_be_injected(app: APIFlask, address: str) -> None:
    with app.app_context():
        with pytest.raises(ValueError, match="line break"):
            mail.post_verification(User(email=address, username="x"), "MQ", "token")
        db.session.rollback()


def test_the_message_is_plain_mime(app: APIFlask, add: Add, outbox: Outbox) -> None:
    add("ada@exämple.com", verified=False)
    with app.app_context():
        raw = _message(outbox[-1]).as_bytes()
    parsed: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["To"] == "ada@xn--exmple-cua.com"
    assert parsed["Subject"] == "Confirm your address for Videoflix"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Message-ID"].endswith("@videoflix.invalid>")
    types = [part.get_content_type() for part in parsed.walk()]
    assert types[-2:] == ["text/plain", "text/html"]
    link = next(x for x in outbox[-1].text.split() if x.startswith("http"))
    assert link in parsed.get_body(("plain",)).get_content()
    assert link in parsed.get_body(("html",)).get_content()


def test_mails_are_announced_after_the_commit_only(app: APIFlask) -> None:
    with app.app_context():
        admin.create_user("ada@example.com", PASSWORD)
        assert queue(MAIL).count == 0
        db.session.rollback()
        assert queue(MAIL).count == 0
        admin.create_user("ada@example.com", PASSWORD)
        db.session.commit()
        (job,) = queue(MAIL).jobs
        mail_id = db.session.scalars(db.select(OutgoingMail.id)).one()
        assert (job.func_name, job.args) == ("app.tasks.mail.send", [mail_id])


def test_a_request_for_nobody_leaves_no_mail_but_a_job(app: APIFlask, outbox: Outbox) -> None:
    with app.app_context():
        service.request_reset("nobody@example.com")
        db.session.commit()
        assert queue(MAIL).count == 1
    assert list(outbox) == []


def test_redis_away_loses_no_mail(app: APIFlask, outbox: Outbox) -> None:
    with app.app_context():
        redis_client().close()
        app.extensions["redis"] = type(redis_client()).from_url("unix:///nowhere/redis.sock")
    answer = app.test_client().post("/api/register/", json=NEW)
    assert answer.status_code == 201
    assert len(outbox) == 1
