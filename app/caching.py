"""What may be forgotten at any time, kept in the application's Redis by Flask-Caching.

Values are JSON: who can write to Redis must not make this process run code. With Redis away nothing
is found and nothing is kept, and the caller goes to the source.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from cachelib.serializers import RedisSerializer
from flask import Flask
from flask_caching import Cache
from flask_caching.backends import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

T = TypeVar("T")

PREFIX = "videoflix:cache:"

REST_SECONDS = 2.0
"""So long Redis is left alone after it did not answer: a dead address costs seconds each time."""

cache = Cache()


class Json(RedisSerializer):
    """Texts of JSON; what is none was not written by us and is not there."""

    def dumps(self, value: Any, protocol: int = 0) -> bytes:
        """One line."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, value: bytes | None) -> Any:
        """The value, or None."""
        try:
            return None if value is None else json.loads(value)
        except ValueError:
            return None


class Forgetful(RedisCache):
    """The application's own Redis, which may be away."""

    serializer = Json()
    _silent_until = 0.0

    @classmethod
    def factory(
        cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
    ) -> Forgetful:
        """On the client that the application has, so on its URL, its sockets and its database."""
        return cls(app.extensions["redis"], key_prefix=PREFIX, **kwargs)

    def get_many(self, *keys: str) -> list[Any]:
        """The value of each, or None, in one question."""
        found = self._ask(lambda: super(Forgetful, self).get_many(*keys))
        return [None] * len(keys) if found is None else found

    def set(self, key: str, value: Any, timeout: Any = None) -> Any:
        """Keep it for `timeout` seconds; whether that worked."""
        return self._ask(lambda: super(Forgetful, self).set(key, value, timeout))

    def add(self, key: str, value: Any, timeout: Any = None) -> Any:
        """Keep it unless there is one; whether that worked."""
        return self._ask(lambda: super(Forgetful, self).add(key, value, timeout))

    def _ask(self, question: Callable[[], T]) -> T | None:
        if time.monotonic() < self._silent_until:
            return None
        try:
            answer = question()
        except (RedisError, OSError) as error:
            if not self._silent_until:
                log.warning("pages are made without a cache: %s", error)
            self._silent_until = time.monotonic() + REST_SECONDS
            return None
        if self._silent_until:
            log.info("the cache is back")
            self._silent_until = 0.0
        return answer


def init_caching(app: Flask) -> None:
    """Bind the cache to the application; opens no connection."""
    cache.init_app(app, {"CACHE_TYPE": f"{__name__}.Forgetful"})
