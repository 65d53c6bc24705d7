from __future__ import annotations

import re

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner

from app.database import Base, db
from app.videos.models import Status, Video
from app.videos.names import new_film
from bench.statements import statements
from tests.conftest import make_user, sign_in


def add_films(app: APIFlask, owner_id: int, count: int, **facts: object) -> list[int]:
    """Rows of films that need no files."""
    with app.app_context():
        videos = [
            Video(
                owner_id=owner_id,
                film=new_film(),
                title=f"Film {number}",
                size=1,
                **{"status": Status.READY, "playable": True, **facts},
            )
            for number in range(count)
        ]
        db.session.add_all(videos)
        db.session.commit()
        return [video.id for video in videos]


def test_pages_follow_each_other_while_rows_come(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    films = add_films(app, member, 7, is_global=True)
    seen: list[int] = []
    address = "/api/global-videos/?limit=3"
    while address:
        answer = signed_in.get(address)
        seen += [video["id"] for video in answer.json]
        add_films(app, member, 1, is_global=True)  # newer ones disturb no page behind
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("Link", ""))
        address = link[1] if link else ""
    assert seen == sorted(films, reverse=True)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "before=0"])
def test_a_wrong_query_names_its_field(signed_in: FlaskClient, query: str) -> None:
    answer = signed_in.get(f"/api/global-videos/?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_input")
    assert list(answer.json["errors"]) == [query.split("=")[0]]


def test_the_catalogue_shows_what_everyone_may_watch(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    shown = add_films(app, member, 1, is_global=True, category="Family")
    add_films(app, member, 1)
    add_films(app, member, 1, is_global=True, playable=False, status=Status.PROCESSING)
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    for viewer in (signed_in, other):
        assert [video["id"] for video in viewer.get("/api/global-videos/").json] == shown
    assert other.get("/api/local-videos/").json == []
    assert len(signed_in.get("/api/local-videos/").json) == 3
    assert other.get("/api/global-videos/?category=Family").json != []
    assert other.get("/api/global-videos/?category=Other").json == []
    assert other.get(f"/api/global-videos/{shown[0]}/").json["category"] == "Family"


def test_paths_without_the_last_slash_are_served_too(signed_in: FlaskClient) -> None:
    assert signed_in.get("/api/local-videos").status_code == 200
    assert signed_in.get("/api/global-videos").status_code == 200


def test_a_list_takes_the_same_few_statements_whatever_its_length(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    counts = []
    for films in (2, 40):
        add_films(app, member, films, is_global=True)
        with statements(app, "SELECT") as said:
            assert signed_in.get("/api/global-videos/?limit=50").status_code == 200
        counts.append(len(said))
    assert counts[0] == counts[1]
    assert counts[0] <= 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/api/global-videos/",
        "/api/global-videos/?category=Family",
        "/api/local-videos/",
        "/api/continue-watching/",
        "/api/my-list/",
        "/api/video/",
        "/browse",
        "/my-videos",
    ],
)
def test_no_list_reads_what_it_does_not_show(
    app: APIFlask, signed_in: FlaskClient, member: int, path: str
) -> None:
    """No statement goes through a table from end to end, however many films there are."""
    add_films(app, member, 60, is_global=True, category="Family")
    with statements(app, "SELECT") as said:
        assert signed_in.get(path).status_code == 200
    with app.app_context(), db.engine.connect() as connection:
        for statement in said:
            unknown = (None,) * statement.count("?")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", unknown).all()
            scans = [row[3] for row in plan if row[3].startswith("SCAN ")]
            read = {scan.split()[1] for scan in scans} & {*Base.metadata.tables}
            assert not read, (statement, plan)


def test_what_is_said_of_a_film_can_be_changed(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1)
    changed = signed_in.patch(
        f"/api/local-videos/{film}/",
        json={"title": " New ", "owner_id": 99, "is_global": True, "status": "failed"},
    )
    assert changed.status_code == 200
    assert changed.json["title"] == "New"
    assert changed.json["owner"]["id"] == member
    assert (changed.json["is_global"], changed.json["status"]) == (False, "ready")
    wrong_bodies = ({"title": " "}, {"title": 5}, {"category": "x" * 61})
    for body, field in zip(wrong_bodies, ("title", "title", "category"), strict=True):
        answer = signed_in.patch(f"/api/local-videos/{film}/", json=body)
        assert answer.status_code == 400
        assert list(answer.json["errors"]) == [field]
    wrong = signed_in.patch(f"/api/local-videos/{film}/", data="x", content_type="text/plain")
    assert wrong.status_code == 415


def test_curators_change_the_catalogue_and_not_what_is_private(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (shared,) = add_films(app, member, 1, is_global=True)
    (private,) = add_films(app, member, 1)
    make_user(app, "curator@example.org", role="curator")
    make_user(app, "other@example.org")
    curator = sign_in(app.test_client(), "curator@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    body = {"title": "Mended"}
    assert other.patch(f"/api/local-videos/{shared}/", json=body).status_code == 403
    assert other.delete(f"/api/local-videos/{shared}/").status_code == 403
    assert curator.patch(f"/api/local-videos/{shared}/", json=body).status_code == 200
    assert curator.patch(f"/api/local-videos/{private}/", json=body).status_code == 404


def test_commands_list_show_and_delete(app: APIFlask, runner: FlaskCliRunner, member: int) -> None:
    (film,) = add_films(app, member, 1)
    assert "Film 0" in runner.invoke(args=["videos", "list"]).output
    assert f'"id": {film}' in runner.invoke(args=["videos", "show", str(film), "--json"]).output
    assert runner.invoke(args=["videos", "delete", str(film)]).exit_code == 0
    again = runner.invoke(args=["videos", "delete", str(film)])
    assert again.exit_code == 1
    assert "There is no film" in again.output


def test_browse_shows_rows_and_a_hero(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    assert signed_in.get("/browse").status_code == 200
    add_films(app, member, 3, is_global=True, category="Family")
    page = signed_in.get("/browse").text
    assert "Film 2" in page
    assert "Family" in page
    assert signed_in.get("/").location.endswith("/browse")
    film = signed_in.get("/api/global-videos/").json[0]["id"]
    assert "Film 2" in signed_in.get(f"/videos/{film}").text
