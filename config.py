"""Every setting of Videoflix, once: its environment variable, type, default and meaning.

`Settings.load()` reads the process environment and a `.env` file beside this module (the
environment wins), checks every value and raises `SettingsError` with a sentence that says what to
do. Nothing else in the project reads the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from limits import parse_many

ROOT = Path(__file__).resolve().parent

SUN_PATH_MAX = 100
"""Longest Unix socket path we use; `sun_path` holds 108 bytes on Linux and 104 on macOS."""


Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """A setting is missing, unknown or wrong; the text says which one and what to do."""


def _text(value: str) -> str:
    return value


def _flag(value: str) -> bool:
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be 1 or 0")


def _count(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError("must not be negative")
    return number


_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size(value: str) -> int:
    """Bytes, or a number with K, M, G or T (powers of 1000)."""
    lowered = value.strip().lower().removesuffix("b")
    unit = lowered[-1:] if lowered[-1:] in _UNITS else ""
    number = float(lowered.removesuffix(unit))
    if not 0 <= number < 2**60:
        raise ValueError("must be a number of bytes, such as 500M or 20G")
    return int(number * _UNITS[unit])


def _path(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _origin(value: str) -> str:
    parts = urlsplit(value.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
        raise ValueError("must be an address such as https://films.example.org, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _origins(value: str) -> tuple[str, ...]:
    return tuple(_origin(item.strip()) for item in value.split(",") if item.strip())


def _link(value: str) -> str:
    if value and not ("{uid}" in value and "{token}" in value):
        raise ValueError("must contain {uid} and {token}")
    return value


def _heights(value: str) -> tuple[int, ...]:
    heights = tuple(int(item) for item in value.split(",") if item.strip())
    if not heights or any(not 64 <= lines <= 4320 for lines in heights):
        raise ValueError("must be numbers of lines such as 1080,720,480,360,240")
    return tuple(sorted(set(heights), reverse=True))


_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")


def _preset(value: str) -> str:
    if value not in _PRESETS:
        raise ValueError(f"must be one of {', '.join(_PRESETS)}")
    return value


def _lufs(value: str) -> float:
    if float(value) and not -70 <= float(value) <= -5:
        raise ValueError("must be a loudness from -70 to -5, or 0")
    return float(value)


def _crf(value: str) -> int:
    if not 0 < int(value) <= 51:
        raise ValueError("must be a number from 1 to 51")
    return int(value)


def _niceness(value: str) -> int:
    if not 0 <= int(value) <= 19:
        raise ValueError("must be a number from 0 to 19")
    return int(value)


def _limit(value: str) -> str:
    try:
        parse_many(value)
    except ValueError:
        raise ValueError("must be a limit such as 15 per 5 minutes") from None
    return value


def _way(value: str) -> str:
    if value not in {"copy", "link", "move"}:
        raise ValueError("must be copy, link or move")
    return value


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(item.strip()) for item in value.split(",") if item.strip())
    except ValueError:
        raise ValueError("must be addresses or networks such as 127.0.0.1,10.0.0.0/8") from None


def _dsn(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.username or not parts.path.strip("/"):
        raise ValueError("must be an address such as https://KEY@sentry.example.org/1")
    return value


def _storage(value: str) -> str:
    if value not in {"local", "s3"}:
        raise ValueError("must be local or s3")
    return value


def _delivery(value: str) -> str:
    if value not in {"redirect", "proxy", "nginx"}:
        raise ValueError("must be redirect, proxy or nginx")
    return value


def _prefix(value: str) -> str:
    if value.startswith("/") or "//" in value:
        raise ValueError("must be like films/ or empty")
    return value and value.rstrip("/") + "/"


def _log_level(value: str) -> str:
    level = value.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return level


def _log_format(value: str) -> str:
    if value not in {"json", "text"}:
        raise ValueError("must be json or text")
    return value


def _setting(parse: Callable[[str], Any], default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, typed and checked. A field's name is its environment variable."""

    # where things are
    DATA_DIR: Path = _setting(
        _path, ROOT / "instance", "Folder for everything that is written: films, database, mail."
    )
    PUBLIC_URL: str = _setting(
        _origin, "http://127.0.0.1:8000", "The address people open; every link is built from it."
    )
    DATABASE_URL: str = _setting(
        _text, "", "SQLAlchemy URL of PostgreSQL; without it SQLite in DATA_DIR."
    )
    REDIS_URL: str = _setting(
        _text, "", "redis://, rediss:// or unix:// URL; without it the Redis of `make run`."
    )
    EMBEDDED: bool = _setting(
        _flag,
        None,
        "1: one machine, started by `make run`, makes its own key. "
        "Default: 1 while DATABASE_URL and REDIS_URL are both unset.",
    )

    # secrets and the browser
    SECRET_KEY: str = _setting(
        _text, "", "Signs sessions and links, 32 characters or more; made and kept when embedded."
    )
    CORS_ORIGINS: tuple[str, ...] = _setting(
        _origins, (), "Other origins, separated by commas, whose pages may use the JSON API."
    )
    TRUSTED_PROXIES: int = _setting(
        _count, 0, "How many reverse proxies stand in front and set X-Forwarded-*."
    )

    # mail
    MAIL_SERVER: str = _setting(
        _text, "", "SMTP host; without it each mail is a file in DATA_DIR/mail."
    )
    MAIL_PORT: int = _setting(_count, 587, "SMTP port.")
    MAIL_USE_TLS: bool = _setting(_flag, True, "1: STARTTLS.")
    MAIL_USE_SSL: bool = _setting(_flag, False, "1: TLS from the first byte (port 465).")
    MAIL_USERNAME: str = _setting(_text, "", "SMTP login.")
    MAIL_PASSWORD: str = _setting(_text, "", "SMTP password.")
    MAIL_SENDER: str = _setting(
        _text, "Videoflix <no-reply@videoflix.invalid>", "From address of every mail."
    )
    MAIL_LINK_VERIFY: str = _setting(
        _link, "", "Address of a front end's own page for {uid} and {token}; default: our page."
    )
    MAIL_LINK_RESET: str = _setting(
        _link, "", "Address of a front end's own page for {uid} and {token}; default: our page."
    )

    # uploads
    MAX_UPLOAD_BYTES: int = _setting(size, 20 * 10**9, "Largest film that may be uploaded.")
    MIN_FREE_BYTES: int = _setting(
        size, 10**9, "Disk space that uploads and conversion leave free."
    )
    USER_QUOTA_BYTES: int = _setting(
        size, 0, "What the films of one account may take together; 0: as much as there is room."
    )
    UPLOAD_HOURS: int = _setting(
        _count, 24, "Hours after its last byte for which an unfinished upload can be resumed."
    )

    # where films are kept
    STORAGE: str = _setting(
        _storage, "local", "Where new films are kept: local (DATA_DIR) or s3 (a bucket)."
    )
    S3_BUCKET: str = _setting(
        _text, "", "Bucket for films; set it also while STORAGE is local, to move films out of it."
    )
    S3_ENDPOINT: str = _setting(
        _origin, "", "Address of the S3 server; default: Amazon's in S3_REGION."
    )
    S3_PUBLIC_ENDPOINT: str = _setting(
        _origin, "", "Address under which browsers reach it; default: S3_ENDPOINT."
    )
    S3_REGION: str = _setting(_text, "us-east-1", "Region of the bucket.")
    S3_PREFIX: str = _setting(_prefix, "", "What the names of all objects begin with.")
    S3_ACCESS_KEY: str = _setting(
        _text, "", "Access key; without both keys those of the machine's role."
    )
    S3_SECRET_KEY: str = _setting(_text, "", "Secret key.")
    S3_DELIVERY: str = _setting(
        _delivery,
        "redirect",
        "How viewers get segments: redirect (from the S3 server), proxy (through the application) "
        "or nginx (through nginx's cache).",
    )
    SCRATCH_DIR: Path | None = _setting(
        _path, None, "Folder for copies that workers convert from; default: DATA_DIR/scratch."
    )
    SCRATCH_BYTES: int = _setting(
        size, 40 * 10**9, "What these copies may take together; the largest film should fit."
    )

    # a folder whose films are taken in
    WATCH_FOLDER: Path | None = _setting(
        _path, None, "Folder whose films workers import as they appear; without it none."
    )
    WATCH_OWNER: str = _setting(
        _text, "", "Address of the account that they belong to; default: the first administrator."
    )
    WATCH_GLOBAL: bool = _setting(_flag, False, "1: into the global catalogue.")
    WATCH_ACTION: str = _setting(
        _way, "copy", "What becomes of the files: copy, link (hard links) or move."
    )
    WATCH_SECONDS: int = _setting(
        _count, 30, "Pause between two looks; a file must be the same in both."
    )

    # conversion
    FFMPEG_BINARY: str = _setting(
        _text,
        "",
        "Path of ffmpeg, 7.1 or later; default: the one in the imageio-ffmpeg package.",
    )
    LADDER_HEIGHTS: tuple[int, ...] = _setting(
        _heights, (1080, 720, 480, 360, 240), "Lines of the qualities that films get."
    )
    X264_PRESET: str = _setting(
        _preset, "veryfast", "Speed of encoding: a slower preset makes smaller files."
    )
    X264_CRF: int = _setting(_crf, 23, "Quality of encoding, 1 to 51; less is better and larger.")
    COPY_TOP_RUNG: bool = _setting(
        _flag, True, "1: take over pictures that browsers play as they are, instead of encoding."
    )
    NORMALISE_LUFS: float = _setting(
        _lufs,
        0.0,
        "Loudness (LUFS) of a second form of each sound track, with an even volume; 0: none.",
    )
    WORKERS: int = _setting(
        _count, os.cpu_count() or 1, "Worker processes that `make run` and `flask worker` start."
    )
    WORKER_NICE: int = _setting(
        _niceness,
        10,
        "How far conversion stands back for all else on the machine, 0 to 19; what a viewer waits "
        "for does so a third as far.",
    )
    TASK_ATTEMPTS: int = _setting(
        _count, 4, "Times a piece of work is tried before its film counts as failed."
    )
    LEASE_SECONDS: int = _setting(
        _count, 30, "Silence after which a worker's claim is given to another worker."
    )

    # life of links and sessions
    GRANT_HOURS: int = _setting(_count, 12, "Hours for which a film's stream address works.")
    ACCESS_MINUTES: int = _setting(_count, 30, "Minutes for which an access token works.")
    SESSION_DAYS: int = _setting(_count, 30, "Days after which an unused session ends.")
    VERIFY_HOURS: int = _setting(_count, 72, "Hours for which a verification link works.")
    RESET_HOURS: int = _setting(_count, 2, "Hours for which a password reset link works.")

    UNVERIFIED_DAYS: int = _setting(
        _count, 7, "Days after which an account that was never confirmed is removed."
    )

    # how often something may be asked for
    LIMIT_LOGIN_ACCOUNT: str = _setting(
        _limit, "15 per 5 minutes", "Failed attempts to sign in to one account."
    )
    LIMIT_LOGIN_ADDRESS: str = _setting(
        _limit,
        "100 per 5 minutes",
        "Failed attempts to sign in, or to open share links, from one network address.",
    )
    LIMIT_MAIL_ACCOUNT: str = _setting(
        _limit, "10 per hour", "Requests that send a mail to one address (register, reset)."
    )
    LIMIT_MAIL_ADDRESS: str = _setting(
        _limit, "200 per hour", "Requests that send mails from one network address."
    )
    LIMIT_API: str = _setting(
        _limit, "12000 per minute", "Requests to the JSON API of one account, or one stranger."
    )

    # logs, metrics and reports of errors
    LOG_LEVEL: str = _setting(_log_level, "INFO", "DEBUG, INFO, WARNING or ERROR.")
    LOG_FORMAT: str = _setting(_log_format, "json", "json (one object a line) or text.")
    METRICS_ALLOW: tuple[Network, ...] = _setting(
        _networks,
        (ip_network("127.0.0.1"), ip_network("::1")),
        "Addresses and networks, separated by commas, that may read `/metrics`.",
    )
    SENTRY_DSN: str = _setting(
        _dsn, "", "Where unexpected errors are reported (Sentry's protocol); without it nowhere."
    )

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str] | None = None,
        env_file: Path | None = ROOT / ".env",
    ) -> Settings:
        """Read, check and complete all settings.

        Raises SettingsError for an unknown name in the file, a value of the wrong form, or a
        combination that must not start.
        """
        given = os.environ if environment is None else environment
        known = {f.name: f for f in dataclasses.fields(cls)}
        written = _read_env_file(env_file, known)
        values: dict[str, Any] = {}
        for name, spec in known.items():
            raw = given.get(name, written.get(name, "")).strip()
            if raw == "":
                continue
            try:
                values[name] = spec.metadata["parse"](raw)
            except ValueError as error:
                shown = "" if _is_secret(name) else f" (it is {raw!r})"
                raise SettingsError(f"{name} {_reason(error, raw)}{shown}.") from None
        return cls(**values)._completed()

    def _completed(self) -> Settings:
        """Fill in what depends on other settings and refuse what must not start."""
        embedded = self.EMBEDDED
        if embedded is None:
            embedded = not (self.DATABASE_URL or self.REDIS_URL)
        if not embedded and not (self.DATABASE_URL and self.REDIS_URL):
            missing = "REDIS_URL" if self.DATABASE_URL else "DATABASE_URL"
            raise SettingsError(
                f"{missing} is not set. A deployment needs both DATABASE_URL and REDIS_URL; "
                "without both, `make run` starts everything on this machine."
            )
        secret = self.SECRET_KEY
        if not secret:
            if not embedded:
                raise SettingsError(
                    "SECRET_KEY is not set. Make one with "
                    "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` "
                    "and keep it for good: a new key ends every session."
                )
            secret = _kept_secret(self.DATA_DIR / "secret_key")
        if len(secret) < 32:
            raise SettingsError("SECRET_KEY is too short: it needs 32 characters or more.")
        if self.STORAGE == "s3" and not self.S3_BUCKET:
            raise SettingsError("S3_BUCKET is not set. STORAGE=s3 needs the name of a bucket.")
        if bool(self.S3_ACCESS_KEY) != bool(self.S3_SECRET_KEY):
            missing = "S3_SECRET_KEY" if self.S3_ACCESS_KEY else "S3_ACCESS_KEY"
            raise SettingsError(f"{missing} is not set. Set both keys of the bucket, or neither.")
        database = self.DATABASE_URL or f"sqlite:///{self.DATA_DIR / 'videoflix.sqlite'}"
        if database.startswith(("postgres://", "postgresql://")):
            database = "postgresql+psycopg2://" + database.split("://", 1)[1]
        return dataclasses.replace(
            self,
            EMBEDDED=embedded,
            SECRET_KEY=secret,
            DATABASE_URL=database,
            REDIS_URL=self.REDIS_URL or f"unix://{embedded_redis_socket(self.DATA_DIR)}",
        )

    @property
    def secure(self) -> bool:
        """Whether people reach the site over HTTPS."""
        return self.PUBLIC_URL.startswith("https://")


