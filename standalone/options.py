"""What `make run` is told: its own variables, and the environment that the programs get."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from config import ROOT, Settings, embedded_redis_socket
from standalone.errors import StartError


@dataclass(frozen=True, slots=True)
class Options:
    """How this Videoflix is to run."""

    host: str
    port: int
    demo: bool
    settings: Settings
    environment: Mapping[str, str]
    """What every program is started with."""

    @property
    def data_dir(self) -> Path:
        """The folder for everything that is written."""
        return self.settings.DATA_DIR

    @property
    def own_redis(self) -> bool:
        """Whether Redis is ours to start: nobody named another."""
        return f"unix://{embedded_redis_socket(self.data_dir)}" == self.settings.REDIS_URL

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the site."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def local_host(self) -> str:
        """The address under which this machine itself reaches the site."""
        return _from_here(self.host)


def read_options(environment: Mapping[str, str], env_file: Path = ROOT / ".env") -> Options:
    """Read HOST, PORT, DEMO and all settings; the environment wins over the file.

    Raises StartError and config.SettingsError with a sentence that says what to do.
    """
    host = environment.get("HOST", "").strip().strip("[]") or "127.0.0.1"
    port = _port(environment.get("PORT", "").strip() or "8000")
    demo = environment.get("DEMO", "").strip() or "1"
    if demo not in {"0", "1"}:
        raise StartError(f"DEMO must be 1 or 0 (it is {demo!r}).")
    local = _from_here(host)
    ours = {
        "PUBLIC_URL": f"http://{f'[{local}]' if ':' in local else local}:{port}",
        "LOG_FORMAT": "text",
        "PYTHONUNBUFFERED": "1",
    }
    written = {name for name, value in dotenv_values(env_file).items() if value}
    complete = {name: value for name, value in ours.items() if name not in written}
    complete |= {name: value for name, value in environment.items() if value.strip()}
    complete["EMBEDDED"] = "1"
    settings = Settings.load(complete, env_file)
    complete["DATA_DIR"] = str(settings.DATA_DIR)
    return Options(host, port, demo == "1", settings, complete)


def _from_here(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is only read


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise StartError(f"PORT must be a number from 1 to 65535 (it is {text!r}).")
    return int(text)
