"""A front end on another port, written as for a Django backend, uses the API from start to end."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from tests.browser.conftest import ROOT, Site
from tests.conftest import PASSWORD
from tests.films import made_film

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

FILES = Path(__file__).with_name("front_end")
HLS = ROOT / "app" / "static" / "vendor" / "hls.js" / "hls.mjs"
EMAIL = "mara@example.org"
NEW_PASSWORD = "another horse, another battery"


class Server(ThreadingHTTPServer):
    """Serves the front end's files, hls.js, and the address of the API it belongs to."""

    api: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path != "/js/config.js":
            return super().do_GET()
        text = f"export const API_BASE_URL = {json.dumps(self.server.api)};\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        return None

    def translate_path(self, path: str) -> str:
        return str(HLS) if path == "/vendor/hls.mjs" else super().translate_path(path)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """The front end on a port of its own."""
    with Server(("127.0.0.1", 0), partial(Handler, directory=FILES)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def front_end(
    request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """The front end, and a site whose CORS_ORIGINS and mails know it."""
    with serving() as server:
        pages = f"{server.url}/pages/auth"
        monkeypatch.setenv("CORS_ORIGINS", server.url)
        monkeypatch.setenv("MAIL_LINK_VERIFY", pages + "/activate.html?uid={uid}&token={token}")
        monkeypatch.setenv(
            "MAIL_LINK_RESET", pages + "/confirm_password.html?uid={uid}&token={token}"
        )
        monkeypatch.setenv("EMBEDDED", "1")
        if database_url.startswith("postgresql"):  # `flask` beside the site is to find it too
            monkeypatch.setenv("DATABASE_URL", database_url)
        server.api = f"{request.getfixturevalue('site').url}/api/"
        yield server


def make_account(site: Site, email: str) -> None:
    site.flask("users", "create", email, "--verified", "--password-stdin", typed=f"{PASSWORD}\n")


def add_film(site: Site) -> None:
    """A film of somebody else's in the global catalogue."""
    make_account(site, "owner@example.org")
    film = str(made_film(30, "1280x720"))
    details = ("--title", "Bars and a tone", "--category", "Drama")
    site.flask("videos", "import", film, "--global", "--owner", "owner@example.org", *details)


def submit(page: Page, button: str, endpoint: str, **fields: str) -> Response:
    """Fill the form in, send it, and wait for the answer to its POST."""
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    with page.expect_response(lambda answer: is_post(answer, endpoint)) as answer:
        page.get_by_role("button", name=button).click()
    return answer.value


def is_post(answer: Response, endpoint: str) -> bool:
    return f"/api/{endpoint}" in answer.url and answer.request.method == "POST"


def mailed_link(site: Site, subject: str, start: str) -> str:
    found = re.search(r"http\S+", site.mail(EMAIL, subject))
    assert found
    assert found[0].startswith(f"{start}?uid=")
    return found[0]


def log_in(page: Page, front_end: Server, email: str, password: str) -> Response:
    page.goto(f"{front_end.url}/pages/auth/login.html")
    return submit(page, "Log in", "login/", email=email, password=password)


def wait_for_film(page: Page) -> None:
    """Open the list again and again until it shows the film with its picture."""
    picture = page.get_by_role("img", name="Bars and a tone")
    for _ in range(120):
        expect(page.locator("[role=status][data-status='200']")).to_be_attached()
        if picture.count() and picture.get_attribute("src"):
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_role("heading", name="drama")).to_be_visible()
    page.wait_for_function("document.querySelector('img').naturalWidth > 0")


def watch(page: Page, height: int) -> None:
    """Decoded pictures of this height come one after the other, and sound with them."""
    page.wait_for_function(
        "height => document.querySelector('video').videoHeight === height",
        arg=height,
        timeout=30_000,
    )
    frames = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
    before = page.evaluate(frames)
    page.wait_for_function(f"before => {frames} > before + 10", arg=before)
    page.wait_for_function("document.querySelector('video').webkitAudioDecodedByteCount > 0")
    video = page.locator("video")
    assert video.evaluate("video => video.videoWidth") == pytest.approx(height * 16 / 9, abs=2)
    assert video.evaluate("video => video.error") is None
    expect(page.get_by_role("status")).to_have_text("")


def test_a_front_end_of_another_port_is_served_from_register_to_a_new_password(
    page: Page, context: BrowserContext, front_end: Server, site: Site
) -> None:
    add_film(site)
    pages = f"{front_end.url}/pages/auth"
    said = page.get_by_role("status")

    page.goto(f"{pages}/register.html")
    page.get_by_label("Privacy policy").check()
    fields = {"email": EMAIL, "password": PASSWORD, "confirmed_password": PASSWORD}
    answer = submit(page, "Register", "register/", **fields)
    assert answer.request.post_data_json == {**fields, "privacy_policy": "on"}
    expect(said).to_have_attribute("data-status", "201")
    page.goto(mailed_link(site, "confirm", f"{pages}/activate.html"))
    expect(said).to_have_text("Your address is confirmed. You can sign in now.")

    assert log_in(page, front_end, EMAIL, "not the password").status == 401
    expect(said).to_have_attribute("data-status", "401")
    answer = submit(page, "Log in", "login/", email=EMAIL, password=PASSWORD)
    csrf_token = {cookie["name"]: cookie["value"] for cookie in context.cookies()}["csrftoken"]
    assert answer.request.headers["x-csrftoken"] == csrf_token
    page.wait_for_url(f"{front_end.url}/index.html")

    wait_for_film(page)
    page.get_by_role("img", name="Bars and a tone").click()
    watch(page, 480)
    page.get_by_role("button", name="720p").click()
    watch(page, 720)
    page.get_by_role("button", name="480p").click()
    watch(page, 480)
    page.get_by_role("button", name="1080p").click()  # the nearest there is
    watch(page, 720)

    context.clear_cookies(name="access_token")
    with page.expect_response(lambda answer: is_post(answer, "token/refresh/")) as refreshed:
        page.reload()
    assert refreshed.value.status == 200
    expect(page.get_by_role("img", name="Bars and a tone")).to_be_visible()

    kept = [cookie for cookie in context.cookies() if cookie["name"].endswith("_token")]
    assert {cookie["name"] for cookie in kept} == {"access_token", "refresh_token"}
    assert all(cookie["httpOnly"] for cookie in kept)
    assert submit(page, "Log out", "logout/").status == 200
    page.wait_for_url(f"{pages}/login.html")
    assert answers_when_opened(page, front_end) == [("video/", 401), ("token/refresh/", 400)]
    context.add_cookies(kept)  # a copy somebody made
    assert answers_when_opened(page, front_end) == [("video/", 401), ("token/refresh/", 401)]

    page.goto(f"{pages}/forgot_password.html")
    assert submit(page, "Send", "password_reset/", email=EMAIL).status == 200
    page.goto(mailed_link(site, "new password", f"{pages}/confirm_password.html"))
    fields = {"new_password": NEW_PASSWORD, "confirm_password": NEW_PASSWORD}
    assert submit(page, "Save", "password_confirm/", **fields).status == 200
    expect(said).to_have_text("Your new password is set.")
    assert log_in(page, front_end, EMAIL, PASSWORD).status == 401
    assert log_in(page, front_end, EMAIL, NEW_PASSWORD).status == 200
    page.wait_for_url(f"{front_end.url}/index.html")
    expect(page.get_by_role("img", name="Bars and a tone")).to_be_visible()


def answers_when_opened(page: Page, front_end: Server) -> list[tuple[str, int]]:
    """What the API answers, by endpoint and status, while the front end looks for films."""
    seen: list[tuple[str, int]] = []

    def note(answer: Response) -> None:
        if answer.url.startswith(front_end.api):
            seen.append((answer.url.removeprefix(front_end.api), answer.status))

    page.on("response", note)
    page.goto(f"{front_end.url}/index.html")
    expect(page.get_by_role("status")).to_have_attribute("data-status", re.compile("."))
    page.remove_listener("response", note)
    return seen


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_pages_on_a_port_that_is_not_named_get_nothing(
    page: Page, context: BrowserContext, front_end: Server, site: Site
) -> None:
    make_account(site, EMAIL)
    assert log_in(page, front_end, EMAIL, PASSWORD).status == 200
    page.wait_for_url(f"{front_end.url}/index.html")
    with serving() as stranger:
        stranger.api = front_end.api
        for path in ("index.html", "pages/auth/activate.html?uid=x&token=y"):
            page.goto(f"{stranger.url}/{path}")
            expect(page.get_by_role("status")).to_have_text("TypeError: Failed to fetch")
        page.goto(f"{stranger.url}/pages/auth/login.html")
        page.locator("[name=email]").fill(EMAIL)
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("status")).to_have_text("TypeError: Failed to fetch")

        # Requests so simple that a browser sends them without asking, cookies and all.
        read = "url => fetch(url, { credentials: 'include' }).then(() => '', String)"
        assert page.evaluate(read, f"{front_end.api}video/") == "TypeError: Failed to fetch"
        write = """url => {
            const form = document.createElement("form");
            Object.assign(form, { action: url, method: "post" });
            document.body.append(form);
            form.submit();
        }"""
        for endpoint in ("logout/", "token/refresh/", "login/", "register/"):
            page.goto(f"{stranger.url}/pages/auth/login.html")
            with page.expect_response(lambda answer, end=endpoint: is_post(answer, end)) as sent:
                page.evaluate(write, front_end.api + endpoint)
            answer = sent.value
            assert "access_token=" in answer.request.all_headers()["cookie"]
            assert (answer.status, answer.json()["code"]) == (403, "cross_origin")
    assert answers_when_opened(page, front_end) == [("video/", 200)]
