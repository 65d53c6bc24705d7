"""All rows move from one kind of database to the other, and back."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from app import create_app
from app.database import Base, db
from config import Settings
from tests.conftest import Convert, make_user, sign_in
from tests.databases import postgres_database
from tests.films import made_film, multipart
from tests.test_migrations import flask
from tests.videos.test_streams import addresses, base, status

Everything = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def other(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """The same site on an empty database of the other kind, with its tables."""
    if settings.DATABASE_URL.startswith("postgresql"):
        place = contextlib.nullcontext(f"sqlite:///{tmp_path / 'other.sqlite'}")
    else:
        place = postgres_database(request.getfixturevalue("postgres_url"))
    with place as url:
        changed = dataclasses.replace(
            settings, DATABASE_URL=url.replace("postgresql://", "postgresql+psycopg2://")
        )
        done = flask(changed, "db", "upgrade")
        assert done.returncode == 0, done.stderr
        yield changed


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[APIFlask]:
    app = create_app(settings)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
        app.extensions["redis"].close()


def everything(app: APIFlask) -> Everything:
    with app.app_context():
        return {
            name: [
                tuple(row) for row in db.session.execute(select(table).order_by(*table.primary_key))
            ]
            for name, table in Base.metadata.tables.items()
        }


def run(app: APIFlask, *arguments: str) -> str:
    done = app.test_cli_runner().invoke(args=["data", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def refusal(app: APIFlask, *arguments: str) -> str:
    done = app.test_cli_runner().invoke(args=["data", *arguments])
    assert done.exit_code == 1, done.output
    return done.output


@pytest.fixture
def film(app: APIFlask, signed_in: FlaskClient, ready: Convert) -> int:
    """A converted film, a row of most kinds besides, and ids that were given out and are gone."""
    film = ready(made_film(5))
    flask(app.extensions["settings"], "db", "stamp", "head")
    make_user(app, "zoe@example.org")
    signed_in.put(f"/api/videos/{film}/progress/", json={"position": 1.25})
    signed_in.put(f"/api/my-list/{film}/")
    signed_in.post("/api/me/tokens/", json={"name": "ü🎬\n\"'", "scope": "read"})
    gone = signed_in.post("/api/local-videos/", **multipart(made_film().read_bytes())).json["id"]
    assert signed_in.delete(f"/api/local-videos/{gone}/").status_code == 204
    return film


def test_all_rows_move_there_and_back_and_the_film_plays(
    app: APIFlask, film: int, other: Settings, tmp_path: Path
) -> None:
    before = everything(app)
    assert {name for name, rows in before.items() if rows} > {"videos", "cells", "viewings"}
    run(app, "export", str(tmp_path / "there.gz"))
    with running(other) as moved:
        said = run(moved, "import", str(tmp_path / "there.gz"))
        assert f"{sum(map(len, before.values()))} rows read." in said
        assert everything(moved) == before
        client = sign_in(moved.test_client(), "mara@example.org")
        for address in addresses(client, base(client, film)):
            assert status(client, address) == 200, address
        assert client.get("/search?q=film").status_code == 200
        played = everything(moved)
        run(moved, "export", str(tmp_path / "back.gz"))
        new = client.post("/api/local-videos/", **multipart(made_film().read_bytes()))
        assert new.json["id"] > film + 1  # not that of the film that was deleted
    with app.app_context():
        for table in reversed(Base.metadata.sorted_tables):
            db.session.execute(table.delete())
        db.session.commit()
    run(app, "import", str(tmp_path / "back.gz"))
    assert everything(app) == played


def test_what_is_no_whole_dump_changes_nothing(
    app: APIFlask, film: int, other: Settings, tmp_path: Path
) -> None:
    dump = tmp_path / "rows.gz"
    run(app, "export", str(dump))
    assert dump.stat().st_mode & 0o077 == 0
    assert "File exists" in refusal(app, "export", str(dump))
    assert "not empty" in refusal(app, "import", str(dump))
    lines = gzip.decompress(dump.read_bytes()).splitlines(keepends=True)
    broken = {
        "torn": dump.read_bytes()[:-2000],
        "short": gzip.compress(b"".join(lines[:-1])),
        "row lost": gzip.compress(b"".join(lines[:-2] + lines[-1:])),
        "child without parent": gzip.compress(
            b"".join(line for line in lines if not line.startswith(b'["users"'))
        ),
        "other schema": gzip.compress(
            b"".join([lines[0].replace(b'"revision":"0', b'"revision":"9'), *lines[1:]])
        ),
        "no dump": gzip.compress(b'{"id": 1}\n'),
        "a film": made_film().read_bytes(),
    }
    with running(other) as empty:
        for name, data in broken.items():
            file = tmp_path / "broken.gz"
            file.write_bytes(data)
            assert "Error:" in refusal(empty, "import", str(file)), name
            assert not any(everything(empty).values()), name
        run(empty, "import", str(dump))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_without_tables_is_named(app: APIFlask, tmp_path: Path) -> None:
    assert "flask db upgrade" in refusal(app, "export", str(tmp_path / "rows.gz"))
