"""`flask videos import`: films from files and folders of this machine, with a report."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from app.database import db
from app.errors import DomainError
from app.formatting import bytesize
from app.videos.imports import importing
from app.videos.imports.folders import Found, Skipped, look
from app.videos.imports.importing import Line, Order, Outcome, Way
from app.videos.imports.turns import import_turn

_WORDS = {
    Outcome.IMPORTED: "imported",
    Outcome.ALREADY: "already there",
    Outcome.SKIPPED: "skipped",
    Outcome.FAILED: "failed",
}


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--global", "is_global", is_flag=True, help="Into the global catalogue.")
@click.option("--owner", help="E-mail address of the owner (default: the first admin).")
@click.option("--category", default="", help="Category (default: from the .nfo file).")
@click.option("--title", default="", help="Title, for a single file (default: from its name).")
@click.option("--description", default="", help="Description (default: from the .nfo file).")
@click.option("--link", is_flag=True, help="Share the bytes by a hard link.")
@click.option("--move", is_flag=True, help="Remove each file once it is a film.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def import_command(
    paths: tuple[Path, ...],
    is_global: bool,
    owner: str | None,
    category: str,
    title: str,
    description: str,
    link: bool,
    move: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take films in from files and folders: copied, unless --link or --move is given.

    Run it again after it was stopped: what is there is not taken twice.
    """
    try:
        owner_id = importing.owner_of(owner).id
    except (DomainError, importing.NotTaken) as error:
        raise click.ClickException(str(error)) from None
    db.session.rollback()
    if link and move:
        raise click.ClickException("Choose --link or --move.")
    way = Way.LINK if link else Way.MOVE if move else Way.COPY
    order = Order(owner_id, way, is_global, title, description, category)
    found = list(look(paths, current_app.config["DATA_DIR"]))
    films = [one for one in found if isinstance(one, Found)]
    report = [_left_out(one) for one in found if isinstance(one, Skipped)]
    if title and len(films) > 1:
        raise click.ClickException("--title goes with a single file.")
    stopped = False
    try:
        if dry_run:
            report += [importing.foresee(film, order) for film in films]
        elif films:
            _take_all(films, order, report)
    except KeyboardInterrupt:
        stopped = True
    _print(report, dry_run, as_json)
    if stopped:
        click.echo("Stopped. Run the same command again to go on.", err=True)
        sys.exit(130)
    if not films:
        raise click.ClickException("There is no film among these files.")
    if any(line.outcome is Outcome.FAILED for line in report):
        sys.exit(1)


def _take_all(films: Sequence[Found], order: Order, report: list[Line]) -> None:
    """Import these, and add each to the report as soon as it is done."""
    total = sum(film.size for film in films)

    def say(name: str | None) -> str:
        return f"{bytesize(bar.pos)} of {bytesize(total)}  {name or ''}"

    bar = click.progressbar(
        length=total,
        label="Importing",
        file=sys.stderr,
        item_show_func=say,
        show_percent=False,
        update_min_steps=max(total // 200, 1),
    )
    with _turn(), bar as progress:
        for film in films:
            told = partial(progress.update, current_item=shown(film.path.name))
            report.append(importing.take(film, order, told))


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for the turn to import."""
    told = False
    while True:
        with import_turn() as mine:
            if mine:
                yield
                return
        if not told:
            click.echo("Waiting for another import to end…", err=True)
            told = True
        time.sleep(0.5)


def _left_out(one: Skipped) -> Line:
    """What was found but is no film; a file that was named and is none is a failure."""
    return Line(one.path, Outcome.FAILED if one.named else Outcome.SKIPPED, why=one.why)


def _print(report: Sequence[Line], dry_run: bool, as_json: bool) -> None:
    """The report, by what became of the files."""
    if as_json:
        rows = {
            outcome.value: [_facts(line) for line in report if line.outcome is outcome]
            for outcome in Outcome
        }
        click.echo(json.dumps(rows, indent=2))
        return
    words = _WORDS | ({Outcome.IMPORTED: "would import"} if dry_run else {})
    for outcome in Outcome:
        for line in (line for line in report if line.outcome is outcome):
            title = f"“{shown(line.title)}”" if line.title else ""
            became = f"film {line.video_id}" if line.video_id and not line.why else shown(line.why)
            said = "  ".join(part for part in (title, became) if part)
            click.echo(f"{words[outcome]:<13}  {shown(str(line.path))}  {said}")
            for note in line.notes:
                click.echo(f"{'':<13}  but: {shown(note)}")
    counts = {outcome: sum(line.outcome is outcome for line in report) for outcome in Outcome}
    click.echo(", ".join(f"{counts[outcome]} {words[outcome]}" for outcome in Outcome) + ".")


def _facts(line: Line) -> dict[str, Any]:
    return {
        "path": os.fsencode(line.path).decode("utf-8", "replace"),
        "title": line.title,
        "video_id": line.video_id,
        "why": line.why,
        "notes": [note.encode("utf-8", "replace").decode() for note in line.notes],
    }


def shown(text: str) -> str:
    """Text that cannot disturb a terminal: what is not printable becomes a question mark."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
