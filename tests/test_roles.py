"""Who may ask what: every route of the url map, for every kind of person and credential.

A route that is not in `LEVELS` fails the test: whoever adds one says here whom it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from app.auth import tokens
from app.auth.identity import ACCESS_COOKIE
from app.auth.models import ApiToken, Role, Scope, Session, SessionKind, User
from app.auth.sessions import ABSOLUTE_DAYS
from app.auth.tokens import Purpose
from app.database import Base, db, now
from app.media.grid import Plan
from app.security import SAFE_METHODS
from app.videos.models import Grid, Status, Video
from tests.test_security import ARGUMENTS

PEOPLE = {"owner": 1, "member": 2, "curator": 3, "admin": 4, "disabled": 5, "unverified": 6}
TOKENS = {"reads": Scope.READ, "writes": Scope.WRITE}
"""API tokens of the owner."""

ACTORS = ("stranger", *PEOPLE, *TOKENS)
PRIVATE, SHARED = 1, 2
"""A film of the owner's own, and one of theirs in the catalogue."""

PLAN = Plan(1.0, (), (), (), None, (), (), ())

SIGNED_IN = {"owner", "member", "curator", "admin", "unverified", "reads", "writes"}
ANYONE = set(ACTORS)
VERIFIED = SIGNED_IN - {"unverified"}
IN_PERSON = SIGNED_IN - {"reads", "writes"}
OWNER = {"owner", "reads", "writes"}
OWNER_OR_ADMIN = OWNER | {"admin"}
CURATOR = {"curator", "admin"}
ADMIN = {"admin"}
GRANTED: set[str] = set()
"""A grant in the path opens it, and nothing else; the one of this test is none."""

