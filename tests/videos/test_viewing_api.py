from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.formatting import rfc3339
from app.videos.models import Series, Status, Video
from bench.statements import statements
from tests.conftest import make_user, sign_in
from tests.videos.test_lists import add_films

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def other(app: APIFlask) -> FlaskClient:
    """Another member, who owns nothing."""
    make_user(app, "other@example.org")
    return sign_in(app.test_client(), "other@example.org")


def beat(client: FlaskClient, film: int, position: float, at: datetime | None = None) -> int:
    body: dict[str, object] = {"position": position}
    if at is not None:
        body["at"] = rfc3339(at)
    return client.put(f"/api/videos/{film}/progress/", json=body).status_code


def ids(client: FlaskClient, path: str) -> list[int]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return [film["id"] for film in answer.json]


def seen(client: FlaskClient, film: int) -> tuple[float, bool, bool]:
    found = client.get(f"/api/videos/{film}/").json
    return found["position"], found["watched"], found["in_my_list"]


def add_episodes(app: APIFlask, owner_id: int, *numbers: tuple[int, int]) -> list[int]:
    """Episodes of a series of the catalogue."""
    films = add_films(app, owner_id, len(numbers), is_global=True, duration=100.0)
    with app.app_context():
        series = Series(owner_id=owner_id, title="Show")
        db.session.add(series)
        db.session.flush()
        for film, (season, episode) in zip(films, numbers, strict=True):
            video = db.session.get_one(Video, film)
            video.series_id, video.season, video.episode = series.id, season, episode
        db.session.commit()
    return films


# progress


