"""`flask users`: accounts from the command line."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask.cli import AppGroup

from app.auth import service
from app.auth.models import Role, User
from app.database import db
from app.errors import DomainError

users = AppGroup("users", help="Create, list and disable accounts.")


@users.command("create")
@click.argument("email")
@click.option("--admin", is_flag=True, help="May manage users, the queue and the catalogue.")
@click.option("--verified", is_flag=True, help="The address counts as confirmed; no mail is sent.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(email: str, admin: bool, verified: bool, password_stdin: bool, as_json: bool) -> None:
    """Create an account for EMAIL; without --verified a mail asks to confirm the address."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        user = service.create_user(
            email, password, role=Role.ADMIN if admin else Role.MEMBER, verified=verified
        )
    except DomainError as error:
        sentences = [text for texts in error.errors.values() for text in texts]
        raise click.ClickException(" ".join(sentences) or error.detail) from None
    db.session.commit()
    if as_json:
        click.echo(json.dumps(_facts(user)))
    else:
        click.echo(f"Created {user.email} ({user.role}).")


@users.command("disable")
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def disable(email: str, as_json: bool) -> None:
    """Shut the account of EMAIL: its sessions end, and nobody signs in to it."""
    try:
        user = service.disable_user(email)
    except DomainError as error:
        raise click.ClickException(error.detail) from None
    db.session.commit()
    click.echo(json.dumps(_facts(user)) if as_json else f"Disabled {user.email}.")


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_users(as_json: bool) -> None:
    """List all accounts, newest first."""
    rows = [_facts(user) for user in service.users()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    columns = ("id", "email", "username", "role", "state", "created_at")
    table = [columns, *(tuple(str(row[name]) for name in columns) for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def _facts(user: User) -> dict[str, Any]:
    state = "active" if user.is_verified else "unverified"
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": str(user.role),
        "state": state if user.is_active else "disabled",
        "created_at": user.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
