from __future__ import annotations

import re

from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.auth.models import User
from app.database import db
from app.videos import queries, series
from app.videos.models import Series, Video
from bench.statements import statements
from tests.conftest import make_user, sign_in
from tests.films import made_film, multipart
from tests.videos.test_lists import add_films


def assign(app: APIFlask, film: int, title: str, season: int | None, episode: int | None) -> None:
    with app.app_context():
        series.assign(db.session.get_one(Video, film), title, season, episode)
        db.session.commit()


def titles(app: APIFlask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Series.title).order_by(Series.title)))


def test_a_series_goes_with_its_last_episode(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    first, second = add_films(app, member, 2)
    assign(app, first, "One", 1, 1)
    assign(app, second, "One", 1, 2)
    assert titles(app) == ["One"]
    assign(app, first, "Two", 1, 1)
    assert titles(app) == ["One", "Two"]
    assign(app, second, "", None, None)
    assert titles(app) == ["Two"]
    assert signed_in.delete(f"/api/local-videos/{first}/").status_code == 204
    assert titles(app) == []


def test_two_owners_have_series_of_one_title(app: APIFlask, member: int) -> None:
    other = make_user(app, "other@example.org")
    assign(app, *add_films(app, member, 1), "Show", 1, 1)
    assign(app, *add_films(app, other, 1), "Show", 1, 1)
    assert titles(app) == ["Show", "Show"]


def test_one_sees_the_episodes_that_one_may_watch_in_order(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    films = add_films(app, member, 5, is_global=True)
    places = [(2, 1), (1, 2), (1, 1), (None, None), (1, None)]
    for film, (season, episode) in zip(films, places, strict=True):
        assign(app, film, "Show", season, episode)
    hidden = add_films(app, member, 1) + add_films(app, member, 1, is_global=True, playable=False)
    for film in hidden:
        assign(app, film, "Show", 3, 1)
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")

    (listed,) = other.get("/api/series/").json
    assert listed == {
        "id": listed["id"], "title": "Show", "seasons": 2, "episodes": 5, "thumbnail_url": None
    }  # fmt: skip
    found = other.get(f"/api/series/{listed['id']}/").json
    assert (found["id"], found["title"]) == (listed["id"], "Show")
    seasons = [
        (season["season"], [film["id"] for film in season["episodes"]])
        for season in found["seasons"]
    ]
    assert seasons == [(1, [films[2], films[1], films[4]]), (2, [films[0]]), (None, [films[3]])]
    own = signed_in.get(f"/api/series/{listed['id']}/").json
    assert [season["season"] for season in own["seasons"]] == [1, 2, 3, None]


def test_a_series_of_private_films_is_not_there_for_others(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    assign(app, *add_films(app, member, 1), "Show", 1, 1)
    (own,) = signed_in.get("/api/series/").json
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    assert other.get("/api/series/").json == []
    hidden, missing = (other.get(f"/api/series/{id}/") for id in (own["id"], 4711))
    assert (hidden.status_code, hidden.json) == (404, missing.json)


def test_series_are_listed_by_title_page_by_page(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    other = make_user(app, "other@example.org")
    wanted = ["alpha", "Beta", "Beta", "gamma", "Ünder \N{SNOWMAN}" + "x" * 190]
    for number, title in enumerate(reversed(wanted)):
        owner = other if number % 2 else member
        assign(app, *add_films(app, owner, 1, is_global=True), title, 1, 1)
    found: list[str] = []
    address = "/api/series/?limit=1"
    while address:
        answer = signed_in.get(address)
        assert answer.status_code == 200, answer.text
        found += [one["title"] for one in answer.json]
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("Link", ""))
        address = link[1] if link else ""
    assert sorted(found, key=str.casefold) == sorted(wanted, key=str.casefold)
    assert found[:4] == wanted[:4]


def test_a_series_takes_the_same_few_statements_whatever_its_length(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    counts = []
    for count in (2, 20):
        for number, film in enumerate(add_films(app, member, count, is_global=True)):
            assign(app, film, "Show", count, number)
        (listed,) = signed_in.get("/api/series/").json
        with statements(app, "SELECT") as said:
            assert signed_in.get(f"/api/series/{listed['id']}/").status_code == 200
        counts.append(len(said))
    assert counts[0] == counts[1]
    assert counts[0] <= 4


def test_the_episode_after_the_last_of_a_season_is_in_the_next(app: APIFlask, member: int) -> None:
    films = add_films(app, member, 3)
    for film, place in zip(films, [(1, 1), (1, 9), (3, 0)], strict=True):
        assign(app, film, "Show", *place)
    with app.app_context():
        user = db.session.get_one(User, member)
        following = []
        video = queries.visible(films[0], user)
        while (found := series.next_episode(video, user)) is not None:
            following.append(found.id)
            video = found
    assert following == films[1:]


def test_an_upload_says_what_it_is_an_episode_of(app: APIFlask, signed_in: FlaskClient) -> None:
    film = made_film(1).read_bytes()
    said = {"year": "1994", "series": "Show", "season": "1", "episode": "2"}
    made = signed_in.post("/api/local-videos/", **multipart(film, **said)).json
    assert made["year"] == 1994
    assert made["series"] == {
        "id": made["series"]["id"], "title": "Show", "season": 1, "episode": 2
    }  # fmt: skip
    for field, value in (("year", "1"), ("season", "x"), ("episode", "-1")):
        answer = signed_in.post("/api/local-videos/", **multipart(film, **{field: value}))
        assert (answer.status_code, list(answer.json["errors"])) == (400, [field])
