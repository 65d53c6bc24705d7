"""Files made to hurt end in a clear error within seconds, and nobody else's file is read."""

from __future__ import annotations

import contextlib
import shutil
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.media.apart import probe_apart
from app.media.boxes import find, walk
from app.media.cells import fill_chunk
from app.media.errors import MediaError
from app.media.images import make_poster
from app.media.plan import make_plan
from app.media.probe import probe
from tests.media.conftest import Clip, lavfi
from tests.media.playback import check_row, convert, never

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9"/></svg>'
TEXTS = {
    "concat": "ffconcat version 1.0\nfile sibling.ts\n",
    "concat-absolute": "ffconcat version 1.0\nfile '{sibling}'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsibling.ts\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><BaseURL>sibling.ts</BaseURL></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "svg": SVG,
    "html": "<!doctype html><script>alert(1)</script>",
    "gif": "GIF89a" + "\1\0\1\0\0\0\0;",
    "nothing": "",
    "one": "x",
}
CONVERTED = {
    "fps_1000.mp4", "hdr_dims_65535.mp4", "html_polyglot_valid.html", "html_polyglot_valid.mp4",
    "mov_external_dref_file.mp4", "php_polyglot_valid.mp4.php", "secret_sibling.ts",
    "stts_delta_zero.mp4", "webm_named.mp4",
}  # fmt: skip
"""The hostile films that are films after all: odd, but what they show is their own."""


MEMORY = 3 << 29
"""Bytes of the whole process tree; the most was 1.1 GB."""

SECRET = b"another member's own words, which no output may hold"
HOST = Path("/etc/hostname").read_bytes().strip().ljust(8, b"\n")
"""Some of the films name this file; too short a name would be found by chance."""


@pytest.fixture
def sibling(make_clip: Clip, tmp_path: Path) -> Path:
    clip = make_clip("sibling.ts", [*lavfi("64x64", seconds=1, sound=False), "-c:v", "mpeg2video"])
    return _copy(clip, tmp_path)


def _copy(path: Path, folder: Path) -> Path:
    target = folder / path.name
    target.write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts"])
def test_text_is_not_a_film(kind: str, ending: str, sibling: Path, tmp_path: Path) -> None:
    upload = tmp_path / f"upload{ending}"
    upload.write_text(TEXTS[kind].format(sibling=sibling), encoding="latin-1")
    with pytest.raises(MediaError) as caught:
        probe(upload)
    assert caught.value.code == "not_a_film"
    assert caught.value.permanent
    assert str(tmp_path) not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("kind", ["concat", "hls", "dash", "svg"])
def test_ffmpeg_itself_refuses_text(
    kind: str, sibling: Path, tmp_path: Path, film: Path, binary: str
) -> None:
    plan = make_plan(probe(film))
    upload = tmp_path / "upload.mp4"
    upload.write_text(TEXTS[kind], encoding="latin-1")
    with pytest.raises(MediaError) as caught:
        fill_chunk(upload, plan, 0, ["240p"], tmp_path, ffmpeg=binary, stop=never)
    assert caught.value.code == "damaged"
    assert not (tmp_path / "240p").exists()
    with pytest.raises(MediaError):
        make_poster(upload, plan, tmp_path, ffmpeg=binary, stop=never)


def test_large_picture_is_refused(make_clip: Clip) -> None:
    clip = make_clip(
        "large.mkv", ["-f", "lavfi", "-i", "color=s=8192x8192:r=1:d=1", "-c:v", "mjpeg"]
    )
    with pytest.raises(MediaError) as caught:
        probe(clip)
    assert caught.value.code == "too_large_picture"


def test_metadata_does_not_reach_the_renditions(
    make_clip: Clip, film: Path, binary: str, tmp_path: Path
) -> None:
    clip = make_clip(
        "tagged.mp4", ["-i", str(film), "-c", "copy", "-metadata", "title=SECRET",
                       "-metadata", "location=+48.1+011.5/", "-metadata:s:v", "title=SECRET"],
    )  # fmt: skip
    plan = make_plan(probe(clip))
    convert(clip, plan, tmp_path, binary)
    make_poster(clip, plan, tmp_path, ffmpeg=binary, stop=never)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        assert b"SECRET" not in path.read_bytes()
        assert b"+48.1" not in path.read_bytes()


def test_boxes_that_lie_are_noticed() -> None:
    with pytest.raises(ValueError, match="larger"):
        list(walk(struct.pack(">I4s", 100, b"moov")))
    with pytest.raises(ValueError, match="cut off"):
        list(walk(struct.pack(">I4s", 1, b"moov")))
    assert find(struct.pack(">I4s", 8, b"moov"), b"moov", b"trak") is None


@dataclass
class Watch:
    """The most memory that this process and all it started since held at one time, beyond its own
    at the start; in bytes, looked at every 20 ms."""

    most: int = 0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        own = psutil.Process()
        before = own.memory_info().rss
        others = set(own.children(recursive=True))  # servers of other tests
        while not self._over.wait(0.02):
            held = own.memory_info().rss - before
            for child in set(own.children(recursive=True)) - others:
                with contextlib.suppress(psutil.Error):
                    held += child.memory_info().rss
            self.most = max(self.most, held)


@pytest.mark.slow
def test_hostile_corpus(corpus: Path, binary: str, tmp_path: Path) -> None:
    """Each ends in an error or plays, soon, in little memory, with no byte of another file."""
    hostile = tmp_path / "hostile"
    shutil.copytree(corpus / "hostile", hostile)
    (hostile / "secret_sibling.ts").write_bytes(
        (corpus / "hostile" / "secret_sibling.ts").read_bytes() + SECRET
    )
    films = set()
    for path in sorted(hostile.iterdir()):
        place = tmp_path / "places" / path.name
        place.mkdir(parents=True)
        began = time.monotonic()
        with Watch() as watch, contextlib.suppress(MediaError):
            plan = make_plan(probe_apart(path, stop=never))
            for name, cells in convert(path, plan, place, binary).items():
                check_row(plan, name, cells)
            if plan.video:
                make_poster(path, plan, place, ffmpeg=binary, stop=never)
            films.add(path.name)
        assert time.monotonic() - began < 20, path.name
        assert watch.most < MEMORY, (path.name, watch.most)
        for written in place.rglob("*"):
            data = written.read_bytes() if written.is_file() else b""
            assert SECRET not in data, path.name
            assert HOST not in data, path.name
    assert films == CONVERTED
