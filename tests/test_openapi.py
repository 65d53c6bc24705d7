"""The API's description is true: whatever it allows to ask is answered as it says.

schemathesis makes the questions out of the description itself, the same ones on every run; each
operation is asked in a world of its own, by a curator, by the films' owner and by nobody.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import schemathesis
from apiflask import APIFlask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from sqlalchemy import delete, select, update

from app.auth.models import ApiToken, Scope
from app.database import db, now
from app.media.grid import Plan
from app.media.plan import make_plan
from app.media.probe import probe
from app.openapi import CODES, PROBLEM
from app.tasks.layout import lay_out
from app.videos import series
from app.videos.models import Grid, Video
from tests.films import made_film
from tests.test_roles import PEOPLE, PRIVATE, SHARED, restore

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

KEY = "a-key-that-opens-a-film"[:22]
ASKING: dict[str, int] = {"curator": 5, "owner": 5, "nobody": 1}
"""Questions to each operation by each person and of each kind."""

LIMITS = {
    who: settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    for who, examples in ASKING.items()
}

IDS = {"video_id": SHARED, "series_id": 1, "token_id": 3, "session_id": 3, "subtitle_id": 1}
WORDS = {"key": KEY, "resolution": "720p", "row": "240p", "name": "0.m4s"}

NOT_SAID = {"ignored_auth", "use_after_free", "ensure_resource_availability"}
"""These ask again without an account or after a deletion: tests/test_roles.py does it better."""

NOT_HERE = {
    "positive_data_acceptance",
    "unsupported_method",
    "missing_required_header",
    "allow_header_conformance",
}
"""What a schema cannot know (such as the words of a mailed link), and what the routing settles."""


@functools.cache
def plan() -> Plan:
    return make_plan(probe(made_film(1)))


def make_world(app: APIFlask) -> None:
    """Two films of the owner's, each with a grid, one of them shared and an episode."""
    restore(app)
    with app.app_context():
        for name, person in (("curates", "curator"), ("owns", "owner")):
            db.session.add(
                ApiToken(
                    user_id=PEOPLE[person],
                    name=name,
                    scope=Scope.WRITE,
                    secret_hash=sha256(f"vf_{name}".encode()).hexdigest(),
                    used_at=now(),
                )
            )
        db.session.execute(delete(Grid))
        for film in (PRIVATE, SHARED):
            lay_out(film, plan(), (320, 180))
        db.session.execute(update(Video).values(share_key=None))
        video = db.session.get_one(Video, SHARED)
        video.share_key, video.duration, video.category = KEY, 1.0, "Family"
        series.assign(video, "Show", 1, 1)
        db.session.commit()
        IDS["series_id"] = db.session.scalars(select(Video.series_id).filter_by(id=SHARED)).one()


@pytest.fixture
def world(app: APIFlask) -> APIFlask:
    app.config.update(
        dict.fromkeys(
            ("LIMIT_API", "LIMIT_LOGIN_ACCOUNT", "LIMIT_LOGIN_ADDRESS"), "1000000 per minute"
        )
    )
    return app


HEADERS = {
    "curator": {"Authorization": "Bearer vf_curates"},
    "owner": {"Authorization": "Bearer vf_owns"},
    "nobody": {},
}


@pytest.mark.slow
@sqlite_only
@pytest.mark.parametrize("who", ASKING)
def test_every_answer_is_one_that_the_description_names(world: APIFlask, who: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", world)
    skipped = [CHECKS.get_one(name) for name in NOT_SAID | NOT_HERE]
    refuses = CHECKS.get_one("negative_data_rejection")  # it does not know tus, nor its 412
    wrong: list[str] = []

    def ask(case: Any) -> None:
        answer = case.call(headers=HEADERS[who])
        left_out = [*skipped, refuses] if answer.status_code == 412 else skipped
        case.validate_response(answer, excluded_checks=left_out, headers=HEADERS[who])

    make_world(world)
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode, path in kinds(operation.path, who):
            questions = operation.as_strategy(mode, path_parameters=path)
            try:
                seed(1)(LIMITS[who](given(case=questions)(ask)))()
            except Unsatisfiable:  # nothing can be wrong with it
                assert mode is GenerationMode.NEGATIVE, operation.label
            except (Exception, FailureGroup) as error:
                wrong.append(f"{operation.label} ({mode}): {error}"[:900])
        if operation.method != "get" and who != "nobody":
            make_world(world)
    assert not wrong, "\n\n".join(wrong)


def kinds(path: str, who: str) -> Iterator[tuple[GenerationMode, dict[str, Any] | None]]:
    """What is asked: rightly of what is there, rightly of anything, and wrongly."""
    there = {name: value for name, value in (IDS | WORDS).items() if f"{{{name}}}" in path}
    yield GenerationMode.POSITIVE, there or None
    if who == "nobody":
        return
    yield GenerationMode.NEGATIVE, there or None
    if there and who == "curator":
        yield GenerationMode.POSITIVE, None


@sqlite_only
def test_every_operation_says_what_comes_back(client: FlaskClient) -> None:
    spec = client.get("/api/openapi.json").json
    assert spec["openapi"].startswith("3.1")
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            answers = operation["responses"]
            label = (method, path)
            good = [answers[status] for status in answers if status < "300"]
            assert good, label
            for status, answer in answers.items():
                if status < "300" and status != "204" and method != "patch":
                    assert answer.get("content") or answer.get("headers"), (*label, status)
                if status >= "400":
                    name = answer["$ref"].rsplit("/", 1)[-1]
                    assert PROBLEM in spec["components"]["responses"][name]["content"]
            assert {"400", "429", "503"} <= answers.keys(), label
            assert bool(operation["security"]) == ("401" in answers) or path in {
                "/api/login/", "/api/token/refresh/"
            }, label  # fmt: skip
    lists = spec["paths"]["/api/my-list/"]["get"]["responses"]["200"]
    assert "Link" in lists["headers"]
    found = spec["paths"]["/api/global-videos/"]["get"]["responses"]["200"]
    assert {"Link", "Search-Instead"} <= found["headers"].keys()
    assert set(spec["components"]["securitySchemes"]) == {"bearer", "access", "page"}


def test_codes_of_the_description_are_those_of_the_list() -> None:
    from tests.test_docs import ROOT

    page = (ROOT / "docs" / "errors.md").read_text().split("## Why")[0]
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[2].isdecimal() and cells[2] in map(str, CODES):
            for code in cells[1].replace("`", "").split(", "):
                if code not in {"form_expired", "email_taken"}:  # of pages and commands
                    assert code in CODES[int(cells[2])], code


@sqlite_only
def test_the_page_shows_every_operation(client: FlaskClient) -> None:
    page = client.get("/api/docs/").text
    for path in client.get("/api/openapi.json").json["paths"]:
        assert path in page
    assert "too_many_requests" in page
