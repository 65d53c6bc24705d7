"""One's own account: name, password, address, data, and its end.

What needs the present password hashes it before any change, as in `app.auth.service`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from app.auth import api_tokens, links, mail, passwords, sessions
from app.auth.belongings import export_belongings, remove_belongings
from app.auth.models import USERNAME_LENGTH, OutgoingMail, Role, User
from app.auth.presentation import describe_profile, describe_session, describe_token
from app.auth.service import change_as_read, checked_address, new_password_errors
from app.auth.tokens import Purpose
from app.database import db
from app.errors import Conflict, InvalidInput, NotFound
from app.formatting import rfc3339

WRONG_PASSWORD = "This is not your present password."  # noqa: S105 - a sentence


def rename(user: User, username: str) -> None:
    """Change the name that others see. Flushes. Raises InvalidInput."""
    name = " ".join(username.split())
    if not name or not name.isprintable():
        raise InvalidInput({"username": ["Choose a name of letters, digits and signs."]})
    if len(name) > USERNAME_LENGTH:
        raise InvalidInput({"username": [f"Use at most {USERNAME_LENGTH} characters."]})
    user.username = name
    db.session.flush()


def change_password(
    user: User, current: str, new: str, again: str | None, keep: int | None
) -> None:
    """Set a new password, end all sessions but `keep`, and tell the owner by mail.

    Raises InvalidInput.
    """
    if errors := new_password_errors(new, again, user.email):
        raise InvalidInput(errors)
    user = _proven(user, "current_password", current)
    db.session.rollback()
    password_hash = passwords.hash_password(new)
    if not change_as_read(user, password_hash=password_hash, pending_email=None):
        raise _changed_meanwhile()
    sessions.end_all(user.id, keep)
    mail.post_password_changed(user)


def request_address(user: User, current: str, email: str) -> str:
    """Mail a link to a new address, which counts once it is used; tell the old one.

    The address as we write it. One that has an account gets a mail that says so, and the answer
    does not tell. Raises InvalidInput.
    """
    address, errors = checked_address(email)
    if address == user.email:
        errors = {"email": ["This is your address already."]}
    if errors:
        raise InvalidInput(errors)
    user = _proven(user, "current_password", current)
    if not change_as_read(user, pending_email=address):
        raise _changed_meanwhile()
    taken = db.session.scalar(select(User).where(User.email == address))
    if taken is not None:
        mail.post_known_address(taken)
    else:
        mail.post_new_address(user, address, *links.make(Purpose.NEW_ADDRESS, user))
    mail.post_address_asked(user, address)
    return address


def forget_address(user: User) -> None:
    """Drop the new address that waits for its link; the link dies. Flushes."""
    user.pending_email = None
    db.session.flush()


def delete_own(user: User, current: str) -> None:
    """Remove one's own account with everything in it.

    Raises InvalidInput, Conflict `last_admin`.
    """
    delete_account(_proven(user, "password", current))


def delete_account(user: User) -> None:
    """Remove an account with everything in it; files go after the commit. Flushes.

    Its last mail says that it is gone. Raises Conflict `last_admin`.
    """
    require_another_admin(user)
    remove_belongings(user.id)
    db.session.execute(delete(OutgoingMail).where(OutgoingMail.recipient == user.email))
    mail.post_account_deleted(user)
    db.session.execute(
        delete(User).where(User.id == user.id).execution_options(synchronize_session=False)
    )
    db.session.expunge(user)


def require_another_admin(user: User) -> None:
    """Raise Conflict `last_admin` where this is the only administrator who can sign in."""
    if not (user.is_admin and user.is_active and user.is_verified):
        return
    others = db.session.scalars(
        select(User.id)
        .where(
            User.role == Role.ADMIN,
            User.id != user.id,
            User.disabled_at.is_(None),
            User.verified_at.is_not(None),
        )
        .with_for_update()
    ).first()
    if others is None:
        raise Conflict(
            "This is the last administrator. Make someone else an administrator first.",
            code="last_admin",
        )


def end_session(user_id: int, session_id: int) -> None:
    """End one of the account's own sessions. Raises NotFound."""
    if session_id not in {session.id for session in sessions.living(user_id)}:
        raise NotFound("There is no such session.")
    sessions.end([session_id])


def withdraw_token(user_id: int, token_id: int) -> None:
    """End one of the account's own API tokens. Raises NotFound."""
    if not api_tokens.withdraw(user_id, token_id):
        raise NotFound("There is no such token.")


def export(user: User) -> dict[str, Any]:
    """Everything that is kept about a person, except secrets."""
    return {
        "profile": {
            **describe_profile(user),
            "verified_at": rfc3339(user.verified_at) if user.verified_at else None,
        },
        "sessions": [
            {
                **describe_session(session),
                "agent": session.agent,
                "ended_at": rfc3339(session.ended_at) if session.ended_at else None,
            }
            for session in sessions.all_of(user.id)
        ],
        "api_tokens": [describe_token(token) for token in api_tokens.owned(user.id)],
        **export_belongings(user.id),
    }


def _proven(user: User, field: str, password: str) -> User:
    """The account, read again after its password was checked. Raises InvalidInput.

    No transaction is open while the password is hashed, so call it before any change.
    """
    user_id, known_hash = user.id, user.password_hash
    db.session.rollback()
    right = passwords.verify(known_hash, password)
    if not right:
        raise InvalidInput({field: [WRONG_PASSWORD]})
    found = db.session.get(User, user_id)
    if found is None or found.password_hash != known_hash or not found.is_active:
        raise _changed_meanwhile()
    return found


def _changed_meanwhile() -> Conflict:
    return Conflict("Your account was changed elsewhere at the same moment. Please try again.")
