"""The JSON API of what a member remembers: how far they are, what they have seen, their list."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.auth.identity import require_user, signed_in
from app.database import db
from app.json_body import json_body
from app.metrics import STALLS
from app.videos import queries, viewings
from app.videos.api.lists import list_answer
from app.videos.schemas import PageQuery, ProgressIn, VideoOut

api = APIBlueprint("viewing_api", __name__, url_prefix="/api", tag="Watching")

Nothing = tuple[str, int]


@api.put("/videos/<int:video_id>/progress/")
@signed_in
@json_body(api, ProgressIn)
@api.output({}, status_code=204)
@api.doc(responses=[403, 409])
def record_progress(video_id: int, body: ProgressIn) -> Nothing:
    """Remember how far one has come in a film; of several devices the newest moment wins."""
    user = require_user()
    viewings.record(user, queries.to_watch(video_id, user), body.position, body.at)
    db.session.commit()
    STALLS.inc(body.stalls)
    return "", 204


@api.put("/videos/<int:video_id>/watched/")
@api.output({}, status_code=204)
@api.doc(responses=[403, 409])
def mark_watched(video_id: int) -> Nothing:
    """Say that one has seen a film to its end; the next episode is begun."""
    user = require_user()
    viewings.mark_watched(user, queries.to_watch(video_id, user))
    db.session.commit()
    return "", 204


@api.delete("/videos/<int:video_id>/watched/")
@api.output({}, status_code=204)
def unmark_watched(video_id: int) -> Nothing:
    """Forget that one has seen a film, and how far one is in it."""
    user = require_user()
    queries.visible(video_id, user)
    viewings.forget(user.id, video_id)
    db.session.commit()
    return "", 204


@api.get("/continue-watching/")
@api.input(PageQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_continued(page: PageQuery) -> Response:
    """List the films that one has begun and not finished, the one seen last first."""
    user = require_user()
    return list_answer(queries.continued(user, limit=page.limit, before=page.before), user)


@api.delete("/continue-watching/<int:video_id>/")
@api.output({}, status_code=204)
def remove_continued(video_id: int) -> Nothing:
    """Remove a film from those to go on with."""
    user = require_user()
    if not viewings.leave(user.id, video_id):
        queries.visible(video_id, user)
    db.session.commit()
    return "", 204


@api.get("/my-list/")
@api.input(PageQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_saved(page: PageQuery) -> Response:
    """List the films that one keeps on one's list, the latest addition first."""
    user = require_user()
    return list_answer(queries.saved(user, limit=page.limit, before=page.before), user)


@api.put("/my-list/<int:video_id>/")
@api.output({}, status_code=204)
def save_video(video_id: int) -> Nothing:
    """Put a film on one's list; where it is already, it stays."""
    user = require_user()
    viewings.save(user.id, queries.visible(video_id, user).id)
    db.session.commit()
    return "", 204


@api.delete("/my-list/<int:video_id>/")
@api.output({}, status_code=204)
def unsave_video(video_id: int) -> Nothing:
    """Take a film off one's list, also one that is out of the catalogue by now."""
    user = require_user()
    if not viewings.unsave(user.id, video_id):
        queries.visible(video_id, user)
    db.session.commit()
    return "", 204
