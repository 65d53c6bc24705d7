from __future__ import annotations

import json

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select, update

from app.auth.models import User
from app.database import db
from app.errors import NotFound
from app.videos import grants, playback, sharing
from app.videos.models import Status, Video
from tests.conftest import make_user, sign_in
from tests.videos.test_lists import add_films


@pytest.fixture
def curator(app: APIFlask) -> FlaskClient:
    make_user(app, "curator@example.org", role="curator")
    return sign_in(app.test_client(), "curator@example.org")


@pytest.fixture
def other(app: APIFlask) -> FlaskClient:
    make_user(app, "other@example.org")
    return sign_in(app.test_client(), "other@example.org")


def own_films(app: APIFlask, email: str, count: int, **facts: object) -> list[int]:
    with app.app_context():
        owner_id = db.session.scalars(select(User.id).where(User.email == email)).one()
    return add_films(app, owner_id, count, **facts)


# publishing


def test_a_curator_publishes_and_withdraws(
    app: APIFlask, curator: FlaskClient, other: FlaskClient
) -> None:
    (film,) = own_films(app, "curator@example.org", 1)
    assert other.get("/api/global-videos/").json == []
    for _ in range(2):
        answer = curator.post(f"/api/videos/{film}/publish/")
        assert (answer.status_code, answer.json["is_global"]) == (200, True)
    assert [video["id"] for video in other.get("/api/global-videos/").json] == [film]
    assert curator.patch(f"/api/local-videos/{film}/", json={"place": 3}).json["place"] == 3
    for _ in range(2):
        assert curator.delete(f"/api/videos/{film}/publish/").status_code == 204
    assert other.get("/api/global-videos/").json == []
    assert other.get(f"/api/videos/{film}/").status_code == 404
    kept = curator.get(f"/api/videos/{film}/").json
    assert (kept["is_global"], kept["place"]) == (False, None)


def test_a_film_is_published_once_it_can_be_watched(app: APIFlask, curator: FlaskClient) -> None:
    (film,) = own_films(app, "curator@example.org", 1, playable=False, status=Status.PROCESSING)
    answer = curator.post(f"/api/videos/{film}/publish/")
    assert (answer.status_code, answer.json["code"]) == (409, "not_playable")


def test_who_may_see_a_film_but_not_publish_it_is_told_so(
    app: APIFlask, signed_in: FlaskClient, curator: FlaskClient, member: int
) -> None:
    private, shared = *add_films(app, member, 1), *add_films(app, member, 1, is_global=True)
    for film in (private, shared):
        assert signed_in.post(f"/api/videos/{film}/publish/").status_code == 403
        assert signed_in.delete(f"/api/videos/{film}/publish/").status_code == 403
    assert curator.post(f"/api/videos/{private}/publish/").status_code == 404
    assert curator.delete(f"/api/videos/{shared}/publish/").status_code == 204
    assert curator.post(f"/api/videos/{shared}/publish/").status_code == 404  # private again


def test_withdrawing_ends_the_grants_of_others(
    app: APIFlask, curator: FlaskClient, other: FlaskClient
) -> None:
    (film,) = own_films(app, "curator@example.org", 1, is_global=True)
    with app.app_context():
        opened = {}
        for email, client in (("curator", curator), ("other", other)):
            opened[email] = grants.issue(film, client.get("/api/me/").json["id"])[0]
            assert playback.open_film(opened[email]).may_watch
        assert curator.delete(f"/api/videos/{film}/publish/").status_code == 204
        db.session.rollback()
        assert playback.open_film(opened["curator"]).may_watch
    assert curator.get(f"/stream/{opened['other']}/1/master.m3u8").status_code == 404


def test_commands_publish_and_unpublish(
    app: APIFlask, runner: FlaskCliRunner, other: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1)
    (early,) = add_films(app, member, 1, playable=False, status=Status.PROCESSING)
    said = runner.invoke(args=["videos", "publish", str(film)])
    assert (said.exit_code, said.output) == (0, "Film 0 is in the catalogue.\n")
    assert other.get(f"/api/global-videos/{film}/").status_code == 200
    said = runner.invoke(args=["videos", "unpublish", str(film), "--json"])
    assert (said.exit_code, json.loads(said.output)["is_global"]) == (0, False)
    assert other.get(f"/api/global-videos/{film}/").status_code == 404
    for command in ("publish", "unpublish"):
        assert "catalogue" in runner.invoke(args=["videos", command, "--help"]).output
        said = runner.invoke(args=["videos", command, "4711"])
        assert (said.exit_code, said.output) == (1, "Error: There is no film 4711.\n")
    said = runner.invoke(args=["videos", "publish", str(early)])
    assert said.exit_code == 1
    assert "cannot be watched yet" in said.output


# share links


def test_an_owner_shares_and_withdraws_a_link(
    app: APIFlask, signed_in: FlaskClient, other: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True)
    links = {signed_in.post(f"/api/videos/{film}/share/").json["share_url"] for _ in range(2)}
    (link,) = links
    key = link.removeprefix("http://localhost/s/")
    assert signed_in.get(f"/api/videos/{film}/").json["share_url"] == link
    assert other.get(f"/api/videos/{film}/").json["share_url"] is None
    with app.app_context():
        assert sharing.find(key).id == film
        grant, _ = grants.issue(film, key)
        assert playback.open_film(grant).may_watch
    assert signed_in.delete(f"/api/videos/{film}/share/").status_code == 204
    assert signed_in.get(f"/stream/{grant}/1/master.m3u8").status_code == 404
    with app.app_context(), pytest.raises(NotFound):
        sharing.find(key)
    again = signed_in.post(f"/api/videos/{film}/share/").json["share_url"]
    assert again != link
    with app.app_context(), pytest.raises(NotFound):
        playback.open_film(grant)  # the new link does not bring old grants back


