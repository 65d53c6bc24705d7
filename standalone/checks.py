"""What must hold before anything is started; each failure is one sentence that says what to do."""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

from standalone.errors import StartError

FFMPEG_SECONDS = 30.0


def check_port(host: str, port: int) -> None:
    """Raise StartError unless HOST:PORT can be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise StartError(f"HOST {host} is not known; try make run HOST=127.0.0.1") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise StartError(_port_sentence(error, host, port)) from None


def _port_sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else port - 1
        return (
            f"Port {port} is in use by another program. Stop it or choose another: "
            f"make run PORT={other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Choose one above 1023: make run PORT=8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"HOST {host} is no address of this machine. Try make run HOST=127.0.0.1"
    return f"Cannot listen on {host}, port {port}: {error.strerror}."


def prepare_data_dir(data_dir: Path, least_free: int) -> None:
    """Make DATA_DIR and the folders of the starter in it.

    Raises StartError where it cannot be written to or has fewer than `least_free` bytes left.
    """
    try:
        for name in ("run", "log", "mail"):
            (data_dir / name).mkdir(parents=True, exist_ok=True)
        (data_dir / "run").chmod(0o700)
        probe = data_dir / "run" / f".write-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"Cannot write to DATA_DIR ({data_dir}): {error.strerror}. Choose a folder that you "
            "may write to: make run DATA_DIR=…"
        ) from None
    free = shutil.disk_usage(data_dir).free
    if free < least_free:
        raise StartError(
            f"Only {_size(free)} are free on the disk of {data_dir}, and Videoflix leaves "
            f"{_size(least_free)} alone (MIN_FREE_BYTES). Make room, or choose a folder on another "
            "disk: make run DATA_DIR=…"
        )


def check_ffmpeg(configured: str) -> None:
    """Raise StartError unless ffmpeg runs: the configured one, else the wheel's."""
    try:
        binary = shutil.which(configured) if configured else _bundled_ffmpeg()
        if binary:
            subprocess.run(  # noqa: S603 - the operator's own choice
                [binary, "-hide_banner", "-version"],
                capture_output=True,
                check=True,
                timeout=FFMPEG_SECONDS,
            )
            return
    except (OSError, RuntimeError, subprocess.SubprocessError):
        pass
    if configured:
        raise StartError(
            f"FFMPEG_BINARY ({configured}) does not run. Correct it, or leave it empty to use the "
            "bundled ffmpeg."
        )
    raise StartError(
        "The bundled ffmpeg does not run on this machine. Install ffmpeg (Debian, Ubuntu: "
        "sudo apt install ffmpeg) and start with FFMPEG_BINARY=ffmpeg make run"
    )


def _bundled_ffmpeg() -> str:
    return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())  # it has no types


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
