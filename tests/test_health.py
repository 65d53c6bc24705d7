from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient, FlaskCliRunner
from redis import Redis
from sqlalchemy import select

from app.auth.models import OutgoingMail
from app.database import db
from app.media import landlock
from app.observability import JsonFormatter, TextFormatter, request_id, without_secrets
from tests.conftest import PASSWORD


def test_every_part_is_named(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["parts"] == dict.fromkeys(["database", "redis", "storage", "ffmpeg"], "ok")


def test_a_part_that_is_away_makes_it_not_ready_and_nothing_more(
    app: APIFlask, client: FlaskClient
) -> None:
    app.extensions["redis"].close()
    app.extensions["redis"] = Redis(unix_socket_path="/nowhere.sock")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["parts"]["redis"].startswith("not available")
    assert "/nowhere" not in answer.text
    assert answer.json["parts"]["database"] == "ok"
    assert client.get("/healthz").status_code == 200
    assert client.get("/login").status_code == 200


def test_doctor_says_what_to_mend(app: APIFlask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["doctor", "--json"])
    found = json.loads(result.output)
    assert result.exit_code == 1  # no worker is running, and the tables know of no migration
    assert {name for name, facts in found.items() if facts["ok"]} >= {"redis", "storage", "ffmpeg"}
    assert "flask --app wsgi worker" in found["workers"]["detail"]
    assert "db upgrade" in found["database"]["detail"]
    app.config["FFMPEG_BINARY"] = "/nowhere/ffmpeg"
    assert "BAD  ffmpeg" in runner.invoke(args=["doctor"]).output


def test_doctor_names_the_cage(
    app: APIFlask, runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "FFMPEG_BINARY", "/nowhere/ffmpeg")  # it is not the matter

    def cage() -> str:
        return str(json.loads(runner.invoke(args=["doctor", "--json"]).output)["cage"]["detail"])

    known = landlock.abi()
    assert cage().startswith(f"Landlock ABI {known}, limits on CPU, memory" if known else "limits")
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert "this kernel has no Landlock" in cage()


def test_an_id_goes_from_request_to_log_and_answer(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="app")
    assert (
        client.get("/login", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    )
    forged = client.get("/login", headers={"X-Request-ID": "a b\tc"})
    assert forged.headers["X-Request-ID"] != "a b\tc"
    facts = [record.facts for record in caplog.records if record.name == "app.access"]
    assert (facts[0]["path"], facts[0]["status"]) == ("/login", 200)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/stream/WzEsMSw0OTg3MjBd.sig/1/master.m3u8", "/stream/…/1/master.m3u8"),
        ("/verify/MQ/secret-token", "/verify/MQ/…"),
        ("/api/activate/MQ/secret-token/", "/api/activate/MQ/…/"),
        ("/reset-password/MQ/secret-token", "/reset-password/MQ/…"),
        ("/api/password_confirm/MQ/secret-token/", "/api/password_confirm/MQ/…/"),
        ("/s/key", "/s/…"),
        ("/api/shared/key/grid/", "/api/shared/…/grid/"),
        ("/browse", "/browse"),
    ],
)
def test_no_secret_of_a_path_is_logged(path: str, shown: str) -> None:
    assert without_secrets(path) == shown


def test_no_secret_of_an_account_is_logged(
    app: APIFlask, client: FlaskClient, work: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """From registering to a reset: neither passwords nor tokens, nor mailed links."""
    caplog.set_level(logging.DEBUG)
    secrets = [PASSWORD, "a wrong guess", "a new sentence"]
    new = {"email": "ada@example.org", "password": PASSWORD, "confirmed_password": PASSWORD}
    client.post("/api/register/", json=new)
    client.post("/api/password_reset/", json={"email": "ada@example.org"})
    with app.app_context():
        mails = list(db.session.scalars(select(OutgoingMail.text).order_by(OutgoingMail.id)))
    links = [re.findall(r"http\S+/(\S+)/(\S+)", text)[0] for text in mails]
    secrets += [token for _, token in links]
    client.get("/api/activate/{}/{}/".format(*links[0]))
    client.get("/verify/{}/{}".format(*links[0]))
    client.post("/api/login/", json=new | {"password": "a wrong guess"})
    client.post("/api/login/", json=new)
    client.post("/api/token/refresh/")
    made = client.post("/api/me/tokens/", json={"name": "Lamp"}).json["token"]
    client.get("/api/me/", headers={"Authorization": f"Bearer {made}"})
    cookies = [client.get_cookie(name) for name in ("access_token", "refresh_token")]
    secrets += [made, *(cookie.value for cookie in cookies if cookie)]
    client.get("/account?token=x")
    body = {"new_password": "a new sentence", "confirm_password": "a new sentence"}
    client.post("/api/password_confirm/{}/{}/".format(*links[1]), json=body)
    work()
    assert len(secrets) == 8
    lines = caplog.text + str([record.__dict__ for record in caplog.records])
    assert "/api/login/" in lines
    for secret in secrets:
        assert secret not in lines


def test_input_stays_one_line_of_log() -> None:
    record = logging.LogRecord("app", logging.INFO, "", 0, "a\r\nb\x1b[31mred", (), None)
    request_id.set("-")
    for formatter in (JsonFormatter(), TextFormatter()):
        line = formatter.format(record)
        assert "\n" not in line
        assert "\r" not in line
        assert "\x1b" not in line
