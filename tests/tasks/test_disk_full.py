"""The disk fills: uploads are refused, films that are there play, the rest goes on with room."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from config import Settings
from tests.databases import copy_database
from tests.films import made_film, multipart

from .test_converters import states, upload, workers
from .test_faults import encoders, filled, status, upload_long, wait_for

pytestmark = pytest.mark.slow

DISK_MEGABYTES = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for DATA_DIR."""
    folder = tmp_path / "data"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> bool:
    """Whether the database is on the small disk as well."""
    return bool(getattr(request, "param", False))


@pytest.fixture
def settings(settings: Settings, small_disk: Path, shared: bool) -> Settings:
    if not shared:
        return settings
    url = f"sqlite:///{small_disk}/test.sqlite"
    copy_database(settings.DATABASE_URL, url)
    return dataclasses.replace(settings, DATABASE_URL=url)


def fill(disk: Path) -> Path:
    """Write a file until nothing more fits."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            if file.write(bytes(4096)) < 4096:
                break
    return filler


def plays(client: FlaskClient, video_id: int) -> bool:
    """Whether all playlists and all segments of the film are served."""
    master = client.get(f"/api/videos/{video_id}/playback/").json["hls_url"]
    text = client.get(master).text
    rows = re.findall(r'^[^#\n].*|URI="([^"]+)"', text, re.MULTILINE)
    names = re.findall(r"^([^#\n]+\.m3u8)", text, re.MULTILINE) + [row for row in rows if row]
    served = 0
    for name in names:
        playlist = urljoin(master, name)
        for segment in re.findall(r"^([^#\n]+\.m4s)", client.get(playlist).text, re.MULTILINE):
            with client.get(urljoin(playlist, segment)) as answer:
                assert answer.status_code == 200
                served += len(answer.data) > 0
    return served > 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_finds_no_room_goes_on_when_there_is_room(
    app: APIFlask, signed_in: FlaskClient, small_disk: Path, tmp_path: Path
) -> None:
    with workers(app, tmp_path / "worker.log", TASK_ATTEMPTS="2"):
        early = upload(signed_in)
        wait_for(lambda: status(signed_in, early) == "ready")
        huge = made_film().read_bytes() + bytes(DISK_MEGABYTES << 20)
        refused = signed_in.post("/api/local-videos/", **multipart(huge))
        assert (refused.status_code, refused.json["code"]) == (507, "no_room")

        late = upload_long(signed_in)
        wait_for(lambda: bool(encoders(app)) and filled(signed_in, late) > 0.05)
        filler = fill(small_disk)
        assert plays(signed_in, early)
        small = multipart(made_film().read_bytes())
        assert signed_in.post("/api/local-videos/", **small).status_code == 507
        wait_for(lambda: status(signed_in, late) == "failed")
        error = signed_in.get(f"/api/videos/{late}/").json["error"]
        assert error["code"] == "disk_full"
        assert "room" in error["message"] + error["hint"]
        assert plays(signed_in, early)
        before = filled(signed_in, late)
        assert before > 0, "what is filled stays"
        filler.unlink()
        wait_for(lambda: status(signed_in, late) == "ready", 100)
        assert states(signed_in) == {early: "ready", late: "ready"}
        assert signed_in.get(f"/api/videos/{late}/").json["thumbnail_url"]
        assert plays(signed_in, late)


@pytest.mark.parametrize(("database_url", "shared"), [("sqlite", True)], indirect=True)
def test_a_database_on_the_full_disk_heals_as_well(
    app: APIFlask, signed_in: FlaskClient, small_disk: Path, tmp_path: Path
) -> None:
    assert str(small_disk) in app.config["DATABASE_URL"]
    with workers(app, tmp_path / "worker.log") as pool:
        early = upload(signed_in)
        wait_for(lambda: status(signed_in, early) == "ready")
        late = upload_long(signed_in)
        wait_for(lambda: bool(encoders(app)) and filled(signed_in, late) > 0.05)
        filler = fill(small_disk)
        wait_for(lambda: b"full" in (tmp_path / "worker.log").read_bytes())
        assert plays(signed_in, early)
        assert signed_in.get("/my-videos").status_code == 200
        filler.unlink()
        wait_for(lambda: status(signed_in, late) == "ready", 100)
        assert pool.poll() is None
