"""Sending mail: one job per mail of the outbox, by SMTP or, without a server, into a file.

The row is the truth. A job claims it with a conditional UPDATE that moves `not_before` ahead, which
is its lease; two jobs for one mail send it once. A mail is sent twice only if a job is killed
between the server's answer and the commit that follows; its Message-ID is the same then.
"""

from __future__ import annotations

import logging
import os
import re
import smtplib
import ssl
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from types import TracebackType

import click
from flask import current_app
from flask_mail import Connection, Message
from sqlalchemy import delete, select, update

from app.auth.addresses import smtp_address
from app.auth.models import OutgoingMail
from app.database import db, epoch_now, now, update_rows
from app.tasks.queue import MAIL, enqueue, waiting

log = logging.getLogger(__name__)

SEND = "app.tasks.mail.send"

SMTP_SECONDS = 30
"""How long one answer of the server may take."""

LEASE_SECONDS = 600
"""How long a claim holds: longer than SMTP's dozen answers, each at its limit."""

FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 3600

GIVE_UP = timedelta(days=3)
"""A mail that could not leave for so long is worth nothing: its link has expired."""

KEEP = timedelta(days=7)
"""How long rows stay, for the operator to look at."""

BATCH = 100

_LINK = re.compile(r"https?://\S+/\S+")


def send(mail_id: int) -> None:
    """Send the mail, unless it is sent, not due, or in another job's hands."""
    message = _claimed(mail_id)
    if message is None:
        return
    try:
        _deliver(message, mail_id)
    except Exception as error:
        _put_off(mail_id, error)
        if not isinstance(error, OSError):  # smtplib's errors are OSErrors; others are ours
            raise
        log.warning("mail %d could not be sent: %s", mail_id, type(error).__name__)
        return
    db.session.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail_id)
        .values(sent_at=now(), last_error=None)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def announce_due() -> int:
    """Enqueue the mails that are due and forget the old ones; how many were announced.

    While jobs still wait nothing is announced: the mails may be theirs, and the pool has
    a worker for mails alone, so that this does not last.
    """
    db.session.rollback()
    db.session.execute(
        delete(OutgoingMail)
        .where(OutgoingMail.created_at < now() - KEEP)
        .execution_options(synchronize_session=False)
    )
    db.session.commit()
    due = db.session.scalars(
        select(OutgoingMail.id)
        .where(
            OutgoingMail.sent_at.is_(None),
            OutgoingMail.not_before <= epoch_now(),
            OutgoingMail.created_at > now() - GIVE_UP,
        )
        .order_by(OutgoingMail.id)
        .limit(BATCH)
    ).all()
    db.session.rollback()
    if not due or waiting(MAIL):
        return 0
    for mail_id in due:
        enqueue(MAIL, SEND, mail_id)
    return len(due)


def _claimed(mail_id: int) -> Message | None:
    """The mail as a message, if it is now ours; the database session is released."""
    db.session.rollback()
    claimed = update_rows(
        update(OutgoingMail)
        .where(
            OutgoingMail.id == mail_id,
            OutgoingMail.sent_at.is_(None),
            OutgoingMail.not_before <= epoch_now(),
        )
        .values(attempts=OutgoingMail.attempts + 1, not_before=epoch_now() + LEASE_SECONDS)
    )
    if claimed != 1:
        db.session.rollback()
        return None
    mail = db.session.scalars(select(OutgoingMail).where(OutgoingMail.id == mail_id)).one()
    message = _message(mail)
    db.session.commit()
    return message


def _message(mail: OutgoingMail) -> Message:
    message = Message(
        subject=mail.subject,
        recipients=[smtp_address(mail.recipient)],
        body=mail.text,
        html=mail.html,
        date=mail.created_at.timestamp(),
        extra_headers={"Auto-Submitted": "auto-generated"},
    )
    domain = parseaddr(current_app.config["MAIL_SENDER"])[1].rpartition("@")[2] or "videoflix"
    message.msgId = f"<{mail.id}.{int(mail.created_at.timestamp() * 1e6)}@{domain}>"
    return message


def _put_off(mail_id: int, error: Exception) -> None:
    """Note the failure and when to try again: after 30 s, then twice as long each time."""
    db.session.rollback()
    mail = db.session.get(OutgoingMail, mail_id)
    if mail is None:
        return
    wait = min(FIRST_WAIT_SECONDS * 2 ** (mail.attempts - 1), LONGEST_WAIT_SECONDS)
    text = "".join(c if c.isprintable() else " " for c in f"{type(error).__name__}: {error}")
    db.session.execute(
        update(OutgoingMail)
        .where(OutgoingMail.id == mail_id)
        .values(not_before=epoch_now() + wait, last_error=text[:500])
        .execution_options(synchronize_session=False)
    )
    db.session.commit()


def _deliver(message: Message, mail_id: int) -> None:
    if current_app.config["MAIL_SERVER"]:
        with _Smtp(current_app.extensions["mail"]) as connection:
            connection.send(message)
        return
    path = _write(message, mail_id)
    click.echo(f"Mail for {message.recipients[0]}: {message.subject}")
    for link in _LINK.findall(message.body or ""):
        click.echo(f"  {link}")
    click.echo(f"  {path}")


def _write(message: Message, mail_id: int) -> Path:
    """Put the mail into DATA_DIR/mail, whole or not at all, readable by its owner only."""
    folder = Path(current_app.config["DATA_DIR"]) / "mail"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stamp = datetime.fromtimestamp(message.date or 0, now().tzinfo).strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{stamp}-{mail_id}.eml"
    draft = folder / f".{path.name}.{os.getpid()}"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


class _Smtp(Connection):
    """Flask-Mail's connection with time limits, certificates that are checked, and a clean end."""

    def configure_host(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        """Connect, encrypt and log in as the settings say."""
        server, port = self.mail.server, self.mail.port
        host: smtplib.SMTP | smtplib.SMTP_SSL
        if self.mail.use_ssl:
            context = ssl.create_default_context()
            host = smtplib.SMTP_SSL(server, port, timeout=SMTP_SECONDS, context=context)
        else:
            host = smtplib.SMTP(server, port, timeout=SMTP_SECONDS)
        try:
            if self.mail.use_tls and not self.mail.use_ssl:
                host.starttls(context=ssl.create_default_context())
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Say goodbye; a server that does not answer it has taken the mail all the same."""
        if self.host is None:
            return
        with suppress(OSError):
            self.host.quit()
        self.host.close()
