"""`flask users`: accounts from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup

from app.auth import admin, profile
from app.auth.models import Role, User
from app.auth.quotas import quota_of
from app.auth.tidying import tidy
from app.database import db
from app.errors import DomainError
from app.formatting import rfc3339
from config import size

users = AppGroup("users", help="Create, find, promote, disable and delete accounts.")

_QUOTAS = {"default": None, "none": 0}

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@users.command("create")
@click.argument("email")
@click.option("--admin", "is_admin", is_flag=True, help="May manage users and the queue.")
@click.option("--verified", is_flag=True, help="The address counts as confirmed; no mail is sent.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@as_json_option
def create(email: str, is_admin: bool, verified: bool, password_stdin: bool, as_json: bool) -> None:
    """Create an account for EMAIL; without --verified a mail asks to confirm the address."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with _in_plain_words():
        role = Role.ADMIN if is_admin else Role.MEMBER
        user = admin.create_user(email, password, role=role, verified=verified)
    db.session.commit()
    _print(user, f"Created {user.email} ({user.role}).", as_json)


@users.command("list")
@click.option("--search", default="", help="Part of an address or a name.")
@click.option("--state", type=click.Choice(admin.STATES), help="Only accounts in this state.")
@as_json_option
def list_users(search: str, state: str | None, as_json: bool) -> None:
    """List accounts, newest first."""
    rows = [_facts(user) for user in admin.find_users(search, state, limit=None).users]
    if as_json:
        click.echo(json.dumps(rows))
        return
    columns = ("id", "email", "username", "role", "state", "created_at")
    table = [columns, *(tuple(str(row[name]) for name in columns) for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


@users.command("promote")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.ADMIN),
    show_default=True,
    help="What the account may do; a lower role takes rights away.",
)
@as_json_option
def promote(email: str, role: str, as_json: bool) -> None:
    """Give the account of EMAIL a role."""
    _change(email, lambda user: admin.promote(user, Role(role)), f"{{}} is {role} now.", as_json)


@users.command("quota")
@click.argument("email")
@click.argument("quota", metavar="BYTES|default|none")
@as_json_option
def quota_command(email: str, quota: str, as_json: bool) -> None:
    """Let the films of EMAIL take so many BYTES (500M, 20G): default as all, none without bound."""
    try:
        wanted = _QUOTAS[quota] if quota in _QUOTAS else size(quota)
    except ValueError:
        raise click.ClickException("Say how many bytes, such as 500M or 20G.") from None
    said = "The quota of {} is set."
    _change(email, lambda user: admin.set_quota(user, wanted), said, as_json)


@users.command("disable")
@click.argument("email")
@as_json_option
def disable(email: str, as_json: bool) -> None:
    """Shut the account of EMAIL: its sessions end, and nobody signs in to it."""
    _change(email, admin.disable, "Disabled {}.", as_json)


@users.command("enable")
@click.argument("email")
@as_json_option
def enable(email: str, as_json: bool) -> None:
    """Open the account of EMAIL again."""
    _change(email, admin.enable, "Enabled {}.", as_json)


@users.command("resend")
@click.argument("email")
@as_json_option
def resend(email: str, as_json: bool) -> None:
    """Mail EMAIL a fresh link that confirms the address."""
    _change(email, admin.resend, "A new link is on its way to {}.", as_json)


@users.command("delete")
@click.argument("email")
@as_json_option
def delete(email: str, as_json: bool) -> None:
    """Delete the account of EMAIL with all its films, at once and for good."""
    with _in_plain_words():
        user = admin.by_email(email)
        facts = _facts(user)
        profile.delete_account(user)
    db.session.commit()
    click.echo(json.dumps(facts | {"state": "deleted"}) if as_json else f"Deleted {user.email}.")


@users.command("tidy")
@as_json_option
def tidy_command(as_json: bool) -> None:
    """Remove accounts unconfirmed for UNVERIFIED_DAYS, and old sessions, as workers do hourly."""
    removed = tidy()
    db.session.commit()
    if as_json:
        click.echo(json.dumps(removed))
        return
    click.echo(f"Removed {removed['accounts']} accounts and {removed['sessions']} sessions.")


def _change(email: str, act: Callable[[User], None], said: str, as_json: bool) -> None:
    with _in_plain_words():
        user = admin.by_email(email)
        act(user)
    db.session.commit()
    _print(user, said.format(user.email), as_json)


def _print(user: User, said: str, as_json: bool) -> None:
    click.echo(json.dumps(_facts(user)) if as_json else said)


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """Show what a service refuses as the command's error."""
    try:
        yield
    except DomainError as error:
        sentences = [text for texts in error.errors.values() for text in texts]
        raise click.ClickException(" ".join(sentences) or error.detail) from None


def _facts(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": str(user.role),
        "state": admin.state_of(user),
        "quota_bytes": quota_of(user),
        "created_at": rfc3339(user.created_at),
    }
