"""The Redis of `make run`: found, started on its socket, its data kept."""

from __future__ import annotations

import functools
import os
import signal
import stat
import subprocess
import time

import pytest
import redis as client

from config import embedded_redis_socket
from standalone import redis
from standalone.checks import prepare_data_dir
from standalone.errors import StartError
from standalone.logs import Log


@pytest.fixture
def start(request):
    """Starts Redis for a DATA_DIR as the supervisor does."""
    started = []

    def start(data_dir):
        log = Log(data_dir / "log" / "redis.log")
        program = redis.redis_program(redis.find_redis_server(), data_dir, os.environ, log)
        with log.open() as file:
            started.append(subprocess.Popen(program.command, stdout=file, stderr=file))
        redis.wait_for_redis(data_dir, functools.partial(time.sleep, 0.02))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(params=["short", "long", "with space and ü"])
def data_dir(request, tmp_path):
    path = tmp_path / (request.param if request.param != "long" else "x" * 120)
    prepare_data_dir(path, 0)
    yield path
    redis.remove_socket_folder(path)
    assert len(bytes(embedded_redis_socket(path))) <= 100


def connected(data_dir):
    return client.Redis(unix_socket_path=str(embedded_redis_socket(data_dir)))


def test_redis_keeps_its_data_over_a_restart(start, data_dir):
    server = start(data_dir)
    socket = embedded_redis_socket(data_dir)
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    with connected(data_dir) as connection:
        connection.rpush("queue", "a", "b")
        assert connection.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert connection.config_get("port")["port"] == "0"
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0
    start(data_dir)
    with connected(data_dir) as connection:
        assert connection.lrange("queue", 0, -1) == [b"a", b"b"]


def test_an_orphan_on_our_socket_is_ended(start, tmp_path):
    prepare_data_dir(tmp_path, 0)
    orphan = start(tmp_path)
    redis.end_orphan(tmp_path)
    assert orphan.wait(10) == 0


def test_a_missing_redis_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(redis.shutil, "which", lambda name: None)
    monkeypatch.setattr(redis.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StartError, match="apt install redis-server"):
        redis.find_redis_server()


def test_a_socket_folder_of_someone_else_is_refused(tmp_path, monkeypatch):
    prepare_data_dir(tmp_path, 0)
    monkeypatch.setattr(redis.os, "getuid", lambda: 12345)
    with pytest.raises(StartError, match="belongs to someone else"):
        redis.redis_program("redis-server", tmp_path, {}, Log(tmp_path / "redis.log"))