def _is_secret(name: str) -> bool:
    return "KEY" in name or "PASSWORD" in name or "DSN" in name


def embedded_redis_socket(data_dir: Path) -> Path:
    """Where the Redis of `make run` listens: a socket that only this user can open."""
    socket = data_dir / "run" / "redis.sock"
    if len(bytes(socket)) <= SUN_PATH_MAX:
        return socket
    name = hashlib.sha256(bytes(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"videoflix-{os.getuid()}-{name}" / "redis.sock"


def _kept_secret(path: Path) -> str:
    """The key in the file, made on the first call; readable by its owner only."""
    try:
        if path.exists():
            return path.read_text().strip()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # whoever links first wins; the others read the winner's key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    except OSError as error:
        raise SettingsError(
            f"Cannot write to DATA_DIR ({path.parent}): {error.strerror}. "
            "Choose a folder that you may write to."
        ) from None
    return path.read_text().strip()


def _read_env_file(env_file: Path | None, known: Mapping[str, object]) -> dict[str, str]:
    if env_file is None or not env_file.exists():
        return {}
    found = {name: value or "" for name, value in dotenv_values(env_file).items()}
    for name in found:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(f"{env_file.name} names an unknown setting {name}.{hint}")
    return found


def _reason(error: ValueError, raw: str) -> str:
    text = str(error)
    return text if text.startswith("must") else f"must be a number, not {raw!r}"
