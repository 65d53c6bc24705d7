"""Storages on real servers, each test below a prefix of its own."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.bucket import Bucket
from app.storage.local import LocalStorage
from app.storage.s3 import S3Storage
from app.storage.scratch import Scratch
from config import Settings

from . import servers
from .servers import BUCKET, KEY, SECRET, Server

PART = 5 << 20
"""The smallest part that S3 takes in the middle."""


@pytest.fixture(scope="session")
def rclone() -> Iterator[Server]:
    with servers.rclone() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    with servers.moto() as server:
        yield server


@pytest.fixture
def prefix() -> str:
    return f"{secrets.token_hex(4)}/"


def in_bucket(server: Server, prefix: str, folder: Path) -> S3Storage:
    bucket = Bucket(server.account())
    scratch = Scratch(folder / "scratch", 10**9)
    return S3Storage(bucket, prefix, scratch, part_bytes=PART, signing=bucket)


@pytest.fixture(params=["local", "rclone", "moto"])
def form(request: pytest.FixtureRequest, prefix: str, tmp_path: Path) -> LocalStorage | S3Storage:
    """A storage of each form; the one in a bucket on each server."""
    if request.param == "local":
        return LocalStorage(tmp_path / "media")
    return in_bucket(request.getfixturevalue(request.param), prefix, tmp_path)


@pytest.fixture
def settings(settings: Settings, rclone: Server, prefix: str) -> Settings:
    """Settings of an application whose films are in a bucket."""
    return dataclasses.replace(
        settings,
        STORAGE="s3",
        S3_BUCKET=BUCKET,
        S3_ENDPOINT=rclone.endpoint,
        S3_PREFIX=prefix,
        S3_ACCESS_KEY=KEY,
        S3_SECRET_KEY=SECRET,
    )


@pytest.fixture
def objects(rclone: Server, prefix: str) -> Bucket:
    """The bucket, to look into it."""
    return Bucket(rclone.account())
