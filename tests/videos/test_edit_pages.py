"""The page on which a film's owner says what it is."""

from __future__ import annotations

from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.auth.models import Role
from app.database import db
from app.videos.models import Status, Video
from tests.auth.conftest import csrf_token, log_in_page
from tests.conftest import make_user

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EDIT = "/videos/1/edit"
SAID = {
    "title": "The Bee",
    "description": "It flies.",
    "category": "Nature",
    "year": "2019",
    "series": "Garden",
    "season": "1",
    "episode": "2",
}


@pytest.fixture
def film(app: APIFlask, member: int) -> int:
    return add_film(app, member)


@pytest.fixture
def owner(client: FlaskClient, member: int) -> FlaskClient:
    log_in_page(client, "mara@example.org")
    return client


def add_film(app: APIFlask, owner_id: int, **said: Any) -> int:
    with app.app_context():
        values = {"title": "Film", "size": 1, "status": Status.READY, "playable": True} | said
        db.session.add(Video(owner_id=owner_id, film="f", **values))
        db.session.commit()
    return 1


def save(client: FlaskClient, **fields: str) -> Any:
    return client.post(EDIT, data=fields | {"csrf_token": csrf_token(client, EDIT)})


def test_what_is_said_of_a_film_is_changed_and_shown(film: int, owner: FlaskClient) -> None:
    answer = save(owner, **SAID)
    assert (answer.status_code, answer.location) == (303, "/videos/1")
    video = owner.get("/api/videos/1/").json
    assert (video["title"], video["year"], video["category"]) == ("The Bee", 2019, "Nature")
    assert video["series"] == {"id": 1, "title": "Garden", "season": 1, "episode": 2}
    page = owner.get(EDIT).text
    for value in SAID.values():
        assert value in page


def test_emptied_fields_are_forgotten(film: int, owner: FlaskClient) -> None:
    save(owner, **SAID)
    save(owner, **dict.fromkeys(SAID, "") | {"title": "The Bee"})
    video = owner.get("/api/videos/1/").json
    assert (video["description"], video["year"], video["series"]) == ("", None, None)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("title", " ", "Please fill this in."),
        ("title", "x" * 201, "Use at most 200 characters."),
        ("year", "soon", "Write a whole number."),
        ("year", "20190", "This must be 2100 or less."),
        ("episode", "-1", "This must be 0 or more."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    film: int, owner: FlaskClient, field: str, value: str, sentence: str
) -> None:
    answer = save(owner, **SAID | {"description": "Kept <b>", field: value})
    assert answer.status_code == 400
    assert sentence in answer.text
    assert "Kept &lt;b&gt;" in answer.text
    assert owner.get("/api/videos/1/").json["title"] == "Film"


def test_numbers_of_no_series_are_refused(film: int, owner: FlaskClient) -> None:
    answer = save(owner, title="The Bee", season="1", episode="2")
    assert answer.status_code == 400
    assert "Name the series" in answer.text


def test_only_who_may_change_it_sees_the_page(app: APIFlask, member: int) -> None:
    add_film(app, member, is_global=True)
    make_user(app, "ben@example.org")
    other = app.test_client()
    log_in_page(other, "ben@example.org")
    assert other.get(EDIT).status_code == 403
    assert other.get("/videos/2/edit").status_code == 404


def test_curators_give_places_and_owners_do_not(
    app: APIFlask, owner: FlaskClient, member: int
) -> None:
    add_film(app, member, is_global=True)
    make_user(app, "cleo@example.org", role=Role.CURATOR)
    curator = app.test_client()
    log_in_page(curator, "cleo@example.org")
    save(curator, title="Film", place="3")
    assert owner.get("/api/videos/1/").json["place"] == 3
    assert 'name="place"' not in owner.get(EDIT).text
    save(owner, title="Film", place="1")
    assert owner.get("/api/videos/1/").json["place"] == 3


def press(client: FlaskClient, path: str) -> Any:
    return client.post(path, data={"csrf_token": csrf_token(client, EDIT)})


def test_its_owner_hands_out_the_link_and_comes_back_to_it(film: int, owner: FlaskClient) -> None:
    assert 'action="/videos/1/share?back=sharing"' in owner.get(EDIT).text
    assert press(owner, "/videos/1/share?back=sharing").location == f"{EDIT}#sharing"
    link = owner.get("/api/videos/1/").json["share_url"]
    assert link in owner.get(EDIT).text
    assert "/publish" not in owner.get(EDIT).text
    assert press(owner, "/videos/1/unshare?back=sharing").location == f"{EDIT}#sharing"
    assert link not in owner.get(EDIT).text


def test_curators_publish_there_and_hand_out_no_link(app: APIFlask, member: int) -> None:
    add_film(app, member, is_global=True)
    make_user(app, "cleo@example.org", role=Role.CURATOR)
    curator = app.test_client()
    log_in_page(curator, "cleo@example.org")
    page = curator.get(EDIT).text
    assert 'action="/videos/1/withdraw?back=sharing"' in page
    assert "/share" not in page


def test_a_film_that_cannot_be_watched_yet_is_not_handed_out(
    app: APIFlask, owner: FlaskClient, member: int
) -> None:
    add_film(app, member, playable=False, status=Status.PROCESSING)
    assert 'id="sharing"' not in owner.get(EDIT).text
