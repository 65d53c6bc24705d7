"""Key frames for fast seeking, read as strictly as RFC 8216 is written."""

from __future__ import annotations

import io
import math
import re

import av
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.database import db
from app.media.playlists import average_bit_rate, peak_bit_rate
from app.videos.models import Cell, Rendition
from tests.conftest import Convert, make_user, sign_in
from tests.films import made_film

from .test_streams import base, status

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OFFER = re.compile(
    r"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),"
    r'CODECS="(avc1\.[0-9a-f]{6})",RESOLUTION=(\d+)x(\d+),URI="(\w+/iframes\.m3u8)"'
)


@pytest.fixture
def root(signed_in: FlaskClient, ready: Convert) -> str:
    """The stream of a converted film whose smallest row is not its largest."""
    return base(signed_in, ready(made_film(10, "854x480")))


def text(client: FlaskClient, address: str) -> str:
    with client.get(address) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "application/vnd.apple.mpegurl")
        return answer.text


def offers(master: str) -> list[str]:
    return [line for line in master.splitlines() if "I-FRAME" in line]


def ranges(playlist: str) -> list[tuple[float, int, int, str]]:
    """(seconds, bytes, offset, address) of each entry of a well-formed I-frame playlist."""
    head, *rest = re.split(r"^(?=#EXTINF)", playlist, flags=re.MULTILINE)
    tags = head.splitlines()
    assert tags[0] == "#EXTM3U"
    assert tags.count("#EXT-X-I-FRAMES-ONLY") == 1
    assert int(re.findall(r"^#EXT-X-VERSION:(\d+)$", head, re.MULTILINE)[0]) >= 6
    assert tags.count("#EXT-X-PLAYLIST-TYPE:VOD") == tags.count("#EXT-X-MEDIA-SEQUENCE:0") == 1
    assert tags.count('#EXT-X-MAP:URI="init.mp4"') == 1
    (target,) = re.findall(r"^#EXT-X-TARGETDURATION:(\d+)$", head, re.MULTILINE)
    assert rest[-1].endswith("#EXT-X-ENDLIST\n")
    found = []
    for entry in "".join(rest).removesuffix("#EXT-X-ENDLIST\n").split("#EXTINF:")[1:]:
        match = re.fullmatch(r"([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\d+\.m4s)\n", entry)
        assert match, entry
        assert math.floor(float(match[1]) + 0.5) <= int(target)
        found.append((float(match[1]), int(match[2]), int(match[3]), match[4]))
    return found


def test_every_range_is_one_picture(signed_in: FlaskClient, root: str) -> None:
    master = text(signed_in, f"{root}master.m3u8")
    (offer,) = offers(master)
    match = OFFER.fullmatch(offer)
    assert match, offer
    peak, average, codec, width, height, address = match.groups()
    sizes = [tuple(map(int, pair)) for pair in re.findall(r"RESOLUTION=(\d+)x(\d+),F", master)]
    assert len(sizes) > 1
    assert (int(width), int(height)) == min(sizes), "of the smallest row"
    assert f'CODECS="{codec},' in master
    folder = address.removesuffix("iframes.m3u8")
    entries = ranges(text(signed_in, f"{root}{address}"))
    assert len(entries) > 2
    assert sum(entry[0] for entry in entries) == pytest.approx(10, abs=0.1)
    weights = [(size, seconds) for seconds, size, _, _ in entries]
    assert int(peak) == math.ceil(peak_bit_rate(weights))
    assert int(average) == math.ceil(average_bit_rate(weights))
    with signed_in.get(f"{root}{folder}init.mp4") as answer:
        init = answer.data
    begin = 0.0
    for seconds, size, offset, name in entries:
        wanted = {"Range": f"bytes={offset}-{offset + size - 1}"}
        with signed_in.get(f"{root}{folder}{name}", headers=wanted) as answer:
            assert (answer.status_code, len(answer.data)) == (206, size)
            data = answer.data
        with av.open(io.BytesIO(init + data), "r", format="mp4") as container:
            stream = container.streams.video[0]
            (packet,) = (packet for packet in container.demux(stream) if packet.size)
            pictures = [*packet.decode(), *stream.decode(None)]
        assert len(pictures) == 1, name
        assert packet.is_keyframe
        assert pictures[0].pict_type == av.video.frame.PictureType.I
        assert (pictures[0].width, pictures[0].height) == (int(width), int(height))
        assert packet.pts is not None
        assert float(packet.pts * (packet.time_base or 0)) == pytest.approx(begin, abs=0.001)
        begin += seconds


def test_only_a_full_row_is_offered(app: APIFlask, signed_in: FlaskClient, root: str) -> None:
    (offer,) = offers(text(signed_in, f"{root}master.m3u8"))
    address = offer.split('URI="')[1].rstrip('"')
    for other in ("iframes.m3u8", "audio-0/iframes.m3u8", "480p/iframes.m3u8", "x/iframes.m3u8"):
        assert status(signed_in, f"{root}{other}") == 404, other
    make_user(app, "other@example.org")
    other_member = sign_in(app.test_client(), "other@example.org")
    grant = root.split("/")[2]
    assert status(other_member, f"{root}{address}".replace(grant, "x")) == 404
    with app.app_context():
        rendition = select(Rendition.id).where(Rendition.name == address.split("/")[0])
        cell = db.session.scalars(
            select(Cell).where(Cell.rendition_id.in_(rendition)).order_by(Cell.chunk)
        ).first()
        assert cell is not None
        kept = list(cell.segments or [])
        for stored in (None, [segment[:3] for segment in kept]):
            db.session.execute(update(Cell).where(Cell.id == cell.id).values(segments=stored))
            db.session.commit()
            assert offers(text(signed_in, f"{root}master.m3u8")) == []
            assert status(signed_in, f"{root}{address}") == 404