def test_only_its_owner_shares_a_film(
    app: APIFlask, curator: FlaskClient, other: FlaskClient, member: int
) -> None:
    private, shared = *add_films(app, member, 1), *add_films(app, member, 1, is_global=True)
    for client in (curator, other):
        for ask in (client.post, client.delete):
            assert ask(f"/api/videos/{shared}/share/").status_code == 403
            assert ask(f"/api/videos/{private}/share/").status_code == 404


def test_two_who_share_at_once_get_the_same_link(app: APIFlask, member: int) -> None:
    (film,) = add_films(app, member, 1)
    with app.app_context():
        late = db.session.get_one(Video, film)
        assert late.share_key is None
        somebody = update(Video).values(share_key="k" * 22)
        db.session.execute(somebody.execution_options(synchronize_session=False))
        assert late.share_key is None  # as it was read before
        assert sharing.share(late) == "k" * 22


def test_a_wrong_key_opens_nothing(app: APIFlask, member: int) -> None:
    add_films(app, member, 1)
    for key in ("", "x", "a" * 22, "a" * 21 + "\0", "ä" * 22):
        with app.app_context(), pytest.raises(NotFound):
            sharing.find(key)


# categories


def test_categories_come_in_the_curators_order_and_then_by_name(
    app: APIFlask, curator: FlaskClient, other: FlaskClient, member: int
) -> None:
    for name, count in (("Drama", 1), ("animals", 2), ("Family", 3)):
        add_films(app, member, count, is_global=True, category=name)
    add_films(app, member, 1, category="Private")
    add_films(app, member, 1, is_global=True)
    add_films(app, member, 1, is_global=True, playable=False, category="Coming")
    assert other.get("/api/categories/").json == [
        {"name": "animals", "count": 2},
        {"name": "Drama", "count": 1},
        {"name": "Family", "count": 3},
    ]

    def order(*names: str) -> list[str]:
        assert curator.put("/api/categories/", json={"names": names}).status_code == 204
        return [found["name"] for found in other.get("/api/categories/").json]

    assert order("Family", "Not there yet", "Drama") == ["Family", "Drama", "animals"]
    assert order("Drama", "Family") == ["Drama", "Family", "animals"]
    assert order("animals", "animals") == ["animals", "Drama", "Family"]
    assert order() == ["animals", "Drama", "Family"]


def test_only_curators_order_categories(signed_in: FlaskClient, curator: FlaskClient) -> None:
    answer = signed_in.put("/api/categories/", json={"names": []})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    for names in ("Drama", [1], [""], ["x" * 61], ["a\0"], ["a"] * 501, None):
        answer = curator.put("/api/categories/", json={"names": names})
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_input"), names
        assert all(field.split(".")[0] == "names" for field in answer.json["errors"])


# what is said of a film


def test_year_series_and_place_can_be_changed(
    app: APIFlask, curator: FlaskClient, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True)
    path = f"/api/local-videos/{film}/"
    body = {"year": 1994, "series": " Show ", "season": 1, "episode": 2}
    changed = signed_in.patch(path, json=body).json
    assert changed["year"] == 1994
    assert changed["series"] == {
        "id": changed["series"]["id"], "title": "Show", "season": 1, "episode": 2
    }  # fmt: skip
    assert signed_in.patch(path, json={"episode": 3}).json["series"]["season"] == 1
    assert signed_in.patch(path, json={"season": None}).json["series"] == {
        **changed["series"], "season": None, "episode": 3
    }  # fmt: skip
    assert signed_in.patch(path, json={"title": "New"}).json["series"]["episode"] == 3
    assert signed_in.patch(path, json={"series": ""}).json["series"] is None
    assert signed_in.patch(path, json={"year": None}).json["year"] is None
    assert signed_in.patch(path, json={"place": 1}).status_code == 403
    assert curator.patch(path, json={"place": 1}).json["place"] == 1
    assert curator.patch(path, json={"place": None}).json["place"] is None


WRONG: list[tuple[dict[str, object], str]] = [
    ({"year": 1869}, "year"),
    ({"year": 2101}, "year"),
    ({"year": "1994"}, "year"),
    ({"year": 10**30}, "year"),
    ({"year": True}, "year"),
    ({"series": 5}, "series"),
    ({"series": "x" * 201}, "series"),
    ({"series": "S", "season": -1}, "season"),
    ({"series": "S", "episode": 10_000}, "episode"),
    ({"episode": 1}, "series"),
    ({"place": 0}, "place"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_is_refused_by_its_field(app: APIFlask, curator: FlaskClient) -> None:
    (film,) = own_films(app, "curator@example.org", 1)
    for body, field in WRONG:
        answer = curator.patch(f"/api/local-videos/{film}/", json=body)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_input"), body
        assert list(answer.json["errors"]) == [field]
