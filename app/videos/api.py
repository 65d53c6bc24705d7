"""The JSON API of films: `/api/local-videos/`, `/api/global-videos/`, `/api/videos/ID/…`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import Response, jsonify, request, url_for

from app.auth.identity import require_role, require_user, require_verified, signed_in
from app.auth.models import Role, User
from app.database import db
from app.errors import Forbidden, NotFound
from app.json_body import json_body, read_json
from app.videos import adornments, attempts, policy, queries, service, work
from app.videos.models import Video
from app.videos.presentation import (
    absolute,
    describe,
    describe_all,
    describe_grid,
    describe_playback,
    describe_subtitle,
)
from app.videos.queries import Page
from app.videos.schemas import (
    AttemptsOut,
    GridOut,
    PageQuery,
    PlaybackOut,
    SubtitleRow,
    ThumbnailTime,
    UploadForm,
    VideoChange,
    VideoOut,
)
from app.videos.uploads import MAX_CAPTIONS_BYTES, MAX_IMAGE_BYTES, receive_form, small_file

api = APIBlueprint("videos_api", __name__, url_prefix="/api", tag="Films")

_UPLOAD_BODY = {"multipart/form-data": UploadForm.model_json_schema()}


@api.get("/global-videos/")
@api.input(PageQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_catalogue(page: PageQuery) -> Response:
    """List the global films that can be watched, newest first."""
    user = require_user()
    found = queries.catalogue(user, limit=page.limit, before=page.before, category=page.category)
    return _page(found, user, page)


@api.get("/local-videos/")
@api.input(PageQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_owned(page: PageQuery) -> Response:
    """List one's own films, whatever their status, newest first."""
    user = require_user()
    return _page(queries.owned(user, limit=page.limit, before=page.before), user, page)


@api.get("/global-videos/<int:video_id>/")
@api.output(VideoOut)
def get_global(video_id: int) -> dict[str, Any]:
    """Get a film of the catalogue."""
    user = require_user()
    video = queries.visible(video_id, user)
    if not video.is_global:
        raise NotFound("There is no such film.")
    return describe(video, user)


@api.get("/local-videos/<int:video_id>/")
@api.output(VideoOut)
def get_owned(video_id: int) -> dict[str, Any]:
    """Get one of one's own films."""
    user = require_user()
    return describe(_owned(video_id, user), user)


@api.get("/videos/<int:video_id>/")
@api.output(VideoOut)
def get_video(video_id: int) -> dict[str, Any]:
    """Get any film that one may know of."""
    user = require_user()
    return describe(queries.visible(video_id, user), user)


@api.post("/local-videos/")
@api.doc(summary="Upload a film", responses=[400, 413, 415, 507])
def upload_owned() -> tuple[Response, int, dict[str, str]]:
    """Take in a film: multipart/form-data with file, title, description, category."""
    return _upload(require_verified(), is_global=False)


@api.post("/global-videos/")
@api.doc(summary="Upload a film into the catalogue", responses=[400, 403, 413, 415, 507])
def upload_global() -> tuple[Response, int, dict[str, str]]:
    """Take in a film for everyone."""
    user = require_verified()
    if not policy.may_fill_catalogue(user):
        raise Forbidden("Only curators add films to the catalogue.")
    return _upload(user, is_global=True)


@api.patch("/local-videos/<int:video_id>/")
@signed_in
@api.output(VideoOut)
@json_body(api, VideoChange)
def change_video(video_id: int, body: VideoChange) -> dict[str, Any]:
    """Change title, description or category."""
    user = require_user()
    video = queries.changeable(video_id, user)
    service.change(video, body)
    db.session.commit()
    return describe(queries.visible(video_id, user), user)


@api.delete("/local-videos/<int:video_id>/")
@api.output({}, status_code=204)
def delete_video(video_id: int) -> tuple[str, int]:
    """Delete a film with every file of it, also while it is being converted."""
    service.remove(queries.changeable(video_id, require_user()))
    db.session.commit()
    return "", 204


@api.post("/videos/<int:video_id>/cancel/")
@api.output(VideoOut, status_code=202)
def cancel_conversion(video_id: int) -> dict[str, Any]:
    """Stop converting a film and free what was made of it; its file stays for a retry."""
    return _with(work.cancel, video_id)


@api.post("/videos/<int:video_id>/retry/")
@api.output(VideoOut, status_code=202)
def retry_conversion(video_id: int) -> dict[str, Any]:
    """Convert a failed or cancelled film again, from where it stopped."""
    return _with(work.retry, video_id)


