"""Machines whose clocks are wrong: leases are timed by the database's."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db, epoch_now
from app.videos.models import Task

from .test_converters import workers
from .test_faults import status, upload_long, wait_for

pytestmark = pytest.mark.slow

WRONG_CLOCK = """
import datetime as module, time
SHIFT = {shift}
right_time, Right = time.time, module.datetime
time.time = lambda: right_time() + SHIFT
class Kind(type(Right)):
    def __instancecheck__(cls, value):
        return isinstance(value, Right)
class Wrong(Right, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return Right.now(tz) + module.timedelta(seconds=SHIFT)
    @classmethod
    def utcnow(cls):
        return Right.now(module.UTC).replace(tzinfo=None) + module.timedelta(seconds=SHIFT)
module.datetime = Wrong
"""
"""Python code: all that is imported after it reads a clock that is wrong by so many seconds."""

DAY = 86_400


@pytest.mark.parametrize(
    ("database_url", "shift"),
    [("sqlite", DAY // 2), ("postgresql", -DAY)],
    indirect=["database_url"],
)
def test_a_machine_whose_clock_is_wrong_disturbs_no_lease(
    app: APIFlask, signed_in: FlaskClient, tmp_path: Path, shift: int
) -> None:
    clock = WRONG_CLOCK.format(shift=shift)
    with (
        workers(app, tmp_path / "right.log", count=1) as right,
        workers(app, tmp_path / "wrong.log", count=1, before=clock) as wrong,
    ):
        video_id = upload_long(signed_in)
        wait_for(lambda: _leases_are_right(app) and status(signed_in, video_id) == "ready", 100)
        pools = [{child.pid for child in psutil.Process(p.pid).children()} for p in (right, wrong)]
    with app.app_context():
        tasks = db.session.scalars(db.select(Task)).all()
        assert {task.attempts for task in tasks} == {1}, "nobody took what another was at"
        at_work = {int((task.worker or "").rpartition(":")[2]) for task in tasks}
    assert all(pool & at_work for pool in pools), "both had their share"


def _leases_are_right(app: APIFlask) -> bool:
    """No lease is longer from now than a lease is; fails where one is."""
    with app.app_context():
        moment = db.session.scalar(db.select(epoch_now())) or 0.0
        leases = db.session.scalars(db.select(Task.lease_until).where(Task.lease_until > 0)).all()
        assert all(lease < moment + app.config["LEASE_SECONDS"] + 1 for lease in leases)
        db.session.rollback()
    return True
