"""`/api/docs/`: the API's description as a page of our own, without scripts from anywhere."""

from __future__ import annotations

from typing import Any, cast

from apiflask import APIFlask
from flask import Blueprint, current_app, render_template

docs = Blueprint("apidocs", __name__)

_METHODS = ("get", "post", "put", "patch", "delete")


def init_apidocs(app: APIFlask) -> None:
    """Register the page."""
    app.register_blueprint(docs)


@docs.get("/api/docs/")
def page() -> str:
    """Every operation with what it takes and gives, by tag."""
    spec = cast("dict[str, Any]", cast("APIFlask", current_app).spec)
    components = spec.get("components", {})
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, item in spec["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                tag = next(iter(operation.get("tags", [])), "Other")
                groups.setdefault(tag, []).append(_describe(method, path, operation, components))
    return render_template("apidocs.html", groups=groups)


def _describe(
    method: str, path: str, operation: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    schemas = components.get("schemas", {})
    answers = {
        status: components["responses"][answer["$ref"].rsplit("/", 1)[-1]]
        if "$ref" in answer
        else answer
        for status, answer in sorted(operation.get("responses", {}).items())
    }
    body = operation.get("requestBody", {}).get("content", {})
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation.get("description") or operation.get("summary", ""),
        "takes": [_fields(content.get("schema", {}), schemas) for content in body.values()],
        "answers": [
            {
                "status": status,
                "what": answer.get("description", ""),
                "gives": [
                    _fields(content.get("schema", {}), schemas)
                    for kind, content in answer.get("content", {}).items()
                    if kind == "application/json"
                ],
            }
            for status, answer in answers.items()
        ],
    }


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, str]]:
    """The fields of an object, or of the objects of a list, as name, type and meaning."""
    if schema.get("type") == "array":
        schema = schema.get("items", {})
    if "$ref" in schema:
        schema = schemas.get(schema["$ref"].rsplit("/", 1)[-1], {})
    needed = set(schema.get("required", []))
    return [
        {
            "name": name,
            "type": _type(facts) + ("" if name in needed else "?"),
            "meaning": facts.get("description", ""),
        }
        for name, facts in schema.get("properties", {}).items()
    ]


def _type(facts: dict[str, Any]) -> str:
    if "anyOf" in facts:
        return " or ".join(_type(one) for one in facts["anyOf"])
    if "$ref" in facts:
        return str(facts["$ref"].rsplit("/", 1)[-1])
    if facts.get("type") == "array":
        return f"list of {_type(facts.get('items', {}))}"
    return str(facts.get("type", "any"))
