"""Signing up and in: register, confirm an address, sign in, refresh, reset a password.

Services flush, entry points commit. Those that hash a password end the transaction they are called
in first (with a rollback: they come before any change) because hashing takes 90 ms and SQLite has
one writer; what they read before it is checked again afterwards, in the statement that writes.

For an address with and without an account every function answers alike and takes as long.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.auth import api_tokens, links, mail, passwords, sessions, tokens
from app.auth.addresses import NotAnAddress, normal_email, username_of
from app.auth.errors import LinkInvalid, WrongCredentials
from app.auth.models import Session, SessionKind, User
from app.auth.tokens import Purpose, TokenInvalid
from app.database import db, now, update_rows
from app.errors import InvalidInput

BAD_ADDRESS = "This is not an e-mail address."
DIFFERENT = "The two passwords differ."


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new session; the secret is for the cookie of the pages and is kept nowhere."""

    user: User
    session: Session
    secret: str


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, for the list of sessions."""

    address: str = ""
    agent: str = ""


def register(email: str, password: str, confirmed_password: str) -> str:
    """Open an account and mail its link; the address as we write it.

    A known address gets a mail that says so. An account that was never confirmed takes the new
    password, and its earlier links die: nobody can lie in wait with a password of their own.
    Raises InvalidInput.
    """
    address, errors = checked_address(email)
    if wrong := passwords.problems(password, address):
        errors["password"] = wrong
    elif password != confirmed_password:
        errors["confirmed_password"] = [DIFFERENT]
    if errors:
        raise InvalidInput(errors)

    db.session.rollback()
    password_hash = passwords.hash_password(password)
    user, is_new = found_or_added(address, password_hash)
    if user.is_verified or not user.is_active:
        mail.post_known_address(user)
    else:
        if not is_new:
            user.password_hash = password_hash
            user.created_at = now()
            db.session.flush()
        post_verification(user)
    return address


def check_confirmation(uid: str, token: str) -> tuple[Purpose, User]:
    """Which address this link would confirm, a new account's or an account's new one, and whose.

    Changes nothing. Raises LinkInvalid, LinkExpired.
    """
    try:
        return Purpose.VERIFY, links.user_of(Purpose.VERIFY, uid, token)
    except LinkInvalid:
        return Purpose.NEW_ADDRESS, links.user_of(Purpose.NEW_ADDRESS, uid, token)


def confirm(uid: str, token: str) -> Purpose:
    """Confirm the address; what it was for. Raises LinkInvalid, LinkExpired.

    A new address takes the place of the old one, which is told.
    """
    purpose, user = check_confirmation(uid, token)
    if purpose is Purpose.VERIFY:
        if not change_as_read(user, verified_at=now()):
            raise LinkInvalid
        return purpose
    old_address = user.email
    try:
        with db.session.begin_nested():
            changed = change_as_read(user, email=user.pending_email, pending_email=None)
    except IntegrityError:  # someone else has confirmed it since
        raise LinkInvalid from None
    if not changed:
        raise LinkInvalid
    mail.post_address_changed(user, old_address)
    return purpose


def sign_in(email: str, password: str, kind: SessionKind, client: Client) -> SignIn:
    """Start a session. Raises WrongCredentials for anything wrong, after the same time."""
    try:
        address = normal_email(email)
    except NotAnAddress:
        address = ""
    known = db.session.execute(
        select(User.id, User.password_hash).where(User.email == address)
    ).first()
    db.session.rollback()

    right = passwords.verify(known.password_hash if known else None, password)
    if known is None or not right:
        raise WrongCredentials
    fresh_hash = None
    if passwords.is_outdated(known.password_hash):
        fresh_hash = passwords.hash_password(password)

    user = db.session.get(User, known.id)
    if (
        user is None
        or user.password_hash != known.password_hash
        or not user.is_verified
        or not user.is_active
    ):
        raise WrongCredentials
    if fresh_hash is not None:
        user.password_hash = fresh_hash
    session, secret = sessions.start(user, kind, client.address, client.agent)
    return SignIn(user, session, secret)


def refresh(token: str) -> tuple[Session, str] | None:
    """The session and its next refresh token; None if the token is worth nothing.

    A token that was used before ends the session: one of its two holders is not its owner. The
    caller commits in either case.
    """
    try:
        payload = tokens.read(Purpose.REFRESH, token, sessions.idle_limit())
    except TokenInvalid:
        return None
    match payload:
        case [int(session_id), int(user_id), int(generation)]:
            found = sessions.find_api(session_id, user_id)
        case _:
            return None
    if found is None:
        return None
    session, _user = found
    if not sessions.rotate(session.id, generation):
        sessions.end([session.id])
        return None
    return session, refresh_token(session)


def refresh_token(session: Session) -> str:
    """The refresh token of the session's present generation."""
    return tokens.sign(Purpose.REFRESH, [session.id, session.user_id, session.refresh_generation])


