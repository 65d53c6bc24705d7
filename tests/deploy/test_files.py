"""What the files of a deployment say agrees with the code, and with each other."""

from __future__ import annotations

import configparser
import dataclasses
import re
from pathlib import Path

from dotenv import dotenv_values

from config import ROOT, Settings

DEPLOY = ROOT / "deploy"
EXAMPLE = (DEPLOY / "env.example").read_text()


def test_every_setting_stands_in_the_example_with_its_meaning() -> None:
    for field in dataclasses.fields(Settings):
        line = rf"^# {re.escape(field.metadata['meaning'])}\n#?{field.name}="
        assert re.search(line, EXAMPLE, re.M), field.name


def test_the_example_starts_once_its_secrets_are_filled_in(tmp_path: Path) -> None:
    filled = EXAMPLE.replace("REPLACE_ME", "k" * 48)
    for name, text in (
        ("as it is", filled),
        ("with everything said", re.sub(r"^#([A-Z0-9_]+=.+)$", r"\1", filled, flags=re.M)),
    ):
        file = tmp_path / "env"
        file.write_text(text)
        said = Settings.load({}, file)
        default = Settings.load({"DATA_DIR": str(tmp_path)}, None)
        assert not said.EMBEDDED
        assert said.TRUSTED_PROXIES == 1
        given = {name for name, value in dotenv_values(stream=None, dotenv_path=file).items()}
        if name != "as it is":
            shown = set(re.findall(r"^#([A-Z0-9_]+)=.+$", EXAMPLE, re.M))
            assert shown < given
            for setting in shown - {"WORKERS"}:  # what is shown is what holds without it
                assert getattr(said, setting) == getattr(default, setting), setting


def test_units_and_supervisor_start_the_same() -> None:
    supervisor = configparser.ConfigParser(interpolation=None, strict=True)
    supervisor.read(DEPLOY / "supervisor" / "videoflix.conf")
    for name in ("web", "workers"):
        program = supervisor[f"program:{name}"]
        unit = configparser.ConfigParser(interpolation=None, strict=False)
        unit.optionxform = str  # type: ignore[assignment]
        unit.read(DEPLOY / "systemd" / f"videoflix-{name}.service")
        service = unit["Service"]
        assert service["ExecStart"] == program["command"]
        assert service["WorkingDirectory"] == program["directory"]
        assert service["User"] == program["user"]
        assert int(service["UMask"], 8) == int(program["umask"], 8)
        assert int(service["TimeoutStopSec"]) == int(program["stopwaitsecs"])


def test_the_container_files_name_what_is_there() -> None:
    container = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (.+) \S+$", container, re.M):
        for name in line.split():
            assert (ROOT / name).exists(), name
    compose = (DEPLOY / "compose.yaml").read_text()
    for name in re.findall(r"- \./(nginx/[\w./]+):", compose):
        assert (DEPLOY / name).exists(), name
    for command in re.findall(r"command: \[(.+)\]", compose):
        assert command.startswith(".venv/bin/python, -m, flask, --app, wsgi, ")


def test_links_of_the_guide_lead_somewhere() -> None:
    guide = (DEPLOY / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", guide):
        assert (DEPLOY / target).exists(), target
    for path in re.findall(r"[ /(]deploy/([\w./-]+\w)(?![\w*])", guide):
        made = {"env", "tls", "systemd/videoflix", "test_delivery.py"}
        assert (DEPLOY / path).exists() or path in made, path
