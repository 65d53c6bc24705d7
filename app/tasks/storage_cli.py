"""`flask storage …`: whether rows and files agree."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from flask.cli import AppGroup

from app.database import start_reading
from app.formatting import bytesize
from app.tasks.audit import MENDED, Checked, Finding, examine
from app.tasks.mending import mend

storage_commands = AppGroup("storage", help="Compare the films' rows with their files.")


@storage_commands.command("audit")
@click.option("--fix", is_flag=True, help="Remove orphans, and make again what is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit_command(fix: bool, as_json: bool) -> None:
    """Find files that no row owns, and files that rows promise but are gone or changed.

    The site may be running. Fails when something was found that was not mended.
    """
    checked = Checked()
    found: list[Finding] = []
    left = count = 0
    try:
        for finding in _found(checked, fix):
            count += 1
            left += finding.action not in MENDED
            if as_json:
                found.append(finding)
            else:
                _print(finding, first=count == 1)
    except OSError as error:
        raise click.ClickException(f"The files cannot be mended: {error.strerror}.") from None
    if as_json:
        click.echo(json.dumps(_facts(checked, found), indent=2))
    else:
        click.echo(
            f"{checked.films} films with {checked.files} files, {bytesize(checked.bytes)} read: "
            + (f"{count} found, {count - left} mended." if count else "rows and files agree.")
        )
    if left:
        raise SystemExit(1)


def _found(checked: Checked, fix: bool) -> Iterator[Finding]:
    start_reading()
    try:
        for group in examine(checked):
            yield from mend(group) if fix else group
    finally:
        start_reading(False)


def _print(finding: Finding, *, first: bool) -> None:
    row = "{:<8}  {:>6}  {:<24.24}  {:<40}  {}"
    if first:
        click.echo(row.format("kind", "id", "film", "what", "action"))
    click.echo(
        row.format(
            finding.kind,
            finding.video_id or "-",
            finding.title or "-",
            click.format_filename(finding.name or f"films/{finding.film}"),
            finding.action,
        )
    )


def _facts(checked: Checked, found: list[Finding]) -> dict[str, object]:
    return {
        "checked": {"films": checked.films, "files": checked.files, "bytes": checked.bytes},
        "findings": [
            {
                "kind": finding.kind,
                "video_id": finding.video_id,
                "film": finding.film or None,
                "name": finding.name,
                "action": finding.action,
            }
            for finding in found
        ],
    }
