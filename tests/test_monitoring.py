"""The dashboard, the alerts and the page on monitoring speak of metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db, now
from app.metrics import STREAMED, WAITS
from app.videos.models import Cell, Grid, Rendition, Status, Task, TaskKind, TaskState, Video
from app.videos.names import new_film
from tests.test_metrics import scrape

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = ROOT / "deploy" / "grafana" / "videoflix.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"


@pytest.fixture
def names(app: APIFlask, client: FlaskClient, member: int) -> set[str]:
    """Every metric of a site that has converted a film and failed at another."""
    with app.app_context():
        done = Video(owner_id=member, film=new_film(), title="a", size=1, playable_at=now())
        failed = Video(owner_id=member, film=new_film(), title="b", size=1, status=Status.FAILED)
        grid = Grid(video=done, plan="{}")
        row = Rendition(grid=grid, kind="video", name="v", height=720, codecs="avc1", chunks=1)
        db.session.add_all([failed, row])
        db.session.flush()
        task = Task(video_id=done.id, grid_id=grid.id, kind=TaskKind.CHUNK, work=1, seconds=1)
        task.state = TaskState.DONE
        db.session.add(task)
        db.session.flush()
        db.session.add(Cell(rendition_id=row.id, chunk=0, task_id=task.id, filled_at=now()))
        db.session.commit()
    STREAMED.labels("segment")
    WAITS.labels("pending")
    client.get("/login")
    return set(scrape(client))


def used(text: str) -> Iterator[str]:
    yield from re.findall(r"\bvideoflix_\w+", text)


def test_the_dashboard_loads_and_shows_what_there_is(names: set[str]) -> None:
    board = json.loads(DASHBOARD.read_text())
    assert board["uid"] == "videoflix"
    assert board["schemaVersion"] >= 39
    variables = {variable["name"] for variable in board["templating"]["list"]}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            found = set(used(target["expr"]))
            assert found, panel["title"]
            assert found <= names, (panel["title"], found - names)
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables


def test_every_alert_asks_for_what_there_is_and_says_what_to_do(names: set[str]) -> None:
    rules = ALERTS.read_text().split("- alert: ")[1:]
    assert len(rules) >= 10
    for rule in rules:
        title = rule.split()[0]
        expression = re.search(r"^ +expr: (.+)$", rule, re.M)
        assert expression, title
        assert set(used(rule)) <= names, (title, set(used(rule)) - names)
        assert set(used(expression[1])), title
        assert re.search(r"^ +summary: .+\.\"?$", rule, re.M), title
        assert re.search(r"^ +do: .+\.$", rule, re.M), title
        assert re.search(r"severity: (page|ticket)", rule), title


def test_every_metric_is_described(names: set[str]) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    for name in {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in names}:
        assert f"`{name}" in page, name
