"""`/stream/GRANT/…`: playlists, segments and pictures, opened by the grant in the path alone."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_file

from app.videos import playback
from app.videos.names import CAPTIONS, CHAPTERS

stream = Blueprint("stream", __name__, url_prefix="/stream/<grant>")

FOREVER = "private, max-age=31536000, immutable"
"""A published segment never changes: its grid would be another."""

_HOUR = "private, max-age=3600"

_PLAYLIST = "application/vnd.apple.mpegurl"
_TYPES = {
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".vtt": "text/vtt",
}


@stream.get("/<int:grid>/master.m3u8")
def master(grant: str, grid: int) -> Response:
    """The master playlist."""
    return playlist_answer(playback.master(grant, grid))


@stream.get("/<int:grid>/<row>/index.m3u8")
def media(grant: str, grid: int, row: str) -> Response:
    """A row's playlist."""
    return playlist_answer(playback.media(grant, grid, row))


@stream.get("/<int:grid>/<row>/iframes.m3u8")
def key_frames(grant: str, grid: int, row: str) -> Response:
    """The playlist of a row's key frames, for seeking."""
    return playlist_answer(playback.key_frames(grant, grid, row))


@stream.get("/<int:grid>/<row>/<name>")
def segment(grant: str, grid: int, row: str, name: str) -> Response:
    """A segment, or the init segment."""
    return file_answer(playback.segment(grant, grid, row, name), FOREVER)


@stream.get("/text/<int:subtitle>/index.m3u8")
def captions_playlist(grant: str, subtitle: int) -> Response:
    """The playlist of captions."""
    return playlist_answer(playback.captions_playlist(grant, subtitle))


@stream.get(f"/text/<int:subtitle>/{CAPTIONS}")
def captions(grant: str, subtitle: int) -> Response:
    """Captions."""
    return file_answer(playback.captions(grant, subtitle), _HOUR)


@stream.get(f"/text/{CHAPTERS}")
def chapters(grant: str) -> Response:
    """The film's chapters."""
    answer = Response(playback.chapters(grant), mimetype=_TYPES[".vtt"])
    answer.headers["Cache-Control"] = _HOUR
    return answer


@stream.get("/images/<name>")
def image(grant: str, name: str) -> Response:
    """A picture, the storyboard, or the moving preview."""
    return file_answer(playback.image(grant, name), _HOUR)


def playlist_answer(text: str) -> Response:
    """A playlist, to be asked for again each time."""
    answer = Response(text, content_type=_PLAYLIST)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def file_answer(path: Path, cache: str) -> Response:
    """A file of a film, with ranges and an ETag, inert whatever is in it."""
    answer = send_file(path, mimetype=_TYPES[path.suffix], conditional=True, etag=True)
    answer.headers["Cache-Control"] = cache
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
