"""`/stream/GRANT/…`: playlists, segments and pictures, opened by the grant in the path alone."""

from __future__ import annotations

from pathlib import PurePath

from flask import Blueprint, Response, current_app, request, send_file

from app.errors import Forbidden, NotFound
from app.metrics import STREAMED
from app.storage import LocalFile, Remote
from app.videos import playback
from app.videos.names import CAPTIONS, CHAPTERS

stream = Blueprint("stream", __name__, url_prefix="/stream/<grant>")

FOREVER = "private, max-age=31536000, immutable"
"""A published segment never changes: its grid would be another."""

_HOUR = "private, max-age=3600"

FILM_HEADER = "X-Film"
"""The film's folder below `films/`, for the server in front alone: it passes the header to nobody,
and nothing could be done with the name."""

PLACE_HEADER = "X-Film-Place"
"""The film's place (`Video.storage`), for a server in front that gets segments of a bucket."""

OBJECT_HEADER = "X-Film-Object"
"""A segment's signed path in the bucket, likewise for the server in front alone."""

_SHUT = "This address opens nothing here."

_PLAYLIST = "application/vnd.apple.mpegurl"
_KINDS = {".m4s": "segment", ".mp4": "init", ".vtt": "captions"}
"""How what is served is counted; all else is pictures."""

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
    return segment_answer(playback.segment(grant, grid, row, name), name)


@stream.get("/text/<int:subtitle>/index.m3u8")
def captions_playlist(grant: str, subtitle: int) -> Response:
    """The playlist of captions."""
    return playlist_answer(playback.captions_playlist(grant, subtitle))


@stream.get(f"/text/<int:subtitle>/{CAPTIONS}")
def captions(grant: str, subtitle: int) -> Response:
    """Captions."""
    return file_answer(playback.captions(grant, subtitle), CAPTIONS, _HOUR)


@stream.get(f"/text/{CHAPTERS}")
def chapters(grant: str) -> Response:
    """The film's chapters."""
    answer = Response(playback.chapters(grant), mimetype=_TYPES[".vtt"])
    answer.headers["Cache-Control"] = _HOUR
    return answer


@stream.get("/may-watch")
def may_watch(grant: str) -> Response:
    """For the server in front, which reads segments from the disk itself: whether it may."""
    opened = _opened(grant)
    if not opened.may_watch:
        raise Forbidden(_SHUT)
    answer = _permission(opened.video.film)
    if _is_fetched():
        answer.headers[PLACE_HEADER] = opened.video.storage
    return answer


@stream.get("/may-see")
def may_see(grant: str) -> Response:
    """The same of pictures, which owners see before the film plays."""
    return _permission(_opened(grant).video.film)


@stream.get("/<int:grid>/<row>/<name>/where")
def where(grant: str, grid: int, row: str, name: str) -> Response:
    """For the server in front, which has no segment of this kind yet: where it gets it.

    404 where it lies elsewhere or has yet to be made: then the segment itself is to be asked for.
    """
    found = playback.made(grant, grid, row, name)
    if isinstance(found, LocalFile) or not _is_fetched():
        raise NotFound
    path = found.signed_path(_type_of(name), FOREVER)
    return Response(status=303, headers={OBJECT_HEADER: path})


@stream.get("/images/<name>")
def image(grant: str, name: str) -> Response:
    """A picture, the storyboard, or the moving preview."""
    return file_answer(playback.image(grant, name), name, _HOUR)


def _opened(grant: str) -> playback.Opened:
    """The film of a grant. Raises Forbidden: 403 is the refusal that nginx's auth_request takes."""
    try:
        return playback.open_film(grant)
    except NotFound:
        raise Forbidden(_SHUT) from None


def _permission(film: str) -> Response:
    """Names the film's folder, with the headers that its files go out with."""
    answer = Response(status=204)
    answer.headers[FILM_HEADER] = film
    return _inert(answer)


def _is_fetched() -> bool:
    """Whether the server in front gets segments of a bucket by itself."""
    return bool(current_app.config["S3_DELIVERY"] == "nginx")


def _inert(answer: Response) -> Response:
    """Whatever is in a film's file, a browser runs none of it."""
    answer.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer


def playlist_answer(text: str) -> Response:
    """A playlist, to be asked for again each time."""
    answer = Response(text, content_type=_PLAYLIST)
    answer.headers["Cache-Control"] = "private, no-cache"
    STREAMED.labels("playlist").inc()
    return answer


def segment_answer(found: LocalFile | Remote, name: str) -> Response:
    """A segment; from where it is, if viewers may get it there."""
    if not isinstance(found, LocalFile) and request.method == "GET":
        address = found.address(_type_of(name), FOREVER)
        if address is not None:
            answer = Response(status=302, headers={"Location": address})
            answer.headers["Cache-Control"] = "private, no-store"
            _count(name)
            return answer
    return file_answer(found, name, FOREVER)


def file_answer(found: LocalFile | Remote, name: str, cache: str) -> Response:
    """A file of a film, with ranges and an ETag, inert whatever is in it. Raises NotFound.

    Pictures and captions always come from here: a browser keeps them under an address that stays.
    """
    if isinstance(found, LocalFile):
        answer = send_file(found.path, mimetype=_type_of(name), conditional=True, etag=True)
    else:
        answer = _passed_on(found, name)
    answer.headers["Cache-Control"] = cache
    _count(name)
    return _inert(answer)


def _passed_on(found: Remote, name: str) -> Response:
    try:
        got = found.open(dict(request.headers))
    except FileNotFoundError:
        raise NotFound from None
    return Response(got.body, got.status, got.headers, mimetype=_type_of(name))


def _type_of(name: str) -> str:
    return _TYPES[PurePath(name).suffix]


def _count(name: str) -> None:
    STREAMED.labels(_KINDS.get(PurePath(name).suffix, "picture")).inc()
