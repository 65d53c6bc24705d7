"""`flask doctor`: ask every part whether it works, and say what to mend."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from smtplib import SMTP, SMTP_SSL, SMTPException

import click
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, current_app
from flask.cli import with_appcontext
from redis.exceptions import RedisError
from rq import Worker
from sqlalchemy.exc import SQLAlchemyError

from app.database import db
from app.deployment import DEPLOYMENT, Sick
from app.extensions import redis_client
from app.media import landlock
from app.media.apart import probe_apart
from app.media.binary import ffmpeg_binary
from app.media.cells import fill_chunk, fill_row
from app.media.errors import MediaError
from app.media.plan import PlanOptions, make_plan
from app.storage import UNBOUNDED, StorageAway, storage
from app.tasks.queue import VIDEOS, queue

SMTP_SECONDS = 10


def init_doctor(app: Flask) -> None:
    """Register the command."""
    app.cli.add_command(doctor)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check every part and convert a synthetic clip; fails when a part does not work."""
    found = {name: _ask(check) for name, check in CHECKS.items()}
    if as_json:
        facts = {name: {"ok": ok, "detail": detail} for name, (ok, detail) in found.items()}
        click.echo(json.dumps(facts, indent=2))
    else:
        for name, (ok, detail) in found.items():
            click.echo(f"{'ok ' if ok else 'BAD'}  {name:<10} {detail}")
    if not all(ok for ok, _ in found.values()):
        raise SystemExit(1)


def _ask(check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, check()
    except Sick as error:
        return False, str(error)


def _database() -> str:
    try:
        with db.engine.connect() as connection:
            now = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise Sick(f"Cannot be reached ({type(error).__name__}); check DATABASE_URL.") from None
    migrations = Path(current_app.root_path).parent / "migrations"
    head = ScriptDirectory(str(migrations)).get_current_head()
    if now != head:
        raise Sick("The tables are not up to date; run `flask --app wsgi db upgrade`.")
    return f"{db.engine.dialect.name}, up to date"


def _redis() -> str:
    try:
        redis_client().ping()
    except RedisError:
        raise Sick("Cannot be reached; start it with `make run`, or check REDIS_URL.") from None
    return "answers"


def _workers() -> str:
    try:
        count = len(Worker.all(queue=queue(VIDEOS)))  # those whose heart beats
    except RedisError:
        raise Sick("Unknown while Redis is away.") from None
    if count == 0:
        raise Sick("None is running; start them with `flask --app wsgi worker`.")
    return f"{count} for films"


def _storage() -> str:
    try:
        storage().check()
    except OSError as error:
        where = "" if isinstance(error, StorageAway) else "; check DATA_DIR"
        raise Sick(f"Cannot be written ({error.strerror}){where}.") from None
    free = storage().free_bytes()
    if free == UNBOUNDED:
        return f"bucket {current_app.config['S3_BUCKET']} takes and gives"
    if free < current_app.config["MIN_FREE_BYTES"]:
        raise Sick("The disk is full: less than MIN_FREE_BYTES is left.")
    return f"{free / 2**30:.1f} GB free"


def _mail() -> str:
    config = current_app.config
    if not config["MAIL_SERVER"]:
        return "files in DATA_DIR/mail"
    kind = SMTP_SSL if config["MAIL_USE_SSL"] else SMTP
    try:
        with kind(config["MAIL_SERVER"], config["MAIL_PORT"], timeout=SMTP_SECONDS) as server:
            if config["MAIL_USE_TLS"] and not config["MAIL_USE_SSL"]:
                server.starttls()
            if config["MAIL_USERNAME"]:
                server.login(config["MAIL_USERNAME"], config["MAIL_PASSWORD"])
    except (OSError, SMTPException) as error:
        raise Sick(f"The mail server refuses ({type(error).__name__}); check MAIL_*.") from None
    return f"{config['MAIL_SERVER']} takes mail"


def _ffmpeg() -> str:
    """Make a clip of two seconds and convert its first chunk, as a worker would."""
    with tempfile.TemporaryDirectory(prefix="videoflix-doctor-") as folder:
        try:
            _convert_clip(Path(folder))
        except (OSError, subprocess.SubprocessError, MediaError) as error:
            what = error.message if isinstance(error, MediaError) else type(error).__name__
            raise Sick(f"Cannot convert a clip ({what}); check FFMPEG_BINARY.") from None
    return "converts"


def _cage() -> str:
    """What ffmpeg is held by: the limits are everywhere, Landlock is where the kernel has it."""
    limits = "limits on CPU, memory, file size and open files"
    if landlock.abi() == 0:
        return f"{limits} only: this kernel has no Landlock, so a film's converter can read files"
    return f"Landlock ABI {landlock.abi()}, {limits}"


def _convert_clip(folder: Path) -> None:
    ffmpeg = ffmpeg_binary(current_app.config["FFMPEG_BINARY"] or None)
    clip, place = folder / "clip.mp4", folder / "place"
    make = (
        "-nostdin -v error -f lavfi -i testsrc2=s=640x360:r=25:d=2 -f lavfi -i sine=d=2 "
        "-c:v libx264 -pix_fmt yuv420p -c:a aac"
    )
    subprocess.run([ffmpeg, *make.split(), str(clip)], check=True, timeout=60)  # noqa: S603 - ours
    place.mkdir()
    plan = make_plan(probe_apart(clip, stop=lambda: False), PlanOptions(copy=False))
    rows = [row.name for row in plan.video]
    fill_chunk(clip, plan, 0, rows, place, ffmpeg=ffmpeg, stop=lambda: False)
    for row in plan.audio:
        list(fill_row(clip, plan, row.name, place, ffmpeg=ffmpeg, stop=lambda: False))


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "workers": _workers,
    "storage": _storage,
    "mail": _mail,
    "ffmpeg": _ffmpeg,
    "cage": _cage,
} | DEPLOYMENT
