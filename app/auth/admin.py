"""Accounts in the hands of administrators and operators: create, find, shut, promote.

Services flush, entry points commit. An administrator who could undo the last one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, or_, select

from app.auth import passwords, sessions
from app.auth.addresses import NotAnAddress, normal_email
from app.auth.models import Role, User
from app.auth.profile import require_another_admin
from app.auth.service import checked_address, found_or_added, post_verification
from app.database import db, now
from app.errors import Conflict, InvalidInput, NotFound

STATES = ("active", "unverified", "disabled")
"""What an account can be; see `state_of`."""

PAGE = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A page of accounts. `next_before` is where the next one begins, None at the end."""

    users: list[User]
    next_before: int | None


def create_user(
    email: str, password: str, *, role: Role = Role.MEMBER, verified: bool = False
) -> User:
    """Open an account for an operator; one that is not verified gets the mail with its link.

    Raises InvalidInput, Conflict `email_taken`.
    """
    address, errors = checked_address(email)
    if wrong := passwords.problems(password, address):
        errors["password"] = wrong
    if errors:
        raise InvalidInput(errors)
    db.session.rollback()
    user, is_new = found_or_added(address, passwords.hash_password(password))
    if not is_new:
        raise Conflict(f"{address} has an account already.", code="email_taken")
    user.role = role
    user.verified_at = now() if verified else None
    db.session.flush()
    if not verified:
        post_verification(user)
    return user


@dataclass(frozen=True, slots=True)
class People:
    """How many accounts there are in each state; see `state_of`."""

    active: int
    unverified: int
    disabled: int


def count_people() -> People:
    """Count all accounts, in one statement."""
    disabled, confirmed = User.disabled_at.is_not(None), User.verified_at.is_not(None)
    state = case((disabled, "disabled"), (confirmed, "active"), else_="unverified")
    counted = db.session.execute(select(state, func.count()).group_by(state))
    found = {row[0]: row[1] for row in counted}
    return People(**{name: found.get(name, 0) for name in STATES})


def find_users(
    text: str = "", state: str | None = None, before: int | None = None, limit: int | None = PAGE
) -> Found:
    """Accounts whose address or name contains the text, newest first; all for limit None."""
    wanted = select(User).order_by(User.id.desc())
    if text:
        part = "%" + text.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        wanted = wanted.where(
            or_(User.email.like(part, escape="\\"), User.username.ilike(part, escape="\\"))
        )
    if state == "disabled":
        wanted = wanted.where(User.disabled_at.is_not(None))
    elif state is not None:
        confirmed = User.verified_at.is_not(None)
        wanted = wanted.where(
            User.disabled_at.is_(None), confirmed if state == "active" else ~confirmed
        )
    if before is not None:
        wanted = wanted.where(User.id < before)
    if limit is None:
        return Found(list(db.session.scalars(wanted)), None)
    users = list(db.session.scalars(wanted.limit(limit + 1)))
    more = len(users) > limit
    return Found(users[:limit], users[limit - 1].id if more else None)


def state_of(user: User) -> str:
    """One of STATES: whether the account can sign in, and why not."""
    if not user.is_active:
        return "disabled"
    return "active" if user.is_verified else "unverified"


def by_id(user_id: int) -> User:
    """An account. Raises NotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such account.")
    return user


def by_email(email: str) -> User:
    """The account of an address. Raises NotFound."""
    try:
        address = normal_email(email)
    except NotAnAddress:
        address = ""
    user = db.session.scalars(select(User).where(User.email == address)).one_or_none()
    if user is None:
        raise NotFound(f"There is no account {email}.")
    return user


def disable(user: User) -> None:
    """Shut an account: its sessions end, its tokens stop, and nobody signs in to it.

    Raises Conflict `last_admin`.
    """
    require_another_admin(user)
    user.disabled_at = user.disabled_at or now()
    sessions.end_all(user.id)
    db.session.flush()


def enable(user: User) -> None:
    """Open a shut account again; its old sessions stay ended."""
    user.disabled_at = None
    db.session.flush()


def promote(user: User, role: Role) -> None:
    """Give the account a role, a lower one too. Raises Conflict `last_admin`."""
    if role is not Role.ADMIN:
        require_another_admin(user)
    user.role = role
    db.session.flush()


def set_quota(user: User, quota: int | None) -> None:
    """Let the account's films take so many bytes; 0 is no bound, None the quota that all have."""
    user.quota_bytes = quota
    db.session.flush()


def resend(user: User) -> None:
    """Mail a fresh link that confirms the address.

    Raises Conflict where it is confirmed already, or the account is shut.
    """
    if user.is_verified:
        raise Conflict("This address is confirmed already.")
    if not user.is_active:
        raise Conflict("This account is disabled. Enable it first.")
    user.created_at = now()
    db.session.flush()
    post_verification(user)
