"""Mails as they leave: into files, and over real SMTP on loopback."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from apiflask import APIFlask
from sqlalchemy import update

from app.auth.models import OutgoingMail
from app.database import db, epoch_now, now
from app.tasks.mail import GIVE_UP, KEEP, LEASE_SECONDS, announce_due, send
from app.tasks.queue import MAIL, queue

from .conftest import Add, Change, Outbox


@pytest.fixture
def letter(add: Add, outbox: Outbox) -> int:
    """The id of a mail that waits."""
    add("ada@example.com", verified=False)
    return outbox[-1].id


def seconds_from_now(app: APIFlask, moment: float) -> float:
    with app.app_context():
        clock = db.session.scalar(db.select(epoch_now()))
        db.session.rollback()
    assert clock is not None
    return moment - clock


# files


def test_without_a_server_a_mail_is_a_file_and_its_link_is_printed(
    app: APIFlask, letter: int, outbox: Outbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        send(letter)
    folder = Path(app.config["DATA_DIR"]) / "mail"
    (path,) = folder.iterdir()
    assert path.name.endswith(f"-{letter}.eml")
    assert path.stat().st_mode & 0o777 == 0o600
    parsed: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    link = next(x for x in outbox[-1].text.split() if "/verify/" in x)
    assert link in parsed.get_body(("plain",)).get_content()
    assert link in capsys.readouterr().out
    (row,) = outbox
    assert row.sent_at is not None
    assert (row.attempts, row.last_error) == (1, None)


def test_the_worker_sends_what_was_announced(
    app: APIFlask, letter: int, work: Callable[[], None], outbox: Outbox
) -> None:
    work()
    assert outbox[0].sent_at is not None
    assert len(list((Path(app.config["DATA_DIR"]) / "mail").iterdir())) == 1


def test_a_sent_mail_is_not_sent_again(app: APIFlask, letter: int, outbox: Outbox) -> None:
    with app.app_context():
        send(letter)
        first = outbox[0].sent_at
        send(letter)
        send(letter + 99)
    assert outbox[0].sent_at == first
    assert outbox[0].attempts == 1


def test_no_token_in_a_log(app: APIFlask, letter: int, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context():
        send(letter)
    assert "/verify/" not in caplog.text


def test_a_full_disk_puts_the_mail_off(app: APIFlask, letter: int, outbox: Outbox) -> None:
    (Path(app.config["DATA_DIR"])).mkdir(parents=True, exist_ok=True)
    (Path(app.config["DATA_DIR"]) / "mail").write_text("in the way")
    with app.app_context():
        send(letter)
    (row,) = outbox
    assert row.sent_at is None
    assert row.attempts == 1
    assert row.last_error is not None
    assert 25 < seconds_from_now(app, row.not_before) <= 30


# SMTP


@dataclass
class Post:
    """A server that remembers what it was given."""

    envelopes: list[Envelope] = field(default_factory=list)
    refuse: str = ""
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def use_smtp(app: APIFlask, port: int, *, tls: bool = False, login: bool = False) -> None:
    app.config |= {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": port, "MAIL_USE_TLS": tls}
    if login:
        app.config |= {"MAIL_USERNAME": "videoflix", "MAIL_PASSWORD": "s3cret"}
    from app.extensions import mail

    mail.init_app(app)


@pytest.fixture
def smtp(app: APIFlask, post: Post, port: int) -> Iterator[Post]:
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    use_smtp(app, port)
    yield post
    controller.stop()


def test_a_mail_goes_by_smtp(app: APIFlask, smtp: Post, letter: int, outbox: Outbox) -> None:
    with app.app_context():
        send(letter)
    (envelope,) = smtp.envelopes
    assert envelope.rcpt_tos == ["ada@example.com"]
    assert envelope.mail_from == "no-reply@videoflix.invalid"
    assert isinstance(envelope.content, bytes)
    parsed: Any = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert parsed["From"] == "Videoflix <no-reply@videoflix.invalid>"
    assert outbox[0].sent_at is not None
    assert not (Path(app.config["DATA_DIR"]) / "mail").exists()


def test_jobs_at_the_same_time_send_one_mail(app: APIFlask, smtp: Post, letter: int) -> None:
    start = threading.Barrier(6)

    def job() -> None:
        with app.app_context():
            start.wait()
            send(letter)
            db.session.remove()

    threads = [threading.Thread(target=job) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(smtp.envelopes) == 1


def test_what_the_server_refuses_is_tried_again_later(
    app: APIFlask, smtp: Post, letter: int, outbox: Outbox, change: Change
) -> None:
    smtp.refuse = "451 4.3.0 Try again later"
    waits = []
    for _ in range(9):
        with app.app_context():
            send(letter)
            send(letter)  # not due: nothing happens
        waits.append(seconds_from_now(app, outbox[0].not_before))
        change(OutgoingMail, not_before=0)
    assert outbox[0].attempts == 9
    assert "451" in (outbox[0].last_error or "")
    for wait, wanted in zip(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600], strict=True):
        assert wanted - 10 < wait <= wanted
    smtp.refuse = ""
    with app.app_context():
        send(letter)
    assert len(smtp.envelopes) == 1
    assert outbox[0].last_error is None


def test_a_server_that_is_away_loses_nothing(
    app: APIFlask, port: int, letter: int, outbox: Outbox
) -> None:
    use_smtp(app, port)
    with app.app_context():
        send(letter)
    assert outbox[0].sent_at is None
    assert "ConnectionRefusedError" in (outbox[0].last_error or "")


def test_no_transaction_is_open_while_smtp_talks(
    app: APIFlask, post: Post, port: int, letter: int
) -> None:
    class Slow(Post):
        async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
            with app.app_context():  # a writer on SQLite would wait here for 15 s
                db.session.execute(update(OutgoingMail).values(subject="changed meanwhile"))
                db.session.commit()
                db.session.remove()
            return await super().handle_DATA(server, session, envelope)

    slow = Slow()
    controller = Controller(slow, hostname="127.0.0.1", port=port)
    controller.start()
    use_smtp(app, port)
    with app.app_context():
        send(letter)
    controller.stop()
    assert len(slow.envelopes) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody trusts yet, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.parametrize("trusted", [True, False])
def test_starttls_and_login(
    app: APIFlask, post: Post, port: int, letter: int, outbox: Outbox,
    certificate: tuple[Path, Path], trusted: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        post.logins.append(data.password)
        return AuthResult(success=data.login == b"videoflix" and data.password == b"s3cret")

    controller = Controller(
        post, hostname="127.0.0.1", port=port, tls_context=context,
        authenticator=check, auth_required=True, auth_require_tls=True,
    )  # fmt: skip
    controller.start()
    use_smtp(app, port, tls=True, login=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with app.app_context():
        send(letter)
    controller.stop()
    if trusted:
        assert len(post.envelopes) == 1
        assert post.encrypted == [True]
        assert post.logins == [b"s3cret"]
    else:
        assert post.logins == [], "the password is told to nobody unknown"
        assert "CERTIFICATE_VERIFY_FAILED" in (outbox[0].last_error or "")


# the reconciler's part


def test_due_mails_are_announced_again(app: APIFlask, letter: int, change: Change) -> None:
    with app.app_context():
        assert announce_due() == 0, "its job still waits"
        app.extensions["redis"].flushdb()
        assert announce_due() == 1
        assert announce_due() == 0
        (job,) = queue(MAIL).jobs
        assert job.args == [letter]
        app.extensions["redis"].flushdb()
        change(OutgoingMail, not_before=4e9)
        assert announce_due() == 0
        change(OutgoingMail, not_before=0, sent_at=now())
        assert announce_due() == 0


def test_a_killed_job_holds_its_mail_for_its_lease_only(
    app: APIFlask, letter: int, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr("app.tasks.mail._deliver", killed)
    with app.app_context(), pytest.raises(SystemExit):
        send(letter)
    assert outbox[0].sent_at is None
    assert LEASE_SECONDS - 20 < seconds_from_now(app, outbox[0].not_before) <= LEASE_SECONDS


def test_an_error_of_ours_is_noted_and_raised(
    app: APIFlask, letter: int, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a bug\nwith two lines")

    monkeypatch.setattr("app.tasks.mail._deliver", broken)
    with app.app_context(), pytest.raises(ValueError, match="a bug"):
        send(letter)
    assert outbox[0].last_error == "ValueError: a bug with two lines"


def test_old_mails_are_given_up_and_forgotten(
    app: APIFlask, letter: int, change: Change, outbox: Outbox
) -> None:
    with app.app_context():
        app.extensions["redis"].flushdb()
        change(OutgoingMail, created_at=now() - GIVE_UP)
        assert announce_due() == 0
        assert len(outbox) == 1
        change(OutgoingMail, created_at=now() - KEEP)
        announce_due()
        assert len(outbox) == 0
