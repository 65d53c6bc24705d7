"""Facts as JSON and back: how the prober tells them, read by someone who does not trust it.

Only what the dataclasses of `facts.py` declare is taken, each value of exactly its type, so that an
answer can be wrong but cannot be anything else than numbers and text. Pickle would run code.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from array import array
from base64 import b64decode, b64encode
from fractions import Fraction
from typing import Any

from app.media.errors import MediaError
from app.media.facts import SourceFacts


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What a MediaError says."""

    code: str
    stage: str
    message: str
    hint: str
    permanent: bool
    log: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came of probing: the facts, or why there are none."""

    facts: SourceFacts | None = None
    refusal: Refusal | None = None


def told(facts: SourceFacts) -> str:
    """The JSON text of facts."""
    return json.dumps(_plain(Answer(facts=facts)))


def refused(error: MediaError) -> str:
    """The JSON text of an error."""
    said = {field.name: getattr(error, field.name) for field in dataclasses.fields(Refusal)}
    return json.dumps(_plain(Answer(refusal=Refusal(**said))))


def understand(text: bytes) -> SourceFacts:
    """The facts in a JSON text; raises the MediaError that is told instead of them, and
    ValueError for a text that is neither."""
    try:
        answer = _read(Answer, json.loads(text))
    except (RecursionError, TypeError) as error:
        raise ValueError(f"not an answer: {error}") from error
    if answer.refusal is not None:
        said = dataclasses.asdict(answer.refusal)
        raise MediaError(said.pop("code"), **said)
    if answer.facts is None:
        raise ValueError("neither facts nor a refusal")
    facts: SourceFacts = answer.facts
    return facts


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Fraction):
        return [value.numerator, value.denominator]
    if isinstance(value, array):
        return b64encode(value.tobytes()).decode()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, tuple):
        if {*map(type, value)} == {int}:
            return value
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    return value


def _read(kind: Any, value: Any) -> Any:
    """``value`` as ``kind``, a type as the dataclasses name it; raises ValueError."""
    if kind in {int, str, bool} and type(value) is kind:
        return value
    if kind is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return None if value is None else _read(inner[0], value)
    if origin is tuple and isinstance(value, list):
        if inner == (int, ...) and {*map(type, value)} == {int}:  # a key frame each: millions
            return tuple(value)
        kinds = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return tuple(_read(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is dict and isinstance(value, list):
        return {_read(inner[0], key): _read(inner[1], item) for key, item in value}
    if origin is list and isinstance(value, str):
        numbers = array("q")
        numbers.frombytes(b64decode(value, validate=True))
        return numbers
    if kind is bytes and isinstance(value, str):
        return b64decode(value, validate=True)
    if kind is Fraction and isinstance(value, list):
        over, under = value
        if type(over) is type(under) is int and under > 0:
            return Fraction(over, under)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, dict):
        fields = _fields(kind)
        if value.keys() == fields.keys():
            return kind(**{name: _read(fields[name], item) for name, item in value.items()})
    raise ValueError(f"not {kind}")


@functools.cache
def _fields(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields by name; an array, which Python 3.11 cannot subscript,
    reads as a list."""
    hints = typing.get_type_hints(kind, localns={"array": list})
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