@api.post("/videos/<int:video_id>/convert/")
@api.output(VideoOut, status_code=202)
def convert_again(video_id: int) -> dict[str, Any]:
    """Make a ready film's renditions anew with today's settings; it is shown as it is meanwhile."""
    return _with(work.convert_again, video_id)


@api.post("/videos/<int:video_id>/thumbnail/")
@signed_in
@api.doc(summary="Choose the poster", responses=[202, 400, 413, 415])
def choose_thumbnail(video_id: int) -> tuple[dict[str, Any], int]:
    """Choose a poster: JSON `{"time": SECONDS}`, or multipart/form-data with an `image`."""
    user = require_user()
    video = queries.changeable(video_id, user)
    if request.is_json:
        adornments.choose_moment(video, ThumbnailTime.model_validate(read_json()).time)
    else:
        adornments.choose_image(video, small_file(request, "image", MAX_IMAGE_BYTES))
    db.session.commit()
    return describe(queries.visible(video_id, user), user), 202


@api.post("/videos/<int:video_id>/subtitles/")
@signed_in
@api.output(SubtitleRow, status_code=201)
@api.doc(summary="Add captions", responses=[400, 413])
def add_subtitle(video_id: int) -> dict[str, Any]:
    """Add captions: multipart/form-data with file (.vtt or .srt), language, label."""
    user = require_user()
    video = queries.changeable(video_id, user)
    data = small_file(request, "file", MAX_CAPTIONS_BYTES)
    language, label = (request.form.get(name, "") for name in ("language", "label"))
    added = adornments.add_subtitle(video, data, language, label)
    answer = describe_subtitle(added, user)
    db.session.commit()
    return answer


@api.delete("/videos/<int:video_id>/subtitles/<int:subtitle_id>/")
@api.output({}, status_code=204)
def remove_subtitle(video_id: int, subtitle_id: int) -> tuple[str, int]:
    """Remove captions, whether added or the film's own."""
    adornments.remove_subtitle(queries.changeable(video_id, require_user()), subtitle_id)
    db.session.commit()
    return "", 204


@api.get("/videos/<int:video_id>/grid/")
@api.output(GridOut)
def get_grid(video_id: int) -> dict[str, Any]:
    """Get the grid as a small picture: which cells are filled."""
    return describe_grid(queries.visible(video_id, require_user()))


@api.get("/videos/<int:video_id>/log/")
@api.output(list[AttemptsOut])  # type: ignore[arg-type]
@api.doc(responses=[403, 404])
def get_log(video_id: int) -> list[dict[str, Any]]:
    """Get what did not go well while the film was converted, with logs: for administrators."""
    require_role(Role.ADMIN)
    video = queries.find(video_id)
    if video is None:
        raise NotFound("There is no such film.")
    return attempts.log_of(video.id)


@api.get("/videos/<int:video_id>/playback/")
@api.output(PlaybackOut)
def get_playback(video_id: int) -> dict[str, Any]:
    """Get the addresses that play a film, good for this viewer and for some hours."""
    user = require_user()
    return describe_playback(queries.to_watch(video_id, user), user)


def _with(act: Callable[[Video], None], video_id: int) -> dict[str, Any]:
    """Do it to a film that this person may change; the film as it is then."""
    user = require_user()
    act(queries.changeable(video_id, user))
    db.session.commit()
    return describe(queries.visible(video_id, user), user)


def _upload(user: User, *, is_global: bool) -> tuple[Response, int, dict[str, str]]:
    owner_id = user.id
    db.session.rollback()  # no session is held while the film comes in
    with receive_form(request, owner_id) as (received, details):
        video = service.take_in(
            received.incoming, received.size, owner_id, details, is_global=is_global
        )
        video_id = video.id
        db.session.commit()
    stored = queries.find(video_id)
    assert stored is not None  # noqa: S101 - committed a moment ago
    location = absolute(url_for("videos_api.get_owned", video_id=video_id))
    return jsonify(describe(stored, stored.owner)), 201, {"Location": location}


def _owned(video_id: int, user: User) -> Video:
    video = queries.visible(video_id, user)
    if video.owner_id != user.id:
        raise NotFound("There is no such film.")
    return video


def _page(found: Page, user: User, page: PageQuery) -> Response:
    answer = jsonify(describe_all(found.videos, user))
    if found.next_before is not None:
        query = {**request.args.to_dict(), "before": str(found.next_before)}
        target = absolute(f"{request.path}?{urlencode(query)}")
        answer.headers["Link"] = f'<{target}>; rel="next"'
    return answer
