"""A film as people and programs see it: one dictionary, for the API and for the pages alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import current_app, url_for

from app.auth.models import User
from app.formatting import rfc3339
from app.videos import grants, queries
from app.videos.forecast import UNKNOWN, Forecast, forecasts_of
from app.videos.models import GridRole, Rendition, Status, Subtitle, Upload, Video
from app.videos.names import CAPTIONS, CARD, CHAPTERS, POSTER, PREVIEW, STORYBOARD, image_file
from app.videos.pictures import pictures_of
from app.videos.queries import Row

NO_CATEGORY = "Other"
"""What existing front ends show films under that have no category: they want a text."""

Described = dict[str, Any]
"""A film as `schemas.VideoOut`."""


def describe(video: Video, viewer: User, base: str | None = None) -> Described:
    """One film; see `describe_all`."""
    return describe_all([video], viewer, base)[0]


def describe_all(videos: Sequence[Video], viewer: User, base: str | None = None) -> list[Described]:
    """Films as this person sees them: picture addresses carry the person's own grant.

    Addresses begin with `base`: PUBLIC_URL, or "" for our own pages, which may be open under
    another name of this machine.
    """
    ids = [video.id for video in videos]
    both = (GridRole.CURRENT, GridRole.NEXT)
    rows, texts = queries.rows_of(ids, both), queries.subtitles_of(ids)
    forecasts = forecasts_of(videos)
    doubles = queries.duplicates(videos, viewer.id)
    begin = current_app.config["PUBLIC_URL"] if base is None else base
    return [
        _describe(
            video,
            rows.get(video.id, []),
            texts.get(video.id, []),
            forecasts.get(video.id, UNKNOWN),
            viewer,
            begin,
        )
        | {"duplicate_of": doubles.get(video.id)}
        for video in videos
    ]


def describe_for_front_ends(videos: Sequence[Video], viewer: User) -> list[dict[str, Any]]:
    """Films as existing Videoflix front ends know them, as `schemas.LegacyVideoOut`."""
    base = current_app.config["PUBLIC_URL"]
    return [
        {
            "id": video.id,
            "created_at": rfc3339(video.created_at),
            "title": video.title,
            "description": video.description,
            "thumbnail_url": _pictures(video, stream_of(video, viewer, base))[0],
            "category": video.category or NO_CATEGORY,
        }
        for video in videos
    ]


def describe_grid(video: Video) -> dict[str, Any]:
    """The grid as a small picture, as `schemas.GridOut`."""
    rows = queries.rows_of([video.id]).get(video.id, [])
    cells = queries.cells_of(video.id)
    plan = queries.plan_of(video.id)
    return {
        "status": video.status,
        "playable": video.playable,
        "progress": _progress(video, rows),
        "rows": [
            {
                "name": row.rendition.name,
                "kind": row.rendition.kind,
                "cells": cells.get(row.rendition.id, []),
                "starts": plan.chunk_starts(row.rendition.name) if plan else [],
            }
            for row in rows
        ],
    }


def describe_playback(video: Video, viewer: User, base: str | None = None) -> dict[str, Any]:
    """How this person plays the film, as `schemas.PlaybackOut`; `base` as in `describe_all`."""
    begin = current_app.config["PUBLIC_URL"] if base is None else base
    rows = queries.rows_of([video.id]).get(video.id, [])
    text, grant = grants.issue(video.id, viewer.id)
    stream = f"{begin}/stream/{text}"
    grid_id = rows[0].rendition.grid_id
    plan = queries.plan_of(video.id)
    return {
        "hls_url": f"{stream}/{grid_id}/master.m3u8",
        "poster_url": _pictures(video, stream)[1],
        "storyboard_url": _storyboard(video, stream),
        "duration": video.duration,
        "position": 0.0,
        "audio": [_audio(row.rendition) for row in rows if row.rendition.kind == "audio"],
        "subtitles": [
            describe_subtitle(found, stream)
            for found in queries.subtitles_of([video.id]).get(video.id, [])
        ],
        "chapters_url": f"{stream}/text/{CHAPTERS}" if plan and plan.chapters else None,
        "expires_at": rfc3339(datetime.fromtimestamp(grant.expires, UTC)),
    }


def describe_subtitle(found: Subtitle, stream: str) -> dict[str, Any]:
    """Captions as `schemas.SubtitleRow`; `stream` is the address of the film's grant."""
    return {
        "id": found.id,
        "language": found.language,
        "label": found.label,
        "default": found.is_default,
        "url": f"{stream}/text/{found.id}/{CAPTIONS}",
    }


