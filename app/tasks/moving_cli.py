"""`flask storage move`: films from one place to the other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click
from flask.cli import with_appcontext

from app.database import start_reading
from app.formatting import bytesize
from app.storage import StorageAway, forms
from app.tasks.moving import Fate, Moved, forget_misplaced, left_to_move, move


@click.command("move")
@click.option("--to", "target", type=click.Choice(["local", "s3"]), required=True, help="Where to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def move_command(target: str, as_json: bool) -> None:
    """Copy films to the other place, check them, and switch them over.

    The site may be running: films are watched all the while. It can be stopped (Ctrl-C) and run
    again. Films that come in or are converted are left for another run. Fails when a film is left.
    """
    if target not in forms():
        raise click.ClickException("There is no bucket. Set S3_BUCKET and its keys first.")
    lines: list[Moved] = []
    stopped, cleared = False, 0
    start_reading()
    try:
        cleared = forget_misplaced(target)
        with _progress(target, hidden=as_json) as told:
            for line in move(target, told):
                lines.append(line)
                if not as_json and line.fate is not Fate.MOVED:
                    click.echo(f"\nfilm {line.video_id} ({line.title}): {line.why}")
    except KeyboardInterrupt:
        stopped = True
    except StorageAway as error:
        raise click.ClickException(f"The bucket refuses: {error.strerror}.") from None
    except OSError as error:
        raise click.ClickException(f"The files cannot be moved: {error.strerror}.") from None
    finally:
        start_reading(False)
    moved = [line for line in lines if line.fate is Fate.MOVED]
    left = left_to_move(target)[0]
    if as_json:
        facts = {
            "moved": [asdict(line) for line in moved],
            "left": [asdict(line) for line in lines if line.fate is not Fate.MOVED],
            "cleared": cleared,
            "stopped": stopped,
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        size = bytesize(sum(line.bytes for line in moved))
        click.echo(f"{len(moved)} films moved ({size}), {left} left.")
        if stopped:
            click.echo("Stopped. Run it again to go on.")
    if left or stopped:
        raise SystemExit(1)


@contextlib.contextmanager
def _progress(target: str, *, hidden: bool) -> Iterator[Callable[[int], None]]:
    if hidden:
        yield lambda _count: None
        return
    count, size = left_to_move(target)
    label = f"{count} films"
    with click.progressbar(length=max(size, 1), label=label, update_min_steps=2**20) as bar:
        yield bar.update
