from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from config import SUN_PATH_MAX, Settings, SettingsError, embedded_redis_socket

ROOT = Path(__file__).resolve().parents[1]


def load(tmp_path: Path, **given: str) -> Settings:
    return Settings.load({"DATA_DIR": str(tmp_path), **given}, env_file=None)


def test_the_embedded_default_needs_nothing_and_keeps_its_key(tmp_path: Path) -> None:
    first, second = load(tmp_path), load(tmp_path)
    assert first.EMBEDDED
    assert first.SECRET_KEY == second.SECRET_KEY
    assert len(first.SECRET_KEY) >= 32
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert first.DATABASE_URL.startswith("sqlite:///")
    assert f"unix://{tmp_path}/run/redis.sock" == first.REDIS_URL


def test_a_real_deployment_does_not_start_without_a_key(tmp_path: Path) -> None:
    parts = {"DATABASE_URL": "postgresql://db/x", "REDIS_URL": "redis://cache"}
    with pytest.raises(SettingsError, match="SECRET_KEY is not set"):
        load(tmp_path, **parts)
    with pytest.raises(SettingsError, match="too short"):
        load(tmp_path, **parts, SECRET_KEY="dev")
    settings = load(tmp_path, **parts, SECRET_KEY="k" * 32)
    assert settings.DATABASE_URL == "postgresql+psycopg2://db/x"
    assert not (tmp_path / "secret_key").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://db/x"}, "REDIS_URL is not set"),
        ({"REDIS_URL": "redis://cache"}, "DATABASE_URL is not set"),
        ({"MAX_UPLOAD_BYTES": "lots"}, "MAX_UPLOAD_BYTES must be a number"),
        ({"MAIL_USE_TLS": "perhaps"}, "MAIL_USE_TLS must be 1 or 0"),
        ({"PUBLIC_URL": "films.example.org"}, "PUBLIC_URL must be an address"),
        ({"PUBLIC_URL": "https://x.org/films"}, "without a path"),
        ({"CORS_ORIGINS": "https://a.org,*"}, "CORS_ORIGINS must be an address"),
        ({"MAIL_LINK_RESET": "https://a.org/reset"}, "{uid} and {token}"),
        ({"WORKERS": "-1"}, "WORKERS must not be negative"),
        ({"STORAGE": "s3"}, "S3_BUCKET is not set"),
        ({"STORAGE": "disk"}, "STORAGE must be local or s3"),
        ({"S3_BUCKET": "films", "S3_ACCESS_KEY": "a"}, "S3_SECRET_KEY is not set"),
        ({"S3_DELIVERY": "fax"}, "S3_DELIVERY must be redirect, proxy or nginx"),
        ({"NORMALISE_LUFS": "-3"}, "NORMALISE_LUFS must be a loudness"),
        ({"WORKER_NICE": "-5"}, "WORKER_NICE must be a number from 0 to 19"),
        ({"LOG_LEVEL": "chatty"}, "LOG_LEVEL must be"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    tmp_path: Path, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence.replace("{", r"\{")):
        load(tmp_path, **given)


def test_a_wrong_secret_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, SECRET_KEY="hunter2")
    assert "hunter2" not in str(caught.value)


def test_an_unknown_name_in_the_file_is_named_with_the_likely_one(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("MAX_UPLOAD_BYTE=5G\n")
    with pytest.raises(SettingsError, match="Did you mean MAX_UPLOAD_BYTES"):
        Settings.load({"DATA_DIR": str(tmp_path)}, env_file)
    env_file.write_text('MAX_UPLOAD_BYTES=5G\nMAIL_SENDER="A <a@b.org>"\n')
    settings = Settings.load({"DATA_DIR": str(tmp_path), "MAX_UPLOAD_BYTES": "1k"}, env_file)
    assert settings.MAX_UPLOAD_BYTES == 1000  # the environment wins
    assert settings.MAIL_SENDER == "A <a@b.org>"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="Choose a folder"):
        load(tmp_path / "file" / "data")


def test_the_socket_of_a_deep_folder_is_short_and_always_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 40)
    socket = embedded_redis_socket(deep)
    assert len(bytes(socket)) <= SUN_PATH_MAX
    assert socket == embedded_redis_socket(deep)
    assert socket != embedded_redis_socket(tmp_path / ("else" * 40))


def test_every_setting_is_explained_where_users_look() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for field in dataclasses.fields(Settings):
        assert f"| `{field.name}` |" in page, field.name
        assert field.metadata["meaning"] in page, field.name
