"""What the documents say of the code holds."""

from __future__ import annotations

import re
from pathlib import Path

from apiflask import APIFlask

ROOT = Path(__file__).resolve().parents[1]


def test_every_error_code_is_listed() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    for path in (ROOT / "app").rglob("*.py"):
        for code in re.findall(r'\bcode(?:: str)? ?= ?"([a-z_]+)"', path.read_text()):
            assert f"`{code}`" in page, f"{code} ({path.name})"


def test_every_command_is_listed(app: APIFlask) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    for name in ("users", "videos", "storage", "worker", "doctor", "data"):
        command = app.cli.commands[name]
        for inner in getattr(command, "commands", {"": None}):
            assert f"`{name} {inner}".rstrip() in page, f"{name} {inner}"


def test_every_dependency_earns_its_place() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    for file in ("requirements.txt", "requirements-dev.txt"):
        for name in re.findall(r"^([a-z0-9-]+)==", (ROOT / file).read_text(), re.M):
            assert f"| {name} |" in page, name


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_test_that_is_named_exists() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text()):
            source = (ROOT / path).read_text()
            assert not name or f"def {name}(" in source, f"{page.name}: {path}::{name}"


def test_no_lock_file_carries_a_registrys_address() -> None:
    for name in ("package-lock.json", "constraints.txt", "requirements.txt"):
        assert "://" not in re.sub(r'"(url|license)": ".*"', "", (ROOT / name).read_text()), name
