"""The mails about accounts: composed here, kept in the outbox, sent by `app.tasks.mail`.

Links are built from PUBLIC_URL, or from MAIL_LINK_* for another front end; never from a request.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import current_app

from app.auth.models import OutgoingMail, User
from app.database import after_commit, db
from app.tasks.queue import MAIL, enqueue

SEND = "app.tasks.mail.send"


def post_verification(user: User, uid: str, token: str) -> OutgoingMail:
    """The mail with the link that confirms the address."""
    link = _link("MAIL_LINK_VERIFY", "auth.verify", uid, token)
    hours = current_app.config["VERIFY_HOURS"]
    return _post(user, "Confirm your address for Videoflix", "verify", link=link, hours=hours)


def post_reset(user: User, uid: str, token: str) -> OutgoingMail:
    """The mail with the link that sets a new password."""
    link = _link("MAIL_LINK_RESET", "auth.reset_password", uid, token)
    hours = current_app.config["RESET_HOURS"]
    return _post(user, "Choose a new password for Videoflix", "reset", link=link, hours=hours)


def post_new_address(user: User, address: str, uid: str, token: str) -> OutgoingMail:
    """The mail to a new address, with the link that makes it count.

    It names nobody: what an account calls itself must not reach strangers.
    """
    link = _link("MAIL_LINK_VERIFY", "auth.verify", uid, token)
    hours = current_app.config["VERIFY_HOURS"]
    subject = "Confirm your new address for Videoflix"
    return _post(user, subject, "new_address", to=address, link=link, hours=hours)


def post_address_asked(user: User, address: str) -> OutgoingMail:
    """The mail to the present address when another one was asked for."""
    subject = "Your Videoflix address is about to change"
    link = _page("account.show")
    return _post(user, subject, "address_asked", address=address, link=link)


def post_address_changed(user: User, old_address: str) -> OutgoingMail:
    """The last mail to the old address, once the new one counts."""
    subject = "Your Videoflix address has changed"
    return _post(user, subject, "address_changed", to=old_address, address=user.email)


def post_password_changed(user: User) -> OutgoingMail:
    """The mail that tells the owner of a new password."""
    link = _page("auth.forgot_password")
    return _post(user, "Your Videoflix password has changed", "password_changed", link=link)


def post_account_deleted(user: User) -> OutgoingMail:
    """The last mail to somebody whose account is gone."""
    return _post(user, "Your Videoflix account is deleted", "account_deleted")


def post_known_address(user: User) -> OutgoingMail:
    """The mail that tells the owner of an account that someone else gave their address."""
    return _post(
        user,
        "You already have a Videoflix account",
        "known_address",
        link=_page("auth.login"),
        reset_link=_page("auth.forgot_password"),
    )


def post_nothing(address: str) -> None:
    """Write a mail, tear it up, and announce it all the same.

    So an address without an account costs as much time as one with: a request for a new password
    must not tell which it is. The job that is announced finds nothing and ends.
    """
    nobody = User(email=address, username="")
    link = _link("MAIL_LINK_RESET", "auth.reset_password", "", "")
    mail = _post(nobody, "Choose a new password for Videoflix", "reset", link=link, hours=0)
    db.session.delete(mail)
    db.session.flush()


def _post(
    user: User, subject: str, template: str, to: str | None = None, **context: object
) -> OutgoingMail:
    """Put a mail, to the account's address or another, into the outbox.

    It is announced once the transaction is committed.
    """
    recipient = to or user.email
    if any(not line.isprintable() for line in (recipient, subject)):
        raise ValueError("a line break in a mail header")
    context |= {"user": user, "site": current_app.config["PUBLIC_URL"], "subject": subject}
    templates = current_app.jinja_env  # a mail knows of no request
    mail = OutgoingMail(
        recipient=recipient,
        subject=subject,
        text=templates.get_template(f"mail/{template}.txt").render(context),
        html=templates.get_template(f"mail/{template}.html").render(context),
    )
    db.session.add(mail)
    db.session.flush()
    mail_id = mail.id
    after_commit(lambda: enqueue(MAIL, SEND, mail_id))
    return mail


def _link(setting: str, endpoint: str, uid: str, token: str) -> str:
    pattern: str = current_app.config[setting]
    if not pattern:
        return _page(endpoint, uid=uid or "-", token=token or "-")
    return pattern.replace("{uid}", quote(uid, safe="")).replace("{token}", quote(token, safe=""))


def _page(endpoint: str, **values: str) -> str:
    """The absolute address of one of our own pages; needs no request."""
    path = current_app.url_map.bind("").build(endpoint, values)
    return str(current_app.config["PUBLIC_URL"]) + path
