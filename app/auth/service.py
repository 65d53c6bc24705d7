"""Accounts: register, confirm, sign in and out, refresh, reset.

Services flush, entry points commit. Those that hash a password end the transaction they are called
in first (with a rollback: they come before any change) because hashing takes 50 ms and SQLite has
one writer; what they read before it is checked again afterwards, in the statement that writes.

For an address with and without an account every function answers alike and takes as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.auth import mail, passwords, sessions, tokens
from app.auth.addresses import NotAnAddress, normal_email, username_of
from app.auth.errors import LinkExpired, LinkInvalid, WrongCredentials
from app.auth.models import Role, Session, SessionKind, User
from app.auth.tokens import Purpose, TokenExpired, TokenInvalid
from app.database import db, now, update_rows
from app.errors import Conflict, InvalidInput, NotFound

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
    address, errors = _checked_address(email)
    if wrong := passwords.problems(password, address):
        errors["password"] = wrong
    elif password != confirmed_password:
        errors["confirmed_password"] = [DIFFERENT]
    if errors:
        raise InvalidInput(errors)

    db.session.rollback()
    password_hash = passwords.hash_password(password)
    user, is_new = _found_or_added(address, password_hash)
    if user.is_verified or not user.is_active:
        mail.post_known_address(user)
    else:
        if not is_new:
            user.password_hash = password_hash
            db.session.flush()
        _post_verification(user)
    return address


def check_verification(uid: str, token: str) -> User:
    """The account whose address this link would confirm; changes nothing.

    Raises LinkInvalid, LinkExpired.
    """
    return _linked_user(Purpose.VERIFY, uid, token)


def verify(uid: str, token: str) -> User:
    """Confirm the address. Raises LinkInvalid, LinkExpired."""
    user = check_verification(uid, token)
    if not _changed(user, verified_at=now()):
        raise LinkInvalid
    return user


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
    address, errors = _checked_address(email)
    if errors:
        raise InvalidInput(errors)
    user = db.session.scalar(select(User).where(User.email == address))
    if user is not None and user.is_active:
        mail.post_reset(user, *_link(Purpose.RESET, user))
    else:
        mail.post_nothing(address)
    return address


def check_reset(uid: str, token: str) -> User:
    """The account whose password this link would change; changes nothing.

    Raises LinkInvalid, LinkExpired.
    """
    return _linked_user(Purpose.RESET, uid, token)


def reset_password(
    uid: str, token: str, new_password: str, confirm_password: str, keep: int | None = None
) -> User:
    """Set a new password and end all sessions but `keep`. The link proves the address as well.

    Raises LinkInvalid, LinkExpired, InvalidInput.
    """
    user = check_reset(uid, token)
    errors = {}
    if wrong := passwords.problems(new_password, user.email):
        errors["new_password"] = wrong
    elif new_password != confirm_password:
        errors["confirm_password"] = [DIFFERENT]
    if errors:
        raise InvalidInput(errors)

    db.session.rollback()
    password_hash = passwords.hash_password(new_password)
    user = check_reset(uid, token)
    if not _changed(user, password_hash=password_hash, verified_at=user.verified_at or now()):
        raise LinkInvalid
    sessions.end_all(user.id, keep)
    return user


def create_user(
    email: str, password: str, *, role: Role = Role.MEMBER, verified: bool = False
) -> User:
    """Open an account for an operator; one that is not verified gets the mail with its link.

    Raises InvalidInput, Conflict `email_taken`.
    """
    address, errors = _checked_address(email)
    if wrong := passwords.problems(password, address):
        errors["password"] = wrong
    if errors:
        raise InvalidInput(errors)
    db.session.rollback()
    user, is_new = _found_or_added(address, passwords.hash_password(password))
    if not is_new:
        raise Conflict(f"{address} has an account already.", code="email_taken")
    user.role = role
    user.verified_at = now() if verified else None
    db.session.flush()
    if not verified:
        _post_verification(user)
    return user


def disable_user(email: str) -> User:
    """Shut an account: its sessions end, and nobody signs in to it. Raises NotFound."""
    try:
        address = normal_email(email)
    except NotAnAddress:
        address = ""
    user = db.session.scalars(select(User).where(User.email == address)).one_or_none()
    if user is None:
        raise NotFound(f"There is no account {email}.")
    user.disabled_at = user.disabled_at or now()
    sessions.end_all(user.id)
    db.session.flush()
    return user


def users() -> list[User]:
    """Every account, newest first."""
    return list(db.session.scalars(select(User).order_by(User.id.desc())))


def _checked_address(email: str) -> tuple[str, dict[str, list[str]]]:
    try:
        return normal_email(email), {}
    except NotAnAddress:
        return "", {"email": [BAD_ADDRESS]}


def _found_or_added(address: str, password_hash: str) -> tuple[User, bool]:
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


def _post_verification(user: User) -> None:
    mail.post_verification(user, *_link(Purpose.VERIFY, user))


def _state(purpose: Purpose, user: User) -> str:
    """What using a link of this purpose changes, and what else must kill it."""
    confirmed = user.is_verified if purpose is Purpose.VERIFY else None
    return f"{user.email}|{user.password_hash}|{confirmed}"


def _link(purpose: Purpose, user: User) -> tuple[str, str]:
    return tokens.link_parts(purpose, user.id, _state(purpose, user))


def _linked_user(purpose: Purpose, uid: str, token: str) -> User:
    """The account that a link is about, if the link still holds."""
    setting = "VERIFY_HOURS" if purpose is Purpose.VERIFY else "RESET_HOURS"
    try:
        user_id, fingerprint = tokens.read_link(
            purpose, uid, token, timedelta(hours=current_app.config[setting])
        )
    except TokenExpired:
        raise LinkExpired from None
    except TokenInvalid:
        raise LinkInvalid from None
    user = db.session.get(User, user_id)
    if user is None or not user.is_active:
        raise LinkInvalid
    if not tokens.same_state(purpose, fingerprint, _state(purpose, user)):
        raise LinkInvalid
    return user


def _changed(user: User, **values: object) -> bool:
    """Change the account if it is still as it was read; False if another call was faster."""
    as_read = User.verified_at.is_not(None) if user.is_verified else User.verified_at.is_(None)
    changed = update_rows(
        update(User)
        .where(
            User.id == user.id,
            User.password_hash == user.password_hash,
            User.disabled_at.is_(None),
            as_read,
        )
        .values(**values)
    )
    return changed == 1
