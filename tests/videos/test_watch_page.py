"""What the watch page tells its player: where to begin, what comes next, what else there is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.videos import series
from app.videos.models import Video
from tests.films import made_film, multipart
from tests.videos.test_lists import add_films

Work = Callable[[], None]


def of(page: str, name: str) -> str:
    """A `data-…` attribute of the player."""
    found = re.search(rf'\sdata-{name}="([^"]*)"', page)
    assert found, name
    return found[1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_player_is_told_where_to_begin_and_what_follows(
    app: APIFlask, signed_in: FlaskClient, member: int, work: Work
) -> None:
    body = multipart(made_film(2).read_bytes(), title="Dusk", category="Nights")
    film = signed_in.post("/api/local-videos/", **body).json["id"]
    work()
    others = add_films(app, member, 5, is_global=True, category="Nights")
    add_films(app, member, 1, is_global=True, category="Days")

    page = signed_in.get(f"/watch/{film}").text
    assert (of(page, "position"), of(page, "next"), of(page, "show")) == ("0", "", "")
    assert of(page, "progress") == f"/api/videos/{film}/progress/"
    named = {int(number) for number in re.findall(r'href="/watch/(\d+)"', page)}
    assert named == set(others[-3:])  # the newest of its kind

    beat = signed_in.put(f"/api/videos/{film}/progress/", json={"position": 1.5})
    assert beat.status_code == 204
    with app.app_context():
        for number, video_id in enumerate((film, others[0]), 1):
            video = db.session.get_one(Video, video_id)
            series.assign(video, "Night <Shift>", 1, number)
        db.session.commit()
    page = signed_in.get(f"/watch/{film}").text
    assert of(page, "position") == "1.5"
    assert of(page, "next") == f"/watch/{others[0]}"
    assert of(page, "show") == "Night &lt;Shift&gt; · S1 E1"
    assert "Next: S1 E2" in page
    assert {int(number) for number in re.findall(r'href="/watch/(\d+)"', page)} == {others[0]}