LEVELS = {
    "pages.landing": ANYONE,
    "static": ANYONE,
    "health.healthz": ANYONE,
    "health.readyz": ANYONE,
    "metrics.show": ANYONE,  # on this machine; see tests/test_metrics.py
    "apidocs.page": ANYONE,
    "openapi.spec": ANYONE,
    "auth.register": ANYONE,
    "auth.login": ANYONE,
    "auth.logout": ANYONE,
    "auth.forgot_password": ANYONE,
    "auth.verify": ANYONE,
    "auth.reset_password": ANYONE,
    "auth_api.register": ANYONE,
    "auth_api.activate": ANYONE,
    "auth_api.login": ANYONE,
    "auth_api.logout": ANYONE,
    "auth_api.refresh": ANYONE,
    "auth_api.request_reset": ANYONE,
    "auth_api.confirm_reset": ANYONE,
    "account.show": SIGNED_IN,
    "account.rename": SIGNED_IN,
    "account.change_address": SIGNED_IN,
    "account.forget_address": SIGNED_IN,
    "account.change_password": SIGNED_IN,
    "account.end_session": {"owner"},
    "account.end_all_sessions": IN_PERSON,
    "account.create_token": IN_PERSON,
    "account.withdraw_token": OWNER,
    "account.delete": SIGNED_IN,
    "me_api.me": SIGNED_IN,
    "me_api.change": SIGNED_IN,
    "me_api.delete": SIGNED_IN,
    "me_api.change_address": SIGNED_IN,
    "me_api.change_password": SIGNED_IN,
    "me_api.export": SIGNED_IN,
    "me_api.list_sessions": SIGNED_IN,
    "me_api.end_all_sessions": IN_PERSON,
    "me_api.end_session": {"owner"},
    "me_api.list_tokens": SIGNED_IN,
    "me_api.create_token": IN_PERSON,
    "me_api.withdraw_token": OWNER,
    "overview.show": ADMIN,
    "admin.users": ADMIN,
    "admin.promote": ADMIN,
    "admin.disable": ADMIN,
    "admin.enable": ADMIN,
    "admin.resend": ADMIN,
    "admin.delete": ADMIN,
    "admin_videos.show": ADMIN,
    "admin_videos.retry": ADMIN,
    "admin_videos.cancel": ADMIN,
    "admin_videos.delete": ADMIN,
    "videos.browse": SIGNED_IN,
    "videos.my_videos": SIGNED_IN,
    "videos.upload": VERIFIED,
    "videos.upload_plain": VERIFIED,
    "videos.film": OWNER_OR_ADMIN,
    "videos.watch": OWNER,
    "edit.show": OWNER_OR_ADMIN,
    "edit.save": OWNER_OR_ADMIN,
    "search.show": SIGNED_IN,
    "catalogue.row": GRANTED,  # there is no category here
    "catalogue.category": GRANTED,
    "catalogue.my_list": SIGNED_IN,
    "catalogue.continue_watching": SIGNED_IN,
    "catalogue.show_series": GRANTED,  # there is no series here
    "remember.keep": OWNER_OR_ADMIN,
    "remember.leave": OWNER_OR_ADMIN,
    "remember.watched": OWNER,
    "owner.share": OWNER,
    "owner.unshare": OWNER,
    "owner.publish": ADMIN,  # curators may not know of what is private
    "owner.withdraw": ADMIN,
    "owner.delete": OWNER_OR_ADMIN,
    "owner.cancel": OWNER_OR_ADMIN,
    "owner.retry": OWNER_OR_ADMIN,
    "owner.convert": OWNER_OR_ADMIN,
    "owner.poster": OWNER_OR_ADMIN,
    "owner.add_subtitle": OWNER_OR_ADMIN,
    "owner.remove_subtitle": OWNER_OR_ADMIN,
    "videos_api.list_catalogue": SIGNED_IN,
    "videos_api.list_owned": SIGNED_IN,
    "videos_api.get_global": SIGNED_IN,
    "videos_api.get_owned": OWNER,
    "videos_api.get_video": OWNER_OR_ADMIN,
    "videos_api.get_grid": OWNER_OR_ADMIN,
    "videos_api.get_log": ADMIN,
    "videos_api.get_playback": OWNER,
    "uploads_api.tell_abilities": ANYONE,
    "uploads_api.list_uploads": SIGNED_IN,
    "uploads_api.create": VERIFIED,
    "uploads_api.ask": VERIFIED,
    "uploads_api.send": VERIFIED,
    "uploads_api.end": VERIFIED,
    "uploads_api.change_details": SIGNED_IN,  # its body is asked for first
    "videos_api.upload_owned": VERIFIED,
    "videos_api.upload_global": CURATOR,
    "videos_api.change_video": OWNER_OR_ADMIN,
    "videos_api.delete_video": OWNER_OR_ADMIN,
    "videos_api.cancel_conversion": OWNER_OR_ADMIN,
    "videos_api.choose_thumbnail": OWNER_OR_ADMIN,
    "videos_api.add_subtitle": OWNER_OR_ADMIN,
    "videos_api.remove_subtitle": GRANTED,  # there are no captions here
    "videos_api.retry_conversion": OWNER_OR_ADMIN,
    "videos_api.convert_again": OWNER_OR_ADMIN,
    "catalogue_api.publish": ADMIN,  # curators may not know of what is private
    "catalogue_api.withdraw": ADMIN,
    "catalogue_api.share": OWNER,
    "catalogue_api.unshare": OWNER,
    "catalogue_api.list_categories": SIGNED_IN,
    "catalogue_api.arrange_categories": SIGNED_IN,  # its body is asked for first
    "catalogue_api.list_series": SIGNED_IN,
    "catalogue_api.get_series": GRANTED,  # there is no series here
    "viewing_api.record_progress": SIGNED_IN,  # its body is asked for first
    "viewing_api.mark_watched": OWNER,
    "viewing_api.unmark_watched": OWNER_OR_ADMIN,
    "viewing_api.list_continued": SIGNED_IN,
    "viewing_api.remove_continued": OWNER_OR_ADMIN,
    "viewing_api.list_saved": SIGNED_IN,
    "viewing_api.save_video": OWNER_OR_ADMIN,
    "viewing_api.unsave_video": OWNER_OR_ADMIN,
    "legacy_api.list_watchable": SIGNED_IN,
    "legacy_api.get_playlist": OWNER,
    "legacy_api.get_row": GRANTED,  # the grid here is empty; see tests/videos/test_legacy.py
    "legacy_api.get_segment": GRANTED,
    "shared.watch": GRANTED,  # a key in the path opens it; see tests/videos/test_shared.py
    "shared_api.get_playback": GRANTED,
    "shared_api.get_grid": GRANTED,
    "stream.master": GRANTED,
    "stream.may_watch": GRANTED,
    "stream.may_see": GRANTED,
    "stream.media": GRANTED,
    "stream.key_frames": GRANTED,
    "stream.segment": GRANTED,
    "stream.where": GRANTED,
    "stream.image": GRANTED,
    "stream.captions_playlist": GRANTED,
    "stream.captions": GRANTED,
    "stream.chapters": GRANTED,
}

Asking = Callable[[str, str, str], TestResponse]


