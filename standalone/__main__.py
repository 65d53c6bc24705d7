"""`make run`: check, start everything in order, tell the person, end everything on Ctrl-C."""

from __future__ import annotations

import http.client
import os
import sys
import time
from collections.abc import Sequence
from subprocess import CompletedProcess

from config import ROOT, SettingsError
from standalone import checks, redis
from standalone.demo import Demo
from standalone.errors import StartError
from standalone.lock import take_lock
from standalone.logs import Log
from standalone.mailbox import Mailbox
from standalone.migrations import up_to_date
from standalone.options import Options, read_options
from standalone.parent import Parent
from standalone.processes import Program, Stopped, Supervisor
from standalone.terminal import say

READY_SECONDS = 120.0


def main(arguments: Sequence[str]) -> int:
    """Run until somebody asks for the end; 0 then, 1 with a sentence when it cannot start.

    `--with-make` says that the parent is make, whose end is ours too.
    """
    parent = Parent() if "--with-make" in arguments else None
    try:
        options = read_options(os.environ)
        checks.prepare_data_dir(options.data_dir, options.settings.MIN_FREE_BYTES)
        lock = take_lock(options.data_dir)
        checks.check_port(options.host, options.port)
        checks.check_ffmpeg(options.settings.FFMPEG_BINARY)
    except (StartError, SettingsError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    supervisor = Supervisor(held=[lock])
    supervisor.listen()
    code = 0
    try:
        if parent is not None:
            supervisor.watch(lambda: supervisor.ask() if parent.wants_end() else None)
        _Site(options, supervisor).run()
    except Stopped:
        say("\nStopping …")
    except StartError as error:
        say(str(error))
        code = 1
    finally:
        supervisor.stop()
        redis.remove_socket_folder(options.data_dir)
    if code == 0:
        say("Stopped.")
    return code


class _Site:
    """One Videoflix from its first program to the moment it runs by itself."""

    def __init__(self, options: Options, supervisor: Supervisor) -> None:
        self._options = options
        self._supervisor = supervisor
        self._demo = Demo(options.data_dir)

    def run(self) -> None:
        """Start everything, then wait. Raises Stopped at the end, StartError if it cannot."""
        options, supervisor = self._options, self._supervisor
        if options.own_redis:
            self._start_redis()
        self._migrate()
        if self._demo.protect(self._flask, loopback=options.loopback):
            say("The demo account has been disabled: its password is known, and HOST is public.")
        self._start("web", _web_command(options))
        self._wait_until_ready()  # before the workers start: they would take its processor
        if options.settings.WORKERS:
            count = str(options.settings.WORKERS)
            self._start("worker", [*_FLASK, "worker", "--count", count])
        supervisor.restarting = True
        mailbox = Mailbox(options.data_dir / "mail")
        if options.demo and self._demo.wanted:
            self._set_up_demo()
        say(self._banner())
        supervisor.watch(mailbox.announce)
        while True:
            supervisor.pause(60)

    def _start_redis(self) -> None:
        data_dir = self._options.data_dir
        binary = redis.find_redis_server()
        redis.end_orphan(data_dir)
        log = self._log("redis", shown=False)
        environment = self._options.environment
        self._supervisor.start(redis.redis_program(binary, data_dir, environment, log))
        redis.wait_for_redis(data_dir, self._supervisor.pause)

    def _start(self, name: str, command: Sequence[str]) -> None:
        log = self._log(name)
        self._supervisor.start(Program(name, command, self._options.environment, log))

    def _log(self, name: str, *, shown: bool = True) -> Log:
        log = Log(self._options.data_dir / "log" / f"{name}.log", shown=shown)
        self._supervisor.watch(log.follow)
        return log

    def _flask(self, arguments: Sequence[str], text: str = "") -> CompletedProcess[str]:
        return self._supervisor.run([*_FLASK, *arguments], self._options.environment, text)

    def _migrate(self) -> None:
        if up_to_date(self._options.settings.DATABASE_URL, ROOT / "migrations" / "versions"):
            return
        done = self._flask(["db", "upgrade"])
        if done.returncode != 0:
            say("\n".join((done.stderr or done.stdout).strip().splitlines()[-15:]))
            raise StartError(
                "The database could not be brought up to date; the lines above say why."
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection(
                self._options.local_host, self._options.port, timeout=5
            )
            try:
                connection.request("GET", "/readyz")
                response = connection.getresponse()
                answer = response.read().decode("utf-8", "replace")[:500]
                if response.status == 200:
                    return
            except (OSError, http.client.HTTPException) as error:
                answer = str(error)
            finally:
                connection.close()
            self._supervisor.pause()
        raise StartError(f"Videoflix is not ready after {READY_SECONDS:.0f} s: {answer}")

    def _set_up_demo(self) -> None:
        say("Adding the demo account and film …")
        try:
            self._demo.set_up(self._flask, loopback=self._options.loopback)
        except StartError as error:
            say(f"{error} The next start tries again; DEMO=0 leaves it out.")

    def _banner(self) -> str:
        options, settings = self._options, self._options.settings
        lines = ["", f"  Videoflix is ready: {settings.PUBLIC_URL}", ""]
        login = self._demo.login() if options.demo else None
        if login:
            lines += [f"  Sign in with  {login[0]}", f"  Password      {login[1]}"]
        if settings.MAIL_SERVER:
            lines += [f"  Mail          leaves through {settings.MAIL_SERVER}"]
        else:
            lines += [f"  Mail          {options.data_dir / 'mail'} (links are shown here too)"]
        lines += [f"  Logs          {options.data_dir / 'log'}", "  Stop          Ctrl-C", ""]
        return "\n".join(lines)


_FLASK = [sys.executable, "-m", "flask", "--app", "wsgi"]


def _web_command(options: Options) -> list[str]:
    """gunicorn: threads for slow uploads and downloads; all that it writes is below DATA_DIR."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"{host}:{options.port}"]
    command += ["--worker-class", "gthread", "--workers", "2", "--threads", "16"]
    command += ["--graceful-timeout", "5", "--keep-alive", "10", "--no-control-socket"]
    command += ["--worker-tmp-dir", str(options.data_dir / "run")]
    return command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