def request_reset(email: str) -> str:
    """Mail a link for a new password, if there is such an account; the address as we write it.

    Raises InvalidInput where the text is no address.
    """
    address, errors = checked_address(email)
    if errors:
        raise InvalidInput(errors)
    user = db.session.scalar(select(User).where(User.email == address))
    if user is not None and user.is_active:
        mail.post_reset(user, *links.make(Purpose.RESET, user))
    else:
        mail.post_nothing(address)
    return address


def check_reset(uid: str, token: str) -> User:
    """The account whose password this link would change; changes nothing.

    Raises LinkInvalid, LinkExpired.
    """
    return links.user_of(Purpose.RESET, uid, token)


def reset_password(
    uid: str, token: str, new_password: str, confirm_password: str, keep: int | None = None
) -> User:
    """Set a new password and end all sessions but `keep`. The link proves the address as well.

    Raises LinkInvalid, LinkExpired, InvalidInput.
    """
    user = check_reset(uid, token)
    if errors := new_password_errors(new_password, confirm_password, user.email):
        raise InvalidInput(errors)

    db.session.rollback()
    password_hash = passwords.hash_password(new_password)
    user = check_reset(uid, token)
    verified_at = user.verified_at or now()
    if not change_as_read(
        user, password_hash=password_hash, verified_at=verified_at, pending_email=None
    ):
        raise LinkInvalid
    sessions.end_all(user.id, keep)
    api_tokens.withdraw_all(user.id)  # who lost the password may not be the only one who knew it
    mail.post_password_changed(user)
    return user


def new_password_errors(new: str, again: str | None, address: str) -> dict[str, list[str]]:
    """What is wrong with a new password, by field; `again` is None where it is not repeated."""
    if wrong := passwords.problems(new, address):
        return {"new_password": wrong}
    if again is not None and again != new:
        return {"confirm_password": [DIFFERENT]}
    return {}


def checked_address(email: str) -> tuple[str, dict[str, list[str]]]:
    """The one spelling of an address, and what is wrong with it, by field."""
    try:
        return normal_email(email), {}
    except NotAnAddress:
        return "", {"email": [BAD_ADDRESS]}


def found_or_added(address: str, password_hash: str) -> tuple[User, bool]:
    """The account with this address, and whether it was just added."""
    wanted = select(User).where(User.email == address)
    user = db.session.scalar(wanted)
    if user is not None:
        return user, False
    user = User(email=address, username=username_of(address), password_hash=password_hash)
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:  # someone else added it since we looked
        return db.session.scalars(wanted).one(), False
    return user, True


def post_verification(user: User) -> None:
    """Mail the link that confirms the account's address."""
    mail.post_verification(user, *links.make(Purpose.VERIFY, user))


def change_as_read(user: User, **values: object) -> bool:
    """Change the account if it is still as it was read; False if another call was faster."""
    as_read = User.verified_at.is_not(None) if user.is_verified else User.verified_at.is_(None)
    changed = update_rows(
        update(User)
        .where(
            User.id == user.id,
            User.email == user.email,
            User.password_hash == user.password_hash,
            User.disabled_at.is_(None),
            User.pending_email.is_not_distinct_from(user.pending_email),
            as_read,
        )
        .values(**values)
    )
    return changed == 1
