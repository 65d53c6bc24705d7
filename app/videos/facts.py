"""What is known of a film, the same for whoever looks: it may be kept and shown to everyone.

Addresses are left open: they begin with nothing, below the grant of the person who will look. See
`presentation`, which closes them and adds what concerns that person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.formatting import rfc3339
from app.videos import queries
from app.videos.forecast import UNKNOWN, Forecast, forecasts_of
from app.videos.models import GridRole, Status, Subtitle, Video
from app.videos.names import CAPTIONS, CARD, POSTER, PREVIEW, STORYBOARD, image_file
from app.videos.pictures import pictures_of
from app.videos.queries import Row

Facts = dict[str, Any]
"""A film as `schemas.VideoOut`, its addresses open, JSON through and through."""


def facts_of(videos: Sequence[Video]) -> list[Facts]:
    """The facts of these films (see `queries.films`), in the same few statements for any number."""
    ids = [video.id for video in videos]
    rows = queries.rows_of(ids, (GridRole.CURRENT, GridRole.NEXT))
    forecasts = forecasts_of(videos)
    return [
        _facts(video, rows.get(video.id, []), forecasts.get(video.id, UNKNOWN)) for video in videos
    ]


def pictures(video: Video) -> dict[str, str | None]:
    """Open addresses of the small and the large picture."""
    if not video.has_images:
        return {"thumbnail_url": None, "poster_url": None}
    return {
        "thumbnail_url": _versioned(video, CARD),
        "poster_url": _versioned(video, POSTER),
    }


def storyboard(video: Video) -> str | None:
    """The open address of the pictures along the time line."""
    return image_file(STORYBOARD) if video.has_storyboard else None


def audio(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The sound among the rows of a grid, as `schemas.AudioRow`."""
    return [_audio(row) for row in rows if row.kind == "audio"]


def subtitle(found: Subtitle) -> dict[str, Any]:
    """Captions as `schemas.SubtitleRow`, the address open."""
    return {
        "id": found.id,
        "language": found.language,
        "label": found.label,
        "default": found.is_default,
        "url": f"text/{found.id}/{CAPTIONS}",
    }


def progress(video: Video, rows: Sequence[Row]) -> float:
    """How much of the film is converted, 0…1."""
    return 1.0 if video.status == Status.READY else _filled(rows)


def _facts(video: Video, every: Sequence[Row], forecast: Forecast) -> Facts:
    rows = [row for row in every if row.role == GridRole.CURRENT]
    coming = [row for row in every if row.role == GridRole.NEXT]
    board = storyboard(video)
    return {
        "id": video.id,
        "title": video.title,
        "description": video.description,
        "category": video.category,
        "year": video.year,
        "series": _series(video),
        "is_global": video.is_global,
        "place": video.place,
        "owner": {"id": video.owner_id, "username": video.owner.username},
        "status": video.status,
        "playable": video.playable,
        "progress": progress(video, rows),
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
        **pictures(video),
        "images": _images(video),
        "placeholder": video.placeholder if video.has_images else None,
        "preview_url": board and board.replace(STORYBOARD, PREVIEW),
        "storyboard_url": board,
        "renditions": [
            {
                "height": row.height,
                "codec": row.codecs,
                "bitrate": row.average_bitrate,
                "bytes": row.bytes,
                "progress": round(row.progress, 4),
            }
            for row in rows
            if row.kind == "video"
        ],
        "audio": audio(rows),
        "subtitles": [subtitle(found) for found in video.subtitles],
    }


def _versioned(video: Video, name: str) -> str:
    return f"{image_file(name)}?v={video.images_version}"


def _images(video: Video) -> list[dict[str, Any]]:
    """The same picture in all its sizes and formats, as `schemas.ImageOut`."""
    if not video.has_images:
        return []
    return [
        {
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "url": _versioned(video, picture.name),
        }
        for picture in pictures_of(video.film, video.images_version)
    ]


def _series(video: Video) -> dict[str, Any] | None:
    if video.series is None:
        return None
    return {
        "id": video.series.id,
        "title": video.series.title,
        "season": video.season,
        "episode": video.episode,
    }


def _audio(row: Row) -> dict[str, Any]:
    return {
        "language": row.language,
        "label": row.label,
        "default": row.is_default,
        "codec": row.codecs,
        "loudness": row.loudness,
        "loudness_range": row.loudness_range,
        "true_peak": row.true_peak,
    }


def _filled(rows: Sequence[Row]) -> float:
    """The filled share of all cells, 0…1."""
    cells = sum(row.chunks for row in rows)
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
