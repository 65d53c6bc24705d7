"""The JSON API of films: `/api/local-videos/`, `/api/global-videos/`, `/api/videos/ID/…`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import Response, jsonify, request, url_for

from app.auth.identity import require_role, require_user, require_verified, signed_in
from app.auth.models import Role, User
from app.database import db
from app.errors import Forbidden, NotFound
from app.json_body import UnsupportedMediaType, json_body, read_json
from app.openapi import describes
from app.videos import adornments, attempts, policy, queries, service, shelves, work
from app.videos.api.lists import found_answer, list_answer, with_next
from app.videos.models import Video
from app.videos.presentation import (
    absolute,
    describe,
    describe_grid,
    describe_playback,
    describe_subtitle,
    for_viewer,
)
from app.videos.schemas import (
    AttemptsOut,
    GridOut,
    PageQuery,
    PlaybackOut,
    PosterForm,
    SearchQuery,
    SubtitleForm,
    SubtitleRow,
    ThumbnailTime,
    UploadForm,
    VideoChange,
    VideoOut,
)
from app.videos.search import finding
from app.videos.uploads.form import MAX_CAPTIONS_BYTES, MAX_IMAGE_BYTES, receive_form, small_file

api = APIBlueprint("videos_api", __name__, url_prefix="/api", tag="Films")

_FILM = {"multipart/form-data": UploadForm}
_TAKEN = {
    201: {
        "description": "The film, as `GET /api/videos/ID/` tells it.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/VideoOut"}}},
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    }
}
_POSTER = {"application/json": ThumbnailTime, "multipart/form-data": PosterForm}


@api.get("/global-videos/")
@api.input(PageQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_catalogue(page: PageQuery) -> Response:
    """List the global films that can be watched, newest first; with `q` those it matches."""
    user = require_user()
    if page.q and page.q.strip():
        return found_answer(
            finding.catalogue(page.q, limit=page.limit, before=page.before, category=page.category),
            user,
        )
    found = shelves.leaf(limit=page.limit, before=page.before, category=page.category)
    return with_next(jsonify(for_viewer(found.films, user)), found.next_before)


@api.get("/local-videos/")
@api.input(SearchQuery, location="query", arg_name="page")
@api.output(list[VideoOut])  # type: ignore[arg-type]
def list_owned(page: SearchQuery) -> Response:
    """List one's own films, whatever their status, newest first; with `q` those it matches."""
    user = require_user()
    if page.q and page.q.strip():
        return found_answer(finding.owned(user, page.q, limit=page.limit, before=page.before), user)
    return list_answer(queries.owned(user, limit=page.limit, before=page.before), user)


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
@describes(body=_FILM, answers=_TAKEN)
def upload_owned() -> tuple[Response, int, dict[str, str]]:
    """Take in a film: multipart/form-data with file, title, description, category."""
    return _upload(require_verified(), is_global=False)


@api.post("/global-videos/")
@api.doc(summary="Upload a film into the catalogue", responses=[400, 403, 413, 415, 507])
@describes(body=_FILM, answers=_TAKEN)
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
    """Change what is said of a film; its place in the catalogue is for curators to change."""
    user = require_user()
    video = queries.changeable(video_id, user)
    if "place" in body.model_fields_set and not policy.may_fill_catalogue(user):
        raise Forbidden("Only curators order the catalogue.")
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
@api.doc(responses=[409])
def cancel_conversion(video_id: int) -> dict[str, Any]:
    """Stop converting a film and free what was made of it; its file stays for a retry."""
    return _with(work.cancel, video_id)


@api.post("/videos/<int:video_id>/retry/")
@api.output(VideoOut, status_code=202)
@api.doc(responses=[409])
def retry_conversion(video_id: int) -> dict[str, Any]:
    """Convert a failed or cancelled film again, from where it stopped."""
    return _with(work.retry, video_id)


@api.post("/videos/<int:video_id>/convert/")
@api.output(VideoOut, status_code=202)
@api.doc(responses=[409])
def convert_again(video_id: int) -> dict[str, Any]:
    """Make a ready film's renditions anew with today's settings; it is shown as it is meanwhile."""
    return _with(work.convert_again, video_id)


@api.post("/videos/<int:video_id>/thumbnail/")
@signed_in
@api.output(VideoOut, status_code=202)
@api.doc(summary="Choose the poster")
@describes(body=_POSTER)
def choose_thumbnail(video_id: int) -> dict[str, Any]:
    """Choose a poster: JSON `{"time": SECONDS}`, or multipart/form-data with an `image`."""
    user = require_user()
    video = queries.changeable(video_id, user)
    if request.is_json:
        adornments.choose_moment(video, ThumbnailTime.model_validate(read_json()).time)
    elif request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send JSON with a time, or multipart/form-data with an image.")
    else:
        adornments.choose_image(video, small_file(request, "image", MAX_IMAGE_BYTES))
    db.session.commit()
    return describe(queries.visible(video_id, user), user)


@api.post("/videos/<int:video_id>/subtitles/")
@signed_in
@api.output(SubtitleRow, status_code=201)
@api.doc(summary="Add captions", responses=[409])
@describes(body={"multipart/form-data": SubtitleForm})
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
@api.doc(responses=[403, 409])
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
