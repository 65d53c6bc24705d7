"""A film as a person and their programs see it: one dictionary, for the API and the pages alike.

It is made of the film's facts, of addresses that carry the person's own grant, and of what the
person remembers of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from flask import current_app, url_for

from app.auth.models import User
from app.formatting import rfc3339
from app.videos import facts, grants, queries, series, viewings
from app.videos.facts import Facts, facts_of
from app.videos.models import Subtitle, Upload, Video
from app.videos.names import CHAPTERS
from app.videos.series import Listed

NO_CATEGORY = "Other"
"""What existing front ends show films under that have no category: they want a text."""

Described = dict[str, Any]
"""A film as `schemas.VideoOut`."""

_ADDRESSES = ("thumbnail_url", "poster_url", "preview_url", "storyboard_url")


def describe(video: Video, viewer: User, base: str | None = None) -> Described:
    """One film; see `describe_all`."""
    return describe_all([video], viewer, base)[0]


def describe_all(videos: Sequence[Video], viewer: User, base: str | None = None) -> list[Described]:
    """Films as this person sees them.

    Addresses begin with `base`: PUBLIC_URL, or "" for our own pages, which may be open under
    another name of this machine.
    """
    shown = for_viewer(facts_of(videos), viewer, base)
    for video, film in zip(videos, shown, strict=True):
        if video.owner_id == viewer.id:
            film["share_url"] = share_url(video)
    return shown


def for_viewer(films: Sequence[Facts], viewer: User, base: str | None = None) -> list[Described]:
    """The same films for this person: picture addresses carry the person's own grant."""
    mine = viewings.remembered(viewer.id, [film["id"] for film in films])
    described = []
    for film in films:
        left = mine.get(film["id"], viewings.NOTHING)
        described.append(
            _closed(film, stream_of(film["id"], viewer.id, base))
            | {
                "position": left.position,
                "watched": left.is_watched,
                "in_my_list": left.is_saved,
                "duplicate_of": left.double_of,
                "share_url": None,
            }
        )
    return described


def describe_for_front_ends(videos: Sequence[Video], viewer: User) -> list[dict[str, Any]]:
    """Films as existing Videoflix front ends know them, as `schemas.LegacyVideoOut`."""
    return [
        {
            "id": video.id,
            "created_at": rfc3339(video.created_at),
            "title": video.title,
            "description": video.description,
            "thumbnail_url": _closed(facts.pictures(video), stream_of(video.id, viewer.id))[
                "thumbnail_url"
            ],
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
        "progress": facts.progress(video, rows),
        "rows": [
            {
                "name": row.name,
                "kind": row.kind,
                "cells": cells.get(row.id, []),
                "starts": plan.chunk_starts(row.name) if plan else [],
            }
            for row in rows
        ],
    }


def describe_playback(video: Video, viewer: User | None, base: str | None = None) -> dict[str, Any]:
    """How this person plays the film, as `schemas.PlaybackOut`; `base` as in `describe_all`.

    Without a person it is for whoever has the film's share link. Raises NotFound.
    """
    text, grant = grants.issue(video.id, viewer.id if viewer else video.share_key or "")
    stream = _stream(text, base)
    grid_id = queries.grid_of(video.id)
    rows = queries.rows_of([video.id]).get(video.id, [])
    plan = queries.plan_of(video.id)
    mine = viewings.remembered(viewer.id, [video.id]) if viewer else {}
    following = series.next_episode(video, viewer) if viewer else None
    return {
        "title": video.title,
        "hls_url": f"{stream}/{grid_id}/master.m3u8",
        **_closed(
            {
                "poster_url": facts.pictures(video)["poster_url"],
                "storyboard_url": facts.storyboard(video),
                "subtitles": [facts.subtitle(found) for found in video.subtitles],
            },
            stream,
        ),
        "duration": video.duration,
        "position": mine.get(video.id, viewings.NOTHING).position,
        "audio": facts.audio(rows),
        "chapters_url": f"{stream}/text/{CHAPTERS}" if plan and plan.chapters else None,
        "expires_at": rfc3339(datetime.fromtimestamp(grant.expires, UTC)),
        "next": describe_next(following, viewer, base) if following and viewer else None,
    }


def describe_next(video: Video, viewer: User, base: str | None = None) -> dict[str, Any]:
    """The episode that follows, as `schemas.NextOut`."""
    pictures = _closed(facts.pictures(video), stream_of(video.id, viewer.id, base))
    return {
        "id": video.id,
        "title": video.title,
        "season": video.season,
        "episode": video.episode,
        "duration": video.duration,
        "thumbnail_url": pictures["thumbnail_url"],
    }


def describe_series(found: Sequence[Listed], viewer: User) -> list[dict[str, Any]]:
    """Series as `catalogue_schemas.SeriesOut`, each with the picture of an episode."""
    described = []
    for one in found:
        shown = one.shown
        closed = _closed(facts.pictures(shown), stream_of(shown.id, viewer.id))
        described.append(
            {
                "id": one.id,
                "title": one.title,
                "seasons": one.seasons,
                "episodes": one.episodes,
                "thumbnail_url": closed["thumbnail_url"],
            }
        )
    return described


def describe_subtitle(found: Subtitle, viewer: User) -> dict[str, Any]:
    """Captions as `schemas.SubtitleRow`."""
    row = facts.subtitle(found)
    return row | {"url": f"{stream_of(found.video_id, viewer.id)}/{row['url']}"}


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


def share_url(video: Video) -> str | None:
    """The link that plays the film without an account, if its owner made one."""
    return absolute(f"/s/{video.share_key}") if video.share_key else None


def stream_of(video_id: int, viewer: int | str, base: str | None = None) -> str:
    """The address of this viewer's own grant for a film; `base` as in `describe_all`."""
    return _stream(grants.issue(video_id, viewer)[0], base)


def _stream(grant: str, base: str | None) -> str:
    begin = current_app.config["PUBLIC_URL"] if base is None else base
    return f"{begin}/stream/{grant}"


def _closed(film: Facts, stream: str) -> Described:
    """The same with its addresses below the address of a grant."""
    closed = dict(film)
    for name in _ADDRESSES:
        if closed.get(name):
            closed[name] = f"{stream}/{closed[name]}"
    for name in ("images", "subtitles"):
        if name in closed:
            closed[name] = [row | {"url": f"{stream}/{row['url']}"} for row in closed[name]]
    return closed
