"""The storyboard of the time line and the moving preview, from the filled grid to a player."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import urljoin

import av
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.media.storyboard import Sheets, storyboard_vtt
from tests.conftest import make_user, sign_in
from tests.films import made_film, multipart

from .test_streams import status

Work = Callable[[], None]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_ready_film_has_a_storyboard_and_a_preview(
    app: APIFlask, signed_in: FlaskClient, work: Work, codec: str
) -> None:
    film = made_film(20, "640x360", codec).read_bytes()
    video_id = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    assert video["status"] == "ready"
    board = video["storyboard_url"]
    assert board == signed_in.get(f"/api/videos/{video_id}/playback/").json["storyboard_url"]
    with signed_in.get(board) as answer:
        assert answer.content_type == "text/vtt; charset=utf-8"
        text = answer.text
    cues = re.findall(r"([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n", text)
    assert len(cues) >= 5
    assert cues[0][0] == "00:00:00.000"
    assert cues[-1][1].startswith(("00:00:20", "00:00:19.9"))
    assert [cue[0] for cue in cues[1:]] == [cue[1] for cue in cues[:-1]], "no gap"
    (sheet,) = {cue[2] for cue in cues}
    with signed_in.get(urljoin(board, sheet)) as answer:
        assert answer.content_type == "image/jpeg"
        with av.open(io.BytesIO(answer.data)) as container:
            picture = next(container.decode(video=0))
    for _, _, _, x, y, width, height in cues:
        assert int(x) + int(width) <= picture.width
        assert int(y) + int(height) <= picture.height
    with signed_in.get(video["preview_url"]) as answer, av.open(io.BytesIO(answer.data)) as clip:
        assert answer.content_type == "video/mp4"
        assert [stream.type for stream in clip.streams] == ["video"]
        frames = list(clip.decode(video=0))
    assert 4 * 25 <= len(frames) <= 13 * 25
    assert float(frames[0].time or 0) < 0.2, "it begins at once"

    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    foreign = board.replace(board.split("/")[4], "x")
    assert status(other, foreign) == 404
    for name in ("board-00.jpg", "board-9.jpg", "original", "..%2foriginal", "x.mp4"):
        assert status(signed_in, urljoin(board, name)) == 404, name


def test_a_film_of_a_moment_has_one_picture(signed_in: FlaskClient, work: Work) -> None:
    film = made_film(0.2).read_bytes()
    video_id = signed_in.post("/api/local-videos/", **multipart(film)).json["id"]
    work()
    video = signed_in.get(f"/api/videos/{video_id}/").json
    with signed_in.get(video["storyboard_url"]) as answer:
        assert answer.text.count("#xywh=0,0,160,90") == 1


def test_many_pictures_go_on_several_sheets() -> None:
    text = storyboard_vtt(Sheets(tuple(float(n) for n in range(201)), 160, 90), 201.0)
    assert "00:01:39.000 --> 00:01:40.000\nboard-0.jpg#xywh=1440,810,160,90" in text
    assert "00:01:40.000 --> 00:01:41.000\nboard-1.jpg#xywh=0,0,160,90" in text
    assert "00:03:20.000 --> 00:03:21.000\nboard-2.jpg#xywh=0,0,160,90" in text
