"""People who use a deployment over HTTPS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from app import create_app
from app.videos import grants
from config import Settings
from tests.conftest import PASSWORD
from tests.web import Answer

from .site import ADMIN, Deployment, wait_for


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    site: Deployment
    cookies: str

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        return self.site.ask(path, method, {"Cookie": self.cookies, **(headers or {})}, body)

    def video(self, video_id: int) -> dict[str, Any]:
        found = self.ask(f"/api/videos/{video_id}/")
        assert found.status == 200, found
        return dict(found.json)

    def wait(self, video_id: int, seconds: float = 90) -> int:
        """Wait until the film and its storyboard are whole."""
        wait_for(
            lambda: (
                self.video(video_id)["status"] == "ready"
                and self.video(video_id)["storyboard_url"] is not None
            ),
            seconds,
            lambda: json.dumps(self.video(video_id)),
        )
        return video_id

    def stream(self, video_id: int) -> str:
        """The path of the film's stream, up to the grid."""
        url = str(self.ask(f"/api/videos/{video_id}/playback/").json["hls_url"])
        return url.removeprefix(self.site.url).removesuffix("/master.m3u8")


def shared_stream(site: Deployment, owner: Person, video_id: int) -> str:
    """The path of the film's stream, up to the grid, for who has a share link made for this."""
    made = owner.ask(f"/api/videos/{video_id}/share/", "POST").json["share_url"]
    app = create_app(Settings.load(site.environment, env_file=None))
    with app.app_context():
        grant, _ = grants.issue(video_id, str(made).rsplit("/", 1)[1])
    return f"/stream/{grant}/{owner.stream(video_id).split('/')[3]}"


def sign_in(site: Deployment, email: str = ADMIN) -> Person:
    body = json.dumps({"email": email, "password": PASSWORD})
    with_json = {"Content-Type": "application/json"}
    connection = site.connect()
    connection.request("POST", "/api/login/", body, with_json)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    cookies = [SimpleCookie(line) for line in answer.headers.get_all("Set-Cookie") or []]
    connection.close()
    pairs = [f"{name}={morsel.value}" for one in cookies for name, morsel in one.items()]
    return Person(site, "; ".join(pairs))