def test_the_newest_moment_wins(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    assert beat(signed_in, film, 30, NOON) == 204
    assert beat(signed_in, film, 60, NOON - timedelta(seconds=1)) == 204  # held up on its way
    assert seen(signed_in, film)[0] == 30
    assert beat(signed_in, film, 10, NOON + timedelta(seconds=1)) == 204  # moved back on purpose
    assert seen(signed_in, film)[0] == 10


def test_a_clock_that_runs_ahead_counts_as_now(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    assert beat(signed_in, film, 30, datetime.now(UTC) + timedelta(days=900)) == 204
    assert beat(signed_in, film, 40) == 204  # a right clock is heard afterwards
    assert seen(signed_in, film)[0] == 40


def test_a_position_stays_inside_the_film(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    assert beat(signed_in, film, 94.9) == 204
    assert seen(signed_in, film) == (94.9, False, False)
    assert ids(signed_in, "/api/continue-watching/") == [film]
    assert beat(signed_in, film, 1e300) == 204
    assert seen(signed_in, film) == (0, True, False)  # it begins anew next time
    assert ids(signed_in, "/api/continue-watching/") == []


def test_a_film_is_finished_at_95_percent(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    for position, finished in ((94.99, False), (95, True), (100, True)):
        (film,) = add_films(app, member, 1, duration=100.0)
        assert beat(signed_in, film, position) == 204
        assert seen(signed_in, film)[1] is finished
        assert (film not in ids(signed_in, "/api/continue-watching/")) is finished


def test_who_watches_a_film_again_has_still_seen_it(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    beat(signed_in, film, 100, NOON)
    beat(signed_in, film, 20, NOON + timedelta(hours=1))
    assert seen(signed_in, film) == (20, True, False)
    assert signed_in.delete(f"/api/continue-watching/{film}/").status_code == 204
    assert seen(signed_in, film) == (0, True, False)
    assert signed_in.delete(f"/api/videos/{film}/watched/").status_code == 204
    assert seen(signed_in, film) == (0, False, False)


WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "position"),
    ({"position": None}, "position"),
    ({"position": "12"}, "position"),
    ({"position": True}, "position"),
    ({"position": -0.1}, "position"),
    ({"position": 10**400}, "position"),
    ({"position": 1, "at": "yesterday"}, "at"),
    ({"position": 1, "at": 1_700_000_000}, "at"),
    ({"position": 1, "at": "2026-05-01T20:15:00"}, "at"),
    ({"position": 1, "at": "2026-02-30T20:15:00Z"}, "at"),
    ({"position": 1, "at": "0001-01-01T00:00:00+14:00"}, "at"),
    ({"position": 1, "at": "9999-12-31T23:59:59-14:00"}, "at"),
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_beat_names_its_field(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1)
    for body, field in WRONG:
        answer = signed_in.put(f"/api/videos/{film}/progress/", json=body)
        assert (answer.status_code, answer.json["code"]) == (400, "invalid_input"), body
        assert list(answer.json["errors"]) == [field]
    assert ids(signed_in, "/api/continue-watching/") == []


def test_moments_are_read_as_rfc_3339_writes_them(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1)
    moments = [
        "2026-05-01T20:15:00Z",
        "2026-05-01t22:15:01.5+02:00",
        "2026-05-02T01:45:02.12+05:30",
    ]
    for position, at in enumerate(moments, 1):
        body = {"position": position, "at": at}
        assert signed_in.put(f"/api/videos/{film}/progress/", json=body).status_code == 204
        assert seen(signed_in, film)[0] == position


def test_a_beat_is_one_statement_beside_finding_film_and_member(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    for position in (10, 99):
        with statements(app) as said:
            assert beat(signed_in, film, position) == 204
        verbs = [text.split()[0] for text in said if not text.startswith("BEGIN")]
        assert verbs == ["SELECT", "SELECT", "INSERT"]


# the next episode


def test_a_finished_episode_puts_the_next_one_into_the_row(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    first, second, third = add_episodes(app, member, (1, 1), (1, 2), (2, 1))
    beat(signed_in, first, 99)
    assert ids(signed_in, "/api/continue-watching/") == [second]
    assert seen(signed_in, second) == (0, False, False)
    assert signed_in.put(f"/api/videos/{second}/watched/").status_code == 204
    assert ids(signed_in, "/api/continue-watching/") == [third]  # in the next season
    beat(signed_in, third, 99)
    assert ids(signed_in, "/api/continue-watching/") == []


def test_an_episode_that_is_begun_keeps_its_place(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    first, second = add_episodes(app, member, (1, 1), (1, 2))
    beat(signed_in, second, 30)
    beat(signed_in, first, 99)
    assert seen(signed_in, second)[0] == 30


# lists


def test_lists_go_on_where_a_page_ended(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    films = add_films(app, member, 5, is_global=True, duration=100.0)
    for number, film in enumerate(films):
        beat(signed_in, film, 10, NOON + timedelta(seconds=number // 2))  # two at a time
        assert signed_in.put(f"/api/my-list/{film}/").status_code == 204
    for path in ("/api/continue-watching/", "/api/my-list/"):
        found: list[int] = []
        address = f"{path}?limit=2"
        while address:
            answer = signed_in.get(address)
            found += [film["id"] for film in answer.json]
            link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("Link", ""))
            address = link[1] if link else ""
        assert found == films[::-1], path


NO_CURSORS = ["", "x", "0", "-1", "1-", "1-0", "9" * 30, "\u0661-\u0661", "AA=.1", "x" * 2000]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_cursor_that_no_page_named_is_refused(signed_in: FlaskClient) -> None:
    for path in ("continue-watching", "my-list", "global-videos", "local-videos", "series"):
        for before in NO_CURSORS:
            answer = signed_in.get(f"/api/{path}/", query_string={"before": before})
            assert (answer.status_code, answer.json["code"]) == (400, "invalid_input"), before
            assert list(answer.json["errors"]) == ["before"]


def test_a_list_of_ones_own_takes_few_statements_whatever_its_length(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    counts: dict[str, list[int]] = {"/api/continue-watching/": [], "/api/my-list/": []}
    for count in (2, 12):
        for film in add_films(app, member, count, is_global=True, duration=100.0):
            beat(signed_in, film, 10)
            signed_in.put(f"/api/my-list/{film}/")
        for path, counted in counts.items():
            with statements(app, "SELECT") as said:
                assert len(ids(signed_in, path)) >= count
            counted.append(len(said))
    for counted in counts.values():
        assert counted[0] == counted[1]
        assert counted[0] <= 4


def test_my_list_keeps_a_film_once(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    first, second = add_films(app, member, 2, is_global=True)
    for film in (first, second, first):
        assert signed_in.put(f"/api/my-list/{film}/").status_code == 204
    assert ids(signed_in, "/api/my-list/") == [second, first]
    assert seen(signed_in, first)[2] is True
    for _ in range(2):
        assert signed_in.delete(f"/api/my-list/{first}/").status_code == 204
    assert ids(signed_in, "/api/my-list/") == [second]


def test_what_one_remembers_is_for_nobody_else(
    app: APIFlask, signed_in: FlaskClient, other: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True, duration=100.0)
    beat(signed_in, film, 10)
    signed_in.put(f"/api/my-list/{film}/")
    assert seen(other, film) == (0, False, False)
    for path in ("/api/continue-watching/", "/api/my-list/"):
        assert ids(other, path) == []
        assert other.delete(f"{path}{film}/").status_code == 204
        assert ids(signed_in, path) == [film]
    assert "no-store" in signed_in.get("/api/my-list/").headers["Cache-Control"]


# who may


def test_anothers_private_film_is_not_there(app: APIFlask, other: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1)
    asked = [
        ("PUT", "/api/videos/{}/progress/"),
        ("PUT", "/api/videos/{}/watched/"),
        ("DELETE", "/api/videos/{}/watched/"),
        ("PUT", "/api/my-list/{}/"),
        ("DELETE", "/api/my-list/{}/"),
        ("DELETE", "/api/continue-watching/{}/"),
    ]
    for method, path in asked:
        hidden, missing = (
            other.open(path.format(id), method=method, json={"position": 1}) for id in (film, 4711)
        )
        assert (hidden.status_code, missing.status_code) == (404, 404), path
        assert hidden.json == missing.json


def test_a_withdrawn_film_is_hidden_until_it_is_back(
    app: APIFlask, other: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True, duration=100.0)
    beat(other, film, 10)
    other.put(f"/api/my-list/{film}/")

    def publish(is_global: bool) -> None:
        with app.app_context():
            db.session.get_one(Video, film).is_global = is_global
            db.session.commit()

    publish(False)
    for path in ("/api/continue-watching/", "/api/my-list/"):
        assert ids(other, path) == []
    assert beat(other, film, 20) == 404
    publish(True)
    for path in ("/api/continue-watching/", "/api/my-list/"):
        assert ids(other, path) == [film]
    publish(False)
    for path in ("/api/continue-watching/", "/api/my-list/"):
        assert other.delete(f"{path}{film}/").status_code == 204  # one's own entry
        assert other.delete(f"{path}{film}/").status_code == 404


def test_a_film_that_cannot_be_watched_yet_has_no_progress(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, playable=False, status=Status.PROCESSING)
    answer = signed_in.put(f"/api/videos/{film}/progress/", json={"position": 1})
    assert (answer.status_code, answer.json["code"]) == (409, "not_playable")
    assert signed_in.put(f"/api/my-list/{film}/").status_code == 204  # for later
    assert ids(signed_in, "/api/my-list/") == [film]


def test_what_is_remembered_goes_with_the_film(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=100.0)
    beat(signed_in, film, 10)
    signed_in.put(f"/api/my-list/{film}/")
    assert signed_in.delete(f"/api/local-videos/{film}/").status_code == 204
    assert ids(signed_in, "/api/continue-watching/") == []
    assert ids(signed_in, "/api/my-list/") == []
    assert beat(signed_in, film, 10) == 404
