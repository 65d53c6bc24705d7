"""JSON request bodies: typed, documented, refused in plain sentences.

A body that is not declared as JSON is 415, one that is not JSON is 400 `bad_request`, one with
wrong fields is 400 `invalid_input` with a sentence for each. Unknown fields are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any, Self

from apiflask import APIBlueprint
from flask import request
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidationError,
)
from pydantic import model_validator as pydantic_model_validator
from pydantic_core import PydanticCustomError

from app.errors import DomainError, InvalidInput

View = Callable[..., Any]

_WORDS = {
    "missing": "This field is needed.",
    "string_type": "This must be text.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": "Please fill this in.",
    "string_unicode": "This must be text.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "bool_type": "This must be true or false.",
    "float_type": "This must be a number.",
    "greater_than_equal": "This must be {ge} or more.",
    "less_than_equal": "This must be {le} or less.",
    "too_long": "Name at most {max_length}.",
    "list_type": "This must be a list.",
    "finite_number": "This must be a number.",
    "literal_error": "This must be {expected}.",
}


def _storable(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("string_nul", "This must not contain a zero character")
    return text


STORABLE = AfterValidator(_storable)
"""Text that any database can keep: PostgreSQL has no way to store U+0000. Name it last."""


def _as_utc(given: Any) -> datetime:
    """A moment in UTC, of a text with a date, a time and an offset."""
    try:
        if _RFC3339.fullmatch(given):
            return datetime.fromisoformat(given.upper()).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise PydanticCustomError(
        "moment", "This must be a time with its zone, such as 2026-05-01T20:15:00Z"
    )


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

Moment = Annotated[datetime, PlainValidator(_as_utc, json_schema_input_type=datetime)]
"""A moment as RFC 3339 writes it."""


class UnsupportedMediaType(DomainError):
    """The body is of a kind that this address does not take."""

    status = 415
    code = "unsupported_media_type"


class JsonBody(BaseModel):
    """Base of every request body: its errors are ours, with a plain sentence per field."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @pydantic_model_validator(mode="wrap")
    @classmethod
    def _in_plain_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidInput(field_errors(error)) from None


def field_errors(error: ValidationError) -> dict[str, list[str]]:
    """What is wrong with each field, in plain sentences."""
    errors: dict[str, list[str]] = {}
    for found in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, found["loc"]))
        words = _WORDS.get(found["type"], found["msg"] + ".").format(**found.get("ctx", {}))
        errors.setdefault(name, []).append(words)
    return errors


def read_json() -> dict[str, Any]:
    """The request's JSON object. Raises DomainError, and BadRequest for what is no JSON."""
    try:
        body = request.get_json()
    except RecursionError:
        raise DomainError("This JSON is nested too deeply.") from None
    if not isinstance(body, dict):
        raise DomainError("Send a JSON object.")
    return body


def json_body(blueprint: APIBlueprint, model: type[JsonBody]) -> Callable[[View], View]:
    """Give the view a checked `body` of this model, and the API's description the model."""

    def decorate(view: View) -> View:
        checked: View = blueprint.input(model, arg_name="body")(view)

        @wraps(checked)
        def with_json(*args: Any, **kwargs: Any) -> Any:
            if not request.is_json:
                raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
            read_json()
            return checked(*args, **kwargs)

        return with_json

    return decorate