def describe_upload(upload: Upload, offset: int) -> dict[str, Any]:
    """An upload of which `offset` bytes are here, as `schemas.UploadOut`."""
    return {
        "id": upload.name,
        "url": url_for("uploads_api.ask", name=upload.name),
        "filename": upload.filename,
        "title": upload.title,
        "description": upload.description,
        "category": upload.category,
        "is_global": upload.is_global,
        "length": upload.length,
        "offset": offset,
        "created_at": rfc3339(upload.created_at),
        "expires_at": rfc3339(upload.expires_at),
        "finished_at": rfc3339(upload.finished_at) if upload.finished_at else None,
        "video_id": upload.video_id,
    }


def absolute(path: str) -> str:
    """An address below PUBLIC_URL."""
    return f"{current_app.config['PUBLIC_URL']}{path}"


def _describe(
    video: Video,
    every: Sequence[Row],
    texts: Sequence[Subtitle],
    forecast: Forecast,
    viewer: User,
    base: str,
) -> Described:
    stream = stream_of(video, viewer, base)
    thumbnail, poster = _pictures(video, stream)
    rows = [row for row in every if row.role == GridRole.CURRENT]
    coming = [row for row in every if row.role == GridRole.NEXT]
    progress, board = _progress(video, rows), _storyboard(video, stream)
    return {
        "id": video.id,
        "title": video.title,
        "description": video.description,
        "category": video.category,
        "is_global": video.is_global,
        "owner": {"id": video.owner_id, "username": video.owner.username},
        "status": video.status,
        "playable": video.playable,
        "progress": progress,
        "eta": forecast.eta,
        "queue": forecast.queue and asdict(forecast.queue),
        "uploaded": None if video.received is None else round(video.received / video.size, 4),
        "converting_again": _filled(coming) if coming else None,
        "error": _error(video),
        "created_at": rfc3339(video.created_at),
        "duration": video.duration,
        "width": video.width,
        "height": video.height,
        "size": video.size,
        "thumbnail_url": thumbnail,
        "poster_url": poster,
        "images": _images(video, stream),
        "placeholder": video.placeholder if video.has_images else None,
        "preview_url": board and board.replace(STORYBOARD, PREVIEW),
        "storyboard_url": board,
        "renditions": [
            {
                "height": row.rendition.height,
                "codec": row.rendition.codecs,
                "bitrate": row.rendition.average_bitrate,
                "bytes": row.rendition.bytes,
                "progress": round(row.progress, 4),
            }
            for row in rows
            if row.rendition.kind == "video"
        ],
        "audio": [_audio(row.rendition) for row in rows if row.rendition.kind == "audio"],
        "subtitles": [describe_subtitle(found, stream) for found in texts],
    }


def stream_of(video: Video, viewer: User, base: str | None = None) -> str:
    """The address of the person's own grant for a film; `base` as in `describe_all`."""
    begin = current_app.config["PUBLIC_URL"] if base is None else base
    return f"{begin}/stream/{grants.issue(video.id, viewer.id)[0]}"


def _pictures(video: Video, stream: str) -> tuple[str | None, str | None]:
    """Addresses of the small and the large picture below the address of a grant."""
    if not video.has_images:
        return None, None
    version = video.images_version
    card, poster = (f"{stream}/{image_file(name)}?v={version}" for name in (CARD, POSTER))
    return card, poster


def _images(video: Video, stream: str) -> list[dict[str, Any]]:
    """The same picture in all its sizes and formats, as `schemas.ImageOut`."""
    if not video.has_images:
        return []
    version = video.images_version
    return [
        {
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "url": f"{stream}/{image_file(picture.name)}?v={version}",
        }
        for picture in pictures_of(video.film, version)
    ]


def _storyboard(video: Video, stream: str) -> str | None:
    return f"{stream}/{image_file(STORYBOARD)}" if video.has_storyboard else None


def _audio(rendition: Rendition) -> dict[str, Any]:
    return {
        "language": rendition.language,
        "label": rendition.label,
        "default": rendition.is_default,
        "codec": rendition.codecs,
        "loudness": rendition.loudness,
        "loudness_range": rendition.loudness_range,
        "true_peak": rendition.true_peak,
    }


def _progress(video: Video, rows: Sequence[Row]) -> float:
    if video.status == Status.READY:
        return 1.0
    return _filled(rows)


def _filled(rows: Sequence[Row]) -> float:
    """The filled share of all cells, 0…1."""
    cells = sum(row.rendition.chunks for row in rows)
    return round(sum(row.filled for row in rows) / cells, 4) if cells else 0.0


def _error(video: Video) -> dict[str, str] | None:
    if video.error_code is None:
        return None
    return {
        "code": video.error_code,
        "stage": video.error_stage or "",
        "message": video.error_message or "",
        "hint": video.error_hint or "",
    }
