"""The order in which a film's rows are locked: its tasks by id, then everything else.

Whoever publishes a cell holds its task's row and changes the film's row last. Who wants to change
the film as a whole therefore takes the tasks first; the other way round, PostgreSQL would have to
break a deadlock.
"""

from __future__ import annotations

from sqlalchemy import select

from app.database import db
from app.videos.models import Task


def lock_tasks(video_id: int) -> None:
    """Wait until nobody publishes for this film, and keep it so until the commit."""
    db.session.execute(
        select(Task.id).where(Task.video_id == video_id).order_by(Task.id).with_for_update()
    ).all()
