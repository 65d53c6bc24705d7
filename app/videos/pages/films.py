"""The pages of films: browse, one's own, upload, a film, watch."""

from __future__ import annotations

from flask import (
    Blueprint,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.auth.identity import login_required, require_user, require_verified
from app.auth.quotas import quota_of
from app.database import db
from app.errors import DomainError
from app.videos import policy, queries, rows, series, service
from app.videos.presentation import describe, describe_all, describe_grid, describe_playback
from app.videos.seasons import Season, seasons_of, shown_season
from app.videos.uploads import room
from app.videos.uploads.form import receive_form

pages = Blueprint("videos", __name__)

RELATED = 12
"""Films that a film's page names below it."""

LIST_LENGTH = 60

AT_THE_END = 3
"""Films that the player names once a film is over."""

HERE = ""
"""Addresses in pages are relative to the page, whatever name of this machine it is open under."""


@pages.get("/browse")
@login_required
def browse() -> str:
    """The catalogue: a hero, what one goes on with, the newest, and a row for each category."""
    seen = rows.evening(require_user(), HERE)
    return render_template("videos/browse.html", hero=seen.hero, rows=seen.rows)


@pages.get("/my-videos")
@login_required
def my_videos() -> str:
    """One's own films, with what becomes of them."""
    user = require_user()
    found = queries.owned(user, limit=LIST_LENGTH, before=request.args.get("before"))
    videos = describe_all(found.videos, user, HERE)
    for video, row in zip(videos, found.videos, strict=True):
        if video["status"] == "processing":
            video["grid"] = describe_grid(row)
    return render_template("videos/my_videos.html", videos=videos, next_before=found.next_before)


@pages.get("/upload")
@login_required
def upload() -> str:
    """The form; a script makes it show progress."""
    require_verified()
    return _upload_page()


@pages.post("/upload")
@login_required
def upload_plain() -> str | BaseResponse | tuple[str, int]:
    """The same form, sent by a browser without scripts."""
    user_id = require_verified().id
    db.session.rollback()
    try:
        with receive_form(request, user_id) as (received, details):
            service.take_in(received.incoming, received.size, user_id, details)
            db.session.commit()
    except DomainError as error:
        flash(error.detail, "error")
        return _upload_page(), error.status
    return redirect(url_for("videos.my_videos"))


@pages.get("/videos/<int:id>")
@login_required
def film(id: int) -> str:
    """A film and what one can do with it."""
    user = require_user()
    video = queries.visible(id, user)
    described = describe(video, user, HERE)
    if video.status == "processing":
        described["grid"] = describe_grid(video)
    plan = queries.plan_of(id)
    seasons: list[Season] = []
    if video.series_id is not None and policy.may_watch(user, video):
        episodes = series.episodes(video.series_id, user)
        seasons = seasons_of(describe_all(episodes, user, HERE))
    return render_template(
        "videos/film.html",
        video=described,
        seasons=seasons,
        season=shown_season(seasons, request.args.get("season"), described) if seasons else None,
        related=describe_all(queries.related(video, user, limit=RELATED), user, HERE),
        may_change=policy.may_change(user, video),
        may_share=policy.may_share(user, video),
        may_publish=policy.may_publish(user, video),
        decisions=plan.decisions if plan else (),
    )


@pages.get("/watch/<int:id>")
@login_required
def watch(id: int) -> str:
    """The player."""
    user = require_user()
    video = queries.to_watch(id, user)
    others = queries.catalogue(limit=AT_THE_END + 1, category=video.category)
    related = [other for other in others.videos if other.id != id]
    playback = describe_playback(video, user, HERE)
    if request.args.get("from") == "start":
        playback["position"] = 0.0
    return render_template(
        "videos/watch.html",
        video=describe(video, user, HERE),
        playback=playback,
        related=describe_all(related[:AT_THE_END], user, HERE),
    )


def _upload_page() -> str:
    user = require_user()
    return render_template(
        "videos/upload.html",
        max_bytes=current_app.config["MAX_UPLOAD_BYTES"],
        categories=queries.categories(user),
        quota=quota_of(user),
        used=room.used_bytes(user.id),
    )
