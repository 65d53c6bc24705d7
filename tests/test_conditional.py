from __future__ import annotations

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from tests.conftest import make_user, sign_in
from tests.videos.test_lists import add_films

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_who_asks_again_is_told_that_nothing_changed(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, is_global=True, category="Family")
    paths = ("videos/{}", "videos/{}/grid", "local-videos", "global-videos", "categories")
    for path in (*(f"/api/{path}/".format(film) for path in paths), "/api/openapi.json"):
        first = signed_in.get(path)
        tag = first.headers["ETag"]
        again = signed_in.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b""), path
        assert again.headers["ETag"] == tag
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert "no-store" in again.headers["Cache-Control"]
        assert signed_in.get(path, headers={"If-None-Match": '"other"'}).data == first.data


def test_a_change_is_seen_at_once(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1)
    path = f"/api/videos/{film}/"
    tag = {"If-None-Match": signed_in.get(path).headers["ETag"]}
    signed_in.patch(f"/api/local-videos/{film}/", json={"title": "New"})
    changed = signed_in.get(path, headers=tag)
    assert (changed.status_code, changed.json["title"]) == (200, "New")


def test_a_tag_opens_nothing(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1)
    path = f"/api/videos/{film}/"
    tag = {"If-None-Match": signed_in.get(path).headers["ETag"]}
    assert app.test_client().get(path, headers=tag).status_code == 401
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    assert other.get(path, headers=tag).status_code == 404
    assert "ETag" not in other.get(path).headers
    assert "ETag" not in signed_in.patch(f"/api/local-videos/{film}/", json={}).headers


def test_a_number_beyond_all_ids_leads_nowhere(signed_in: FlaskClient) -> None:
    for path in ("videos/{}", "series/{}", "local-videos/{}"):
        for number in (2**63 - 1, 2**63, 10**40):
            assert signed_in.get(f"/api/{path}/".format(number)).status_code == 404
