"""`flask storage audit`: rows against files, on films that were really converted and damaged."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select, update
from werkzeug.datastructures import FileStorage

from app.database import db, forget_connections
from app.storage import storage
from app.storage.local import LocalStorage
from app.tasks import audit, publishing
from app.tasks.jobs import run_task
from app.tasks.reconcile import reconcile
from app.videos import service
from app.videos.models import (
    Cell,
    Grid,
    Rendition,
    Status,
    Subtitle,
    Task,
    TaskKind,
    TaskState,
    Video,
)
from app.videos.names import INIT, POSTER, STORYBOARD
from tests.conftest import Convert, run_in_child
from tests.films import made_film, multipart
from tests.videos.test_captions import SRT, talking_film

from .conftest import Start
from .test_faults import filled, status, upload_long, wait_for

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Where the kind of the database changes nothing, one is enough: these tests convert films."""

Work = Callable[[], None]
OLD = 2 * audit.ORPHAN_SECONDS


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of several chunks with two text tracks."""
    return talking_film(tmp_path_factory.mktemp("talking"), 14)


class Site:
    """One converted film, and the command."""

    def __init__(self, app: APIFlask, client: FlaskClient, runner: FlaskCliRunner) -> None:
        self.app, self.client, self.runner = app, client, runner
        self.media = Path(app.config["DATA_DIR"]) / "media"
        self.video_id = 0

    def upload(self, film: bytes, name: str = "film.mkv") -> None:
        answer = self.client.post("/api/local-videos/", **multipart(film, name))
        assert answer.status_code == 201, answer.text
        self.video_id = answer.json["id"]

    @property
    def folder(self) -> Path:
        with self.app.app_context():
            video = db.session.get_one(Video, self.video_id)
            return storage().path(video.film, "")

    def audit(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        done = self.runner.invoke(args=["storage", "audit", "--json", *words])
        assert done.exit_code in {0, 1}, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        facts = json.loads(done.output)
        assert facts["checked"]["films"] >= 0
        return done.exit_code, facts["findings"]

    def hashes(self) -> dict[str, str]:
        """Every published file of the grid, and what the rows say of it."""
        found = {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.folder.glob("grid-*/*/*")
        }
        with self.app.app_context():
            cells = db.session.scalars(select(Cell).order_by(Cell.id))
            rows = db.session.scalars(select(Rendition).order_by(Rendition.id))
            found |= {f"cell {cell.id}": json.dumps(cell.segments) for cell in cells}
            found |= {f"row {row.id}": f"{row.init_sha256} {row.bytes}" for row in rows}
        return found

    def grid_file(self, kind: str, mode: str, name: str) -> Path:
        """A file of a picture or sound row that is copied or encoded."""
        with self.app.app_context():
            plan = json.loads(db.session.scalars(select(Grid.plan)).one())
            rows = [row["name"] for row in plan[kind] if row["mode"] == mode]
            grid_id = db.session.scalars(select(Grid.id)).one()
        return self.folder / f"grid-{grid_id}" / rows[0] / name


@pytest.fixture
def empty(
    app: APIFlask,
    signed_in: FlaskClient,
    runner: FlaskCliRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.05)
    return Site(app, signed_in, runner)


@pytest.fixture
def site(empty: Site, talking: Path, ready: Convert) -> Site:
    empty.video_id = ready(talking)
    return empty


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def age(path: Path, seconds: float = OLD) -> None:
    """Let a file or a folder with all in it be so old."""
    moment = time.time() - seconds
    for one in [*path.rglob("*"), path] if path.is_dir() else [path]:
        os.utime(one, (moment, moment))


def test_a_converted_film_is_as_its_rows_say(site: Site) -> None:
    age(site.media)
    assert site.audit() == (0, [])
    assert site.audit("--fix") == (0, [])
    done = site.runner.invoke(args=["storage", "audit"])
    assert done.exit_code == 0
    assert "1 films with " in done.output
    assert done.output.endswith("rows and files agree.\n")
    assert "0 B read" not in done.output


@sqlite_only
def test_an_empty_site_is_clean(empty: Site) -> None:
    assert empty.audit("--fix") == (0, [])


@pytest.mark.parametrize("row", [("video", "copy"), ("video", "encode"), ("audio", "encode")])
@sqlite_only
def test_a_damaged_file_of_the_grid_is_made_again(
    empty: Site, work: Work, ready: Convert, row: tuple[str, str]
) -> None:
    empty.video_id = ready(made_film(14, "640x360"))
    for name in ("2.m4s", INIT):
        for damage in (flip, truncate, Path.unlink):
            _made_again(empty, work, empty.grid_file(*row, name), damage)


def _made_again(site: Site, work: Work, path: Path, damage: Callable[[Path], None]) -> None:
    before = site.hashes()
    damage(path)
    age(site.media)
    kind = "changed" if path.exists() else "missing"
    finding = {
        "kind": kind,
        "video_id": site.video_id,
        "film": site.folder.name,
        "name": str(path.relative_to(site.folder)),
    }
    assert site.audit() == (1, [finding | {"action": "remake"}])
    assert site.hashes() != before, "to look changes nothing"
    assert site.audit("--fix") == (0, [finding | {"action": "reopened"}])
    video = site.client.get(f"/api/videos/{site.video_id}/").json
    assert (video["status"], video["playable"]) == ("processing", True)
    assert video["progress"] < 1
    assert site.audit() == (0, []), "mended is mended, though the workers have not come yet"
    work()
    video = site.client.get(f"/api/videos/{site.video_id}/").json
    assert (video["status"], video["progress"], video["error"]) == ("ready", 1.0, None)
    assert site.hashes() == before
    age(site.media)
    assert site.audit() == (0, [])


@sqlite_only
def test_one_rung_of_a_chunk_is_made_again_by_itself(
    empty: Site, work: Work, ready: Convert
) -> None:
    empty.video_id = ready(made_film(14, "640x360", "mpeg4"))
    before = empty.hashes()
    with empty.app.app_context():
        rungs = db.session.scalars(select(Rendition.name).where(Rendition.kind == "video")).all()
    assert len(rungs) == 2
    flip(next(empty.folder.glob(f"grid-*/{rungs[0]}/2.m4s")))
    kept = next(empty.folder.glob(f"grid-*/{rungs[1]}/2.m4s"))
    number = kept.stat().st_ino
    assert empty.audit("--fix")[0] == 0
    work()
    assert status(empty.client, empty.video_id) == "ready"
    assert empty.hashes() == before
    assert kept.stat().st_ino == number, "not made again"
    assert empty.audit() == (0, [])


def test_a_lost_grid_is_made_again(site: Site, work: Work) -> None:
    before = site.hashes()
    for path in site.folder.glob("grid-*/*/*"):
        path.unlink()
    code, found = site.audit("--fix")
    assert code == 0
    assert len(found) == len([name for name in before if name.startswith("grid-")])
    assert {finding["action"] for finding in found} == {"reopened"}
    work()
    assert site.hashes() == before
    assert site.audit() == (0, [])


@sqlite_only
def test_pictures_and_own_captions_are_made_again(site: Site, work: Work) -> None:
    texts = sorted(site.folder.glob("text/*.vtt"))
    lost = [*(site.folder / "images" / name for name in (POSTER, STORYBOARD)), texts[0]]
    for path in lost:
        path.unlink()
    names = {str(path.relative_to(site.folder)) for path in lost}
    code, found = site.audit("--fix")
    assert (code, {finding["name"] for finding in found}) == (0, names)
    assert {(f["kind"], f["action"]) for f in found} == {("missing", "reopened")}
    assert status(site.client, site.video_id) == "ready", "it plays all the while"
    assert site.audit() == (0, []), "they are being made"
    work()
    assert site.audit() == (0, [])
    with site.app.app_context():
        rows = db.session.scalars(select(Subtitle.name)).all()
        assert len(rows) == 2
        assert {task.state for task in db.session.query(Task)} == {TaskState.DONE}
    assert all((site.folder / "text" / f"{name}.vtt").exists() for name in rows)
    assert all(path.exists() for path in lost[:2])


@sqlite_only
def test_pictures_without_a_task_get_one(site: Site, work: Work) -> None:
    with site.app.app_context():
        db.session.query(Task).where(Task.kind == TaskKind.POSTER).delete()
        db.session.commit()
    (site.folder / "images" / POSTER).unlink()
    assert site.audit("--fix")[0] == 0
    work()
    assert (site.folder / "images" / POSTER).exists()
    assert site.audit() == (0, [])


@sqlite_only
@pytest.mark.parametrize("lost", ["480.avif", "pictures.json"])
def test_each_size_and_format_is_promised(site: Site, work: Work, lost: str) -> None:
    path = site.folder / "images" / lost
    path.unlink()
    code, found = site.audit("--fix")
    assert (code, [finding["name"] for finding in found]) == (0, [f"images/{lost}"])
    work()
    assert path.exists()
    assert site.audit() == (0, [])


@sqlite_only
def test_a_film_from_before_the_sizes_lacks_nothing(site: Site) -> None:
    for path in (site.folder / "images").iterdir():
        if path.suffix in {".webp", ".avif", ".json"}:
            path.unlink()
    with site.app.app_context():
        db.session.execute(update(Video).values(placeholder=None, images_version=9))
        db.session.commit()
    assert site.audit("--fix") == (0, [])
    film = site.client.get(f"/api/videos/{site.video_id}/").json
    assert (film["images"], film["placeholder"]) == ([], None)
    assert film["thumbnail_url"]


@sqlite_only
def test_a_lost_storyboard_of_a_damaged_film_comes_with_the_film(site: Site, work: Work) -> None:
    (site.folder / "images" / STORYBOARD).unlink()
    flip(site.grid_file("video", "copy", "1.m4s"))
    code, found = site.audit("--fix")
    assert (code, len(found)) == (0, 2)
    work()
    assert status(site.client, site.video_id) == "ready"
    assert (site.folder / "images" / STORYBOARD).exists()
    assert site.audit() == (0, [])
    with site.app.app_context():
        assert {task.state for task in db.session.query(Task)} == {TaskState.DONE}


@sqlite_only
def test_lost_captions_that_an_owner_added_are_struck_off(site: Site) -> None:
    url = f"/api/videos/{site.video_id}/subtitles/"
    fields = {"language": "en", "file": FileStorage(io.BytesIO(SRT), "a.srt")}
    answer = site.client.post(url, data=fields, content_type="multipart/form-data")
    assert answer.status_code == 201, answer.text
    with site.app.app_context():
        added = db.session.scalars(select(Subtitle.name).where(~Subtitle.is_embedded)).one()
    (site.folder / "text" / f"{added}.vtt").unlink()
    code, found = site.audit()
    assert (code, [f["action"] for f in found]) == (1, ["forget"])
    code, found = site.audit("--fix")
    assert (code, [f["action"] for f in found]) == (0, ["forgotten"])
    assert site.audit() == (0, [])
    with site.app.app_context():
        assert db.session.query(Subtitle).count() == 2


@sqlite_only
@pytest.mark.parametrize("damage", [Path.unlink, truncate])
def test_without_its_original_a_film_is_left_as_it_is(
    site: Site, damage: Callable[[Path], None]
) -> None:
    damage(site.folder / "original")
    flip(site.grid_file("video", "copy", "2.m4s"))
    (site.folder / "images" / POSTER).unlink()
    before, rows = files(site), site.hashes()
    for words in ([], ["--fix"], ["--fix"]):
        code, found = site.audit(*words)
        assert code == 1
        assert len(found) == 3
        assert {finding["action"] for finding in found} == {"unmendable"}
    assert (files(site), site.hashes()) == (before, rows)
    assert status(site.client, site.video_id) == "ready"
    done = site.runner.invoke(args=["storage", "audit", "--fix"])
    assert done.exit_code == 1
    assert "unmendable" in done.output
    assert done.output.endswith("3 found, 0 mended.\n")


@sqlite_only
def test_a_lost_folder_is_told_once(site: Site) -> None:
    site.folder.rename(site.media / "elsewhere")
    code, found = site.audit("--fix")
    assert code == 1
    assert [(f["name"], f["kind"], f["action"]) for f in found] == [
        ("original", "missing", "unmendable")
    ]


@sqlite_only
def test_what_failed_for_good_promises_nothing(empty: Site, work: Work) -> None:
    empty.upload(made_film(1).read_bytes()[:600])
    work()
    assert status(empty.client, empty.video_id) == "failed"
    assert empty.audit() == (0, [])


@sqlite_only
def test_a_failed_film_waits_for_its_retry(site: Site, work: Work) -> None:
    before = site.hashes()
    with site.app.app_context():
        db.session.execute(update(Video).values(status=Status.FAILED, playable=False))
        db.session.execute(update(Video).values(has_images=False))
        db.session.commit()
    site.grid_file("video", "copy", "2.m4s").unlink()
    code, found = site.audit("--fix")
    assert (code, len(found)) == (0, 1)
    work()
    assert status(site.client, site.video_id) == "failed"
    assert site.audit() == (0, [])
    assert site.client.post(f"/api/videos/{site.video_id}/retry/").status_code == 202
    work()
    assert status(site.client, site.video_id) == "ready"
    assert site.hashes() == before
    assert site.audit() == (0, [])


def strays(site: Site) -> list[Path]:
    """Files and folders that no row accounts for, one of each kind."""
    row = site.grid_file("video", "copy", "")
    paths = [
        row / "99.m4s",
        row.parent / "1x1" / "0.m4s",
        site.folder / "grid-999",
        site.folder / "text" / f"{'0' * 32}.vtt",
        site.folder / "images" / "stray.jpg",
        site.folder / "attempts" / "1-99",
        site.folder / "attempts" / "kept-0",
        site.folder / "notes.txt",
        site.folder / "junk",
    ]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        if path.suffix:
            path.write_bytes(b"x")
        else:
            (path / "inner").mkdir(parents=True)
            (path / "inner" / "file").write_bytes(b"x")
    return paths


@sqlite_only
def test_what_no_row_owns_is_removed_once_it_is_old(site: Site) -> None:
    before = files(site)
    paths = strays(site)
    assert site.audit("--fix") == (0, []), "it may belong to a row that is being written"
    assert all(path.exists() for path in paths)
    for path in paths:
        age(path)
    names = sorted(str(path.relative_to(site.folder)) for path in paths)
    code, found = site.audit()
    assert (code, sorted(f["name"] for f in found)) == (1, names)
    assert {(f["kind"], f["action"]) for f in found} == {("orphan", "remove")}
    code, found = site.audit("--fix")
    assert (code, sorted(f["name"] for f in found)) == (0, names)
    assert {f["action"] for f in found} == {"removed"}
    assert files(site) == before
    assert site.audit() == (0, [])


@sqlite_only
def test_one_young_file_keeps_its_folder(site: Site) -> None:
    scratch = site.folder / "attempts" / "1-99"
    scratch.mkdir()
    age(scratch)
    assert len(site.audit()[1]) == 1
    (scratch / "file").write_bytes(b"x")
    os.utime(scratch, (0, 0))
    assert site.audit() == (0, [])


@sqlite_only
def test_the_scratch_of_a_living_claim_is_no_orphan(site: Site) -> None:
    with site.app.app_context():
        task = db.session.scalars(select(Task).limit(1)).one()
        task.state, task.lease_until = TaskState.WAITING, time.time() + 60
        name = f"{task.id}-{task.fence}"
        task_id = task.id
        db.session.commit()
    scratch = site.folder / "attempts" / name
    scratch.mkdir()
    age(scratch)
    assert site.audit("--fix") == (0, [])
    with site.app.app_context():
        db.session.execute(update(Task).where(Task.id == task_id).values(lease_until=0.0))
        db.session.commit()
    code, found = site.audit("--fix")
    assert (code, [f["name"] for f in found]) == (0, [f"attempts/{name}"])
    assert not scratch.exists()


@sqlite_only
def test_folders_of_no_film_and_leftovers_are_removed(
    empty: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan, lost = empty.media / "films" / ("f" * 32), empty.media / "incoming" / "lost"
    gone = empty.media / "trash" / "gone-1"
    for path in (orphan, lost.parent, gone):
        path.mkdir(parents=True)
    for path in (orphan / "original", lost, gone / "original"):
        path.write_bytes(b"x")
    assert empty.audit("--fix") == (0, [])
    age(orphan)
    age(lost, 2 * audit.LEFTOVER_SECONDS)
    code, found = empty.audit()
    assert (code, [(f["film"], f["name"]) for f in found]) == (
        1,
        [(orphan.name, ""), (None, "incoming/lost")],
    )
    table = empty.runner.invoke(args=["storage", "audit"]).output
    assert f"films/{orphan.name}" in table
    assert empty.audit("--fix")[0] == 0
    assert not orphan.exists()
    assert not lost.exists()
    gone.mkdir(exist_ok=True)
    monkeypatch.setattr(audit, "LEFTOVER_SECONDS", -1)
    monkeypatch.setattr("app.tasks.mending.LEFTOVER_SECONDS", -1)
    code, found = empty.audit("--fix")
    assert (code, [f["name"] for f in found]) == (0, ["trash/gone-1"])
    assert not gone.exists()


@sqlite_only
@pytest.mark.parametrize("words", [[], ["--fix"]])
def test_a_film_deleted_during_the_audit_is_no_finding(
    site: Site, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    flip(site.grid_file("video", "copy", "2.m4s"))
    look = audit._is_whole
    deleted: list[int] = []

    def look_and_delete(*args: Any) -> bool:
        if not deleted:
            deleted.append(site.video_id)
            service.remove(db.session.get_one(Video, site.video_id))
            db.session.commit()
        return look(*args)

    monkeypatch.setattr(audit, "_is_whole", look_and_delete)
    assert site.audit(*words) == (0, [])
    assert deleted
    assert list((site.media / "films").iterdir()) == []


@sqlite_only
def test_a_cell_filled_during_the_audit_is_no_finding(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.app.app_context():
        cell = db.session.scalars(select(Cell).order_by(Cell.id.desc()).limit(1)).one()
        cell_id, filled_at, segments = cell.id, cell.filled_at, cell.segments
        cell.filled_at = cell.segments = None
        db.session.commit()
    age(site.media)
    assert {f["kind"] for f in site.audit()[1]} == {"orphan"}
    take = audit.take

    def fill_after(video_id: int) -> object:
        before = take(video_id)
        db.session.execute(
            update(Cell).where(Cell.id == cell_id).values(filled_at=filled_at, segments=segments)
        )
        db.session.commit()
        return before

    monkeypatch.setattr(audit, "take", fill_after)
    assert site.audit("--fix") == (0, [])


@sqlite_only
def test_files_whose_rows_were_never_committed_are_orphans(
    empty: Site, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.upload(made_film(14, "320x180", "mpeg4").read_bytes())
    with empty.app.app_context():
        (plan,) = db.session.scalars(select(Task.id))
        run_in_child(lambda: run_task(plan))
        wanted = select(Task.id).where(Task.kind == TaskKind.CHUNK).order_by(Task.id).limit(1)
        chunk = db.session.scalars(wanted).one()
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "review", lambda _id: os.kill(os.getpid(), signal.SIGKILL))
            run_in_child(lambda: run_task(chunk))
        assert db.session.scalars(select(Cell.id).where(Cell.filled_at.is_not(None))).all() == []
        db.session.execute(update(Task).values(lease_until=0.0, queued_until=0.0))
        db.session.commit()
    published = sorted(empty.folder.glob("grid-*/*/*"))
    assert published
    assert empty.audit("--fix") == (0, []), "somebody may be about to commit"
    for path in (*published, empty.folder / "attempts"):
        age(path)
    code, found = empty.audit("--fix")
    names = {str(path.relative_to(empty.folder)) for path in published}
    assert code == 0
    assert {f["kind"] for f in found} == {"orphan"}
    assert names <= {f["name"] for f in found}
    assert {f["name"].split("/")[0] for f in found if f["name"] not in names} <= {"attempts"}
    assert not any(path.exists() for path in published)
    with empty.app.app_context():
        reconcile()
    work()
    assert status(empty.client, empty.video_id) == "ready"
    assert empty.audit() == (0, [])


def test_mending_waits_for_who_is_publishing(
    empty: Site, work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(audit, "ORPHAN_SECONDS", 0)
    empty.upload(made_film(14, "320x180", "mpeg4").read_bytes())
    renamed = tmp_path / "renamed"

    def hesitate(_video_id: int) -> None:
        renamed.touch()
        time.sleep(2)

    with empty.app.app_context():
        (plan,) = db.session.scalars(select(Task.id))
        run_in_child(lambda: run_task(plan))
        wanted = select(Task.id).where(Task.kind == TaskKind.CHUNK).order_by(Task.id).limit(1)
        chunk = db.session.scalars(wanted).one()
        db.session.rollback()
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "review", hesitate)
            child = os.fork()
            if child == 0:
                try:
                    forget_connections(db.engine)
                    run_task(chunk)
                finally:
                    os._exit(0)
    wait_for(renamed.exists)
    assert len(list(empty.folder.glob("grid-*/*/*"))) == 2
    assert empty.audit("--fix") == (0, [])
    os.waitpid(child, 0)
    assert len(list(empty.folder.glob("grid-*/*/*"))) == 2
    with empty.app.app_context():
        assert (
            len(db.session.scalars(select(Cell.id).where(Cell.filled_at.is_not(None))).all()) == 1
        )
    work()
    assert empty.audit() == (0, [])


@sqlite_only
def test_rows_whose_files_were_lost_are_filled_again(
    empty: Site, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut of a disk that had promised to have written."""
    empty.upload(made_film(14, "320x180", "mpeg4").read_bytes())
    with empty.app.app_context():
        (plan,) = db.session.scalars(select(Task.id))
        run_in_child(lambda: run_task(plan))
        wanted = select(Task.id).where(Task.kind == TaskKind.CHUNK).order_by(Task.id).limit(1)
        chunk = db.session.scalars(wanted).one()
        with monkeypatch.context() as patch:
            patch.setattr(LocalStorage, "publish", lambda *_: None)
            run_in_child(lambda: run_task(chunk))
        assert db.session.scalars(select(Cell.id).where(Cell.filled_at.is_not(None))).all()
    code, found = empty.audit()
    assert (code, {f["kind"] for f in found}) == (1, {"missing"})
    assert {Path(f["name"]).name for f in found} == {INIT, "0.m4s"}
    assert empty.audit("--fix")[0] == 0
    work()
    assert status(empty.client, empty.video_id) == "ready"
    assert empty.audit() == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nothing_live_is_deleted_while_films_are_converted(
    empty: Site, start_worker: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "ORPHAN_SECONDS", 0)  # no help from the age of files
    monkeypatch.setattr(audit, "SETTLE_SECONDS", 0.5)
    start_worker()
    empty.video_id = upload_long(empty.client)
    wait_for(lambda: filled(empty.client, empty.video_id) > 0)
    rounds = 0
    deadline = time.monotonic() + 120
    while status(empty.client, empty.video_id) != "ready":
        assert empty.audit("--fix") == (0, [])
        rounds += 1
        assert time.monotonic() < deadline
    assert rounds > 2
    with empty.app.app_context():
        assert {task.attempts for task in db.session.query(Task)} <= {0, 1}
    wait_for(lambda: not any((empty.folder / "attempts").iterdir()))
    assert empty.audit() == (0, [])


