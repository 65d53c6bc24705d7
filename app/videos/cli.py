"""`flask videos …`: import, list, show and delete films."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from app.database import db
from app.errors import Conflict
from app.videos import attempts, queries, service, work
from app.videos.imports.cli import import_command
from app.videos.models import Video
from app.videos.presentation import describe

videos = AppGroup("videos", help="Import, list and delete films.")


videos.add_command(import_command)


@videos.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(limit: int, as_json: bool) -> None:
    """List films, newest first."""
    _print(queries.everything(limit=limit).videos, as_json)


@videos.command("show")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(video_id: int, as_json: bool) -> None:
    """Show one film with its renditions, what was tried at it, and the logs of what failed."""
    video = _found(video_id)
    facts = describe(video, video.owner)
    tried = attempts.log_of(video_id)
    if as_json:
        click.echo(json.dumps({**facts, "log": tried}, indent=2))
        return
    for name, value in facts.items():
        click.echo(f"{name:<14} {value}")
    for task in tried:
        chunk = "" if task["chunk"] is None else f" {task['chunk']}"
        click.echo(f"\n{task['kind']}{chunk}: attempts {task['attempts']}, {task['state']}")
        click.echo(task["log"] or "No log was kept.")


@videos.command("retry")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry_command(video_id: int, as_json: bool) -> None:
    """Convert a failed or cancelled film again, from where it stopped."""
    _work(work.retry, video_id, "{} is converted again.", as_json)


@videos.command("convert")
@click.argument("video_ids", type=int, nargs=-1, metavar="[ID]...")
@click.option("--all", "every", is_flag=True, help="Every film that is ready.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def convert_command(video_ids: tuple[int, ...], every: bool, as_json: bool) -> None:
    """Convert ready films again, with today's settings; they can be watched meanwhile."""
    if bool(video_ids) == every:
        raise click.ClickException("Name films by their numbers, or say --all.")
    begun, left = [], {}
    for video_id in queries.ready_ids() if every else video_ids:
        try:
            work.convert_again(_found(video_id))
            db.session.commit()
            begun.append(video_id)
        except Conflict as error:
            db.session.rollback()
            left[video_id] = error.detail
    if as_json:
        click.echo(json.dumps({"begun": begun, "left": left}))
    else:
        click.echo(f"{len(begun)} films are converted again.")
        for video_id, why in left.items():
            click.echo(f"{video_id}: {why}")
    if left and not every:
        sys.exit(1)


@videos.command("cancel")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cancel_command(video_id: int, as_json: bool) -> None:
    """Stop converting a film and free what was made of it; its file stays for a retry."""
    _work(work.cancel, video_id, "{} is no longer converted.", as_json)


@videos.command("publish")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def publish_command(video_id: int, as_json: bool) -> None:
    """Put a film into the catalogue, for everyone to watch."""
    _work(service.publish, video_id, "{} is in the catalogue.", as_json)


@videos.command("unpublish")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def unpublish_command(video_id: int, as_json: bool) -> None:
    """Take a film out of the catalogue; its owner keeps it."""
    _work(service.withdraw, video_id, "{} is out of the catalogue.", as_json)


@videos.command("delete")
@click.argument("video_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def delete_command(video_id: int, as_json: bool) -> None:
    """Delete a film with all its files."""
    video = _found(video_id)
    title = video.title
    service.remove(video)
    db.session.commit()
    click.echo(json.dumps({"deleted": video_id}) if as_json else f"Deleted {title}.")


def _work(act: Callable[[Video], None], video_id: int, said: str, as_json: bool) -> None:
    video = _found(video_id)
    try:
        act(video)
    except Conflict as error:
        raise click.ClickException(error.detail) from None
    db.session.commit()
    video = _found(video_id)
    click.echo(
        json.dumps(describe(video, video.owner), indent=2) if as_json else said.format(video.title)
    )


def _found(video_id: int) -> Video:
    video = queries.find(video_id)
    if video is None:
        raise click.ClickException(f"There is no film {video_id}.")
    return video


def _print(found: Any, as_json: bool) -> None:
    rows = [describe(video, video.owner) for video in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'id':>5}  {'status':<11} {'done':>5}  {'size':>9}  {'owner':<16} title")
    for row in rows:
        click.echo(
            f"{row['id']:>5}  {row['status']:<11} {row['progress']:>5.0%}  "
            f"{row['size'] / 2**20:>6.1f} MB  {row['owner']['username']:<16.16} {row['title']}"
        )
