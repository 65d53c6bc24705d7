"""What every answer and every unsafe request satisfies; the routes come from the url map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.security import SAFE_METHODS

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ARGUMENTS = {
    "uid": "MQ",
    "token": "t",
    "grant": "g",
    "grid": 1,
    "row": "720p",
    "name": "0.m4s",
    "video_id": 1,
    "id": 1,
    "session_id": 1,
    "token_id": 1,
    "series_id": 1,
    "subtitle": 1,
    "subtitle_id": 1,
    "filename": "css/videoflix.css",
    "resolution": "720p",
    "key": "nobody-has-made-this-0",
}


def routes(app: APIFlask) -> Iterator[tuple[str, str]]:
    """Every (method, path) of the application."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: ARGUMENTS[name] for name in rule.arguments}
        if rule.endpoint == "stream.image":
            values["name"] = "poster.jpg"
        path = adapter.build(rule.endpoint, values)
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield method, path


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_no_unsafe_route_takes_a_request_from_elsewhere(
    app: APIFlask, signed_in: FlaskClient, headers: dict[str, str]
) -> None:
    unsafe = [(method, path) for method, path in routes(app) if method not in SAFE_METHODS]
    assert len(unsafe) > 10
    for method, path in unsafe:
        answer = signed_in.open(path, method=method, headers=headers)
        assert answer.status_code == 403, (method, path)
        if path.startswith("/api/"):
            assert answer.json["code"] == "cross_origin"
    assert signed_in.get("/api/me/").status_code == 200  # logout was refused too


def test_our_own_origin_and_programs_are_welcome(signed_in: FlaskClient) -> None:
    for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {}):
        answer = signed_in.post("/api/password_reset/", json={"email": "a@b.org"}, headers=headers)
        assert answer.status_code == 200


def test_every_answer_carries_the_headers(app: APIFlask, client: FlaskClient) -> None:
    for method, path in routes(app):
        if method != "GET":
            continue
        with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            secret = path.startswith("/s/")  # the address itself opens the film
            assert answer.headers["Referrer-Policy"] == ("no-referrer" if secret else "same-origin")
            assert answer.headers["X-Request-ID"]
            if not path.startswith("/static/"):
                assert "no-store" in answer.headers["Cache-Control"], path


def test_the_content_policy_allows_nothing_inline_and_no_frame(client: FlaskClient) -> None:
    policy = client.get("/login").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["object-src"] == rules["base-uri"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_https_is_told_to_stay(app: APIFlask, client: FlaskClient, scheme: str) -> None:
    app.config["PUBLIC_URL"] = f"{scheme}://localhost"
    told = client.get("/login").headers.get("Strict-Transport-Security", "")
    assert ("max-age=31536000" in told) == (scheme == "https")


def test_nothing_private_answers_a_stranger(app: APIFlask, client: FlaskClient) -> None:
    public = {"/", "/login", "/register", "/forgot-password", "/healthz", "/readyz"}
    public |= {"/metrics"}  # on this machine; see tests/test_metrics.py
    public |= {"/api/openapi.json", "/api/docs/", "/static/css/videoflix.css"}
    for method, path in routes(app):
        if method != "GET" or path in public or "/verify/" in path or "/reset-password/" in path:
            continue
        with client.get(path) as answer:
            if path.startswith("/api/activate/"):
                assert answer.status_code == 400
            elif path.startswith(("/s/", "/api/shared/")):
                assert answer.status_code == 404, path  # no such link
            elif path.startswith("/stream/"):
                asked = path.endswith(("/may-watch", "/may-see"))
                assert answer.status_code == (403 if asked else 404), path
            elif path.startswith("/api/"):
                assert answer.status_code == 401, path
            else:
                assert answer.status_code == 302, path
                assert answer.location.startswith("/login?next="), path


def test_pages_have_no_inline_script_or_style(signed_in: FlaskClient) -> None:
    for path in ("/browse", "/my-videos", "/upload", "/account"):
        page = signed_in.get(path).text
        assert "<style" not in page
        assert "style=" not in page
        assert "javascript:" not in page
        assert " onclick=" not in page
        assert all("src=" in tag for tag in page.split("<script")[1:])


def test_guests_of_cors_and_nobody_else(app: APIFlask, signed_in: FlaskClient) -> None:
    app.config["CORS_ORIGINS"] = ("http://localhost:4200",)
    guest, other = {"Origin": "http://localhost:4200"}, {"Origin": "http://localhost:4201"}
    answer = signed_in.get("/api/me/", headers=guest)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:4200"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in signed_in.get("/api/me/", headers=other).headers
    assert "Access-Control-Allow-Origin" not in signed_in.get("/browse", headers=guest).headers
    asked = {**guest, "Access-Control-Request-Method": "DELETE"}
    preflight = signed_in.options("/api/local-videos/1/", headers=asked)
    assert preflight.status_code == 204
    assert "DELETE" in preflight.headers["Access-Control-Allow-Methods"]
    asked["Origin"] = "http://localhost:4201"
    refused = signed_in.options("/api/local-videos/1/", headers=asked)
    assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "localhost@evil"])
def test_a_foreign_host_is_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/login", headers={"Host": host})
    assert answer.status_code == 400
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_errors_show_no_inside(app: APIFlask, client: FlaskClient) -> None:
    @app.get("/api/broken/")
    def broken() -> str:
        raise RuntimeError("/etc/secret SELECT * FROM users")

    app.testing = False
    answer = client.get("/api/broken/")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert "secret" not in answer.text
    assert "SELECT" not in answer.text
    page = client.get("/nowhere")
    assert page.status_code == 404
    assert "<!doctype html>" in page.text.lower()
