"""`/admin/videos`: the queue and what failed, of all owners, for administrators."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.auth.admin_pages import administrators_only
from app.auth.forms import require_button_form
from app.auth.identity import require_user
from app.database import db
from app.errors import DomainError
from app.videos import attempts, queries, service, work
from app.videos.models import Video
from app.videos.presentation import describe_all, describe_grid

pages = APIBlueprint("admin_videos", __name__, url_prefix="/admin/videos", enable_openapi=False)
pages.before_request(administrators_only)

QUEUE_LENGTH = 30
"""Films of the queue on the page, each with the picture of its grid."""

FAILED_LENGTH = 30

HERE = ""
"""Addresses in pages are relative to the page, whatever name of this machine it is open under."""


@pages.get("")
def show() -> ResponseReturnValue:
    """What is being converted, what waits, and what failed and why."""
    user = require_user()
    queue = queries.processing(limit=QUEUE_LENGTH)
    failed = queries.failed(limit=FAILED_LENGTH, before=request.args.get("before"))
    described = describe_all([*queue, *failed.videos], user, HERE)
    ids = [video["id"] for video in described]
    logs, workers = attempts.logs_of(ids), attempts.workers_of(ids)
    for video in described:
        video["log"] = logs.get(video["id"], [])
        video["workers"] = workers.get(video["id"], [])
    for video, row in zip(described, queue, strict=False):
        video["grid"] = describe_grid(row)
    return render_template(
        "admin/videos.html",
        queue=described[: len(queue)],
        failed=described[len(queue) :],
        next_before=failed.next_before,
    )


@pages.post("/<int:id>/retry")
def retry(id: int) -> ResponseReturnValue:
    """Convert a failed film again."""
    return _act(id, work.retry, "“{}” is converted again.")


@pages.post("/<int:id>/cancel")
def cancel(id: int) -> ResponseReturnValue:
    """Stop converting a film."""
    return _act(id, work.cancel, "“{}” is no longer converted. Its file is kept.")


@pages.post("/<int:id>/delete")
def delete(id: int) -> ResponseReturnValue:
    """Delete a film."""
    return _act(id, service.remove, "“{}” was deleted.")


def _act(video_id: int, act: Callable[[Video], object], said: str) -> ResponseReturnValue:
    """Do it for the administrator who pressed our button, say so, go back to the list."""
    require_button_form()
    video = queries.changeable(video_id, require_user())
    title = video.title
    try:
        act(video)
    except DomainError as error:
        db.session.rollback()
        flash(error.detail, "error")
    else:
        db.session.commit()
        flash(said.format(title))
    return redirect(url_for("admin_videos.show", _external=False), 303)