@pytest.mark.slow
def test_mending_while_workers_run(empty: Site, start_worker: Start) -> None:
    start_worker()
    empty.video_id = upload_long(empty.client)
    wait_for(lambda: filled(empty.client, empty.video_id) > 0.3)
    with empty.app.app_context():
        cells = db.session.scalars(select(Cell.segments).where(Cell.filled_at.is_not(None)))
        promised = {segment[1] for segments in cells for segment in segments or []}
    there = {path: path.read_bytes() for path in sorted(empty.folder.glob("grid-*/*/*.m4s"))}
    before = {
        path: data for path, data in there.items() if hashlib.sha256(data).hexdigest() in promised
    }
    for path in list(before)[::3]:
        path.unlink()
    lost = len(list(before)[::3])
    code, found = empty.audit("--fix")
    assert (code, len([f for f in found if f["kind"] == "missing"])) == (0, lost)
    wait_for(lambda: status(empty.client, empty.video_id) == "ready", 180)
    assert empty.audit() == (0, [])
    assert all(path.read_bytes() == data for path, data in before.items())


def files(site: Site) -> list[tuple[Path, int]]:
    """Every file with its size."""
    paths = (path for path in site.media.rglob("*") if path.is_file())
    return sorted((path, path.stat().st_size) for path in paths)