def calls(app: APIFlask) -> Iterator[tuple[str, str, str]]:
    """Every (endpoint, method, path), aimed at the owner's private film, or a shared one."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values: dict[str, Any] = {name: ARGUMENTS[name] for name in rule.arguments}
        if rule.endpoint == "stream.image":
            values["name"] = "poster.jpg"
        if rule.endpoint.startswith("admin."):
            values = dict.fromkeys(values, PEOPLE["member"])
        if rule.endpoint == "videos_api.get_global":
            values["video_id"] = SHARED
        path = adapter.build(rule.endpoint, values)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            yield rule.endpoint, method, path


@pytest.fixture
def ask(app: APIFlask) -> Asking:
    """Ask as somebody, in a world that is the same before each question."""
    app.config["WTF_CSRF_ENABLED"] = False  # the form's token is not what is asked about here
    restore(app)
    changed = False

    def call(actor: str, method: str, path: str) -> TestResponse:
        nonlocal changed
        if changed:
            restore(app)
        changed = method not in SAFE_METHODS  # see test_a_get_changes_nothing
        body = {} if method == "PATCH" else None  # right, and changes nothing
        with as_actor(app, actor).open(path, method=method, json=body) as answer:
            return answer

    return call


def restore(app: APIFlask) -> None:
    """Six people with a session each, the owner's two tokens and two films."""
    app.extensions["redis"].flushdb()
    with app.app_context():
        for model in (Video, User):
            db.session.execute(delete(model))
        begun = now()
        for name, number in PEOPLE.items():
            role = name if name in set(Role) else Role.MEMBER
            db.session.add(
                User(
                    id=number,
                    email=f"{name}@example.org",
                    username=name,
                    password_hash="none",
                    role=role,
                    verified_at=None if name == "unverified" else begun,
                    disabled_at=begun if name == "disabled" else None,
                )
            )
        db.session.flush()
        for number in PEOPLE.values():
            db.session.add(
                Session(
                    id=number,
                    user_id=number,
                    kind=SessionKind.API,
                    secret_hash=str(number),
                    expires_at=begun + timedelta(days=ABSOLUTE_DAYS),
                )
            )
        for number, (name, scope) in enumerate(TOKENS.items(), 1):
            digest = sha256(f"vf_{name}".encode()).hexdigest()
            db.session.add(
                ApiToken(
                    id=number,
                    user_id=PEOPLE["owner"],
                    name=name,
                    scope=scope,
                    secret_hash=digest,
                    used_at=begun,
                )
            )
        for number in (PRIVATE, SHARED):
            db.session.add(
                Video(
                    id=number,
                    owner_id=PEOPLE["owner"],
                    film=str(number),
                    title="Film",
                    size=1,
                    status=Status.READY,
                    playable=True,
                    is_global=number == SHARED,
                )
            )
            db.session.flush()
            db.session.add(Grid(id=number, video_id=number, plan=PLAN.to_json()))
        db.session.commit()


def as_actor(app: APIFlask, actor: str) -> FlaskClient:
    browser = app.test_client()
    if actor in PEOPLE:
        number = PEOPLE[actor]
        with app.app_context():
            browser.set_cookie(ACCESS_COOKIE, tokens.sign(Purpose.ACCESS, [number, number]))
    elif actor in TOKENS:
        browser.environ_base["HTTP_AUTHORIZATION"] = f"Bearer vf_{actor}"
    return browser


def refused(answer: TestResponse) -> bool:
    """Whether it was not for this person; a wrong body or state is another matter."""
    to_login = answer.status_code in {302, 303} and answer.location.startswith("/login")
    return answer.status_code in {401, 403, 404} or to_login


def test_every_route_says_whom_it_is_for(app: APIFlask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(LEVELS)


@pytest.mark.parametrize("actor", ACTORS)
def test_a_route_answers_those_it_is_for(app: APIFlask, ask: Asking, actor: str) -> None:
    wrong = []
    for endpoint, method, path in calls(app):
        if (endpoint, method) == ("auth_api.refresh", "POST") and actor not in PEOPLE:
            continue  # no cookie at all: 400
        allowed = actor in LEVELS[endpoint]
        if actor == "reads" and method not in SAFE_METHODS and LEVELS[endpoint] != ANYONE:
            allowed = False
        answer = ask(actor, method, path)
        if refused(answer) == allowed or answer.status_code >= 500:
            wrong.append((method, path, answer.status_code))
        if not allowed and actor in {"stranger", "disabled"} and path.startswith("/api/"):
            assert answer.status_code == 401 or LEVELS[endpoint] is GRANTED, (method, path)
    assert wrong == []


def test_a_get_changes_nothing(app: APIFlask, ask: Asking) -> None:
    def everything() -> dict[str, list[Any]]:
        with app.app_context():
            return {
                name: db.session.execute(select(table).order_by(*table.primary_key)).all()
                for name, table in Base.metadata.tables.items()
            }

    restore(app)
    before = everything()
    assert before["users"]
    assert before["videos"]
    for _, method, path in calls(app):
        if method != "GET":
            continue
        for actor in ("owner", "admin", "reads"):
            with as_actor(app, actor).get(path):
                pass
            assert everything() == before, (actor, path)
