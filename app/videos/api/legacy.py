"""`/api/video/…`: what existing Videoflix front ends ask for, opened by their cookies.

`index.m3u8` of a resolution is a master playlist with that one picture row and all sound, since
sound lies in files of its own. Everything goes through the grants of `app.videos.playback`.
"""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response, jsonify

from app.auth.identity import require_user
from app.errors import NotFound
from app.openapi import describes
from app.videos import grants, playback, queries
from app.videos.presentation import describe_for_front_ends
from app.videos.schemas import LegacyVideoOut
from app.videos.stream import playlist_answer, segment_answer

api = APIBlueprint("legacy_api", __name__, url_prefix="/api/video", tag="Existing front ends")

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_MEDIA = {"content": {"video/mp4": _BYTES, "video/iso.segment": _BYTES}}
SEGMENT = {200: _MEDIA, 206: _MEDIA}
PLAYLIST = {200: {"content": {"application/vnd.apple.mpegurl": {"schema": {"type": "string"}}}}}


@api.get("/")
@api.output(list[LegacyVideoOut])  # type: ignore[arg-type]
def list_watchable() -> Response:
    """List every film that one may watch, newest first."""
    user = require_user()
    return jsonify(describe_for_front_ends(queries.watchable(user), user))


@api.get("/<int:video_id>/<resolution>/index.m3u8/")
@api.doc(summary="Get a playlist of one resolution", responses=[403, 409])
@describes(answers=PLAYLIST)
def get_playlist(video_id: int, resolution: str) -> Response:
    """Get the playlist of 480p, 720p or 1080p, or the nearest there is."""
    wanted = re.fullmatch(r"([1-9][0-9]{2,3})p", resolution)
    if wanted is None:
        raise NotFound
    grant, grid = _grant(video_id)
    return playlist_answer(playback.master(grant, grid, int(wanted[1])))


@api.get("/<int:video_id>/<resolution>/<row>/index.m3u8/")
@api.doc(summary="Get the playlist of a row", responses=[403, 409])
@describes(answers=PLAYLIST)
def get_row(video_id: int, resolution: str, row: str) -> Response:
    """Get the playlist of one picture or sound row."""
    return playlist_answer(playback.media(*_grant(video_id), row))


@api.get("/<int:video_id>/<resolution>/<row>/<name>/")
@api.doc(summary="Get a segment", responses=[403, 409, 416])
@describes(answers=SEGMENT)
def get_segment(video_id: int, resolution: str, row: str, name: str) -> Response:
    """Get a segment, or the init segment, with or without a slash at the end."""
    return segment_answer(playback.segment(*_grant(video_id), row, name), name)


def _grant(video_id: int) -> tuple[str, int]:
    """A grant for this viewer, and the film's grid."""
    user = require_user()
    queries.to_watch(video_id, user)
    return grants.issue(video_id, user.id)[0], queries.grid_of(video_id)
