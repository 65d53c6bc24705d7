"""Who is asking, as other packages use it."""

from __future__ import annotations

import pytest
from apiflask import APIFlask
from flask import request
from flask_login import current_user

from app.auth import identity
from app.auth.models import Role
from app.errors import Forbidden, NotSignedIn
from bench.statements import statements

from .conftest import Add, log_in


def context(app: APIFlask, token: str | None):  # type: ignore[no-untyped-def]
    headers = {"Cookie": f"access_token={token}"} if token else {}
    return app.test_request_context("/", headers=headers)


@pytest.fixture
def token(app: APIFlask, add: Add):  # type: ignore[no-untyped-def]
    def of(**how: object) -> str:
        add(**how)
        browser = app.test_client()
        log_in(browser)
        cookie = browser.get_cookie("access_token")
        assert cookie is not None
        return cookie.value

    return of


def test_nobody(app: APIFlask) -> None:
    with context(app, None):
        assert identity.current_user_or_none() is None
        assert identity.current_session_id() is None
        assert not current_user.is_authenticated
        for wanted in (identity.require_user, identity.require_verified):
            with pytest.raises(NotSignedIn):
                wanted()
        with pytest.raises(NotSignedIn):
            identity.require_role(Role.MEMBER)


@pytest.mark.parametrize("has", list(Role))
@pytest.mark.parametrize("needs", list(Role))
def test_a_role_includes_those_below(app: APIFlask, token, has: Role, needs: Role) -> None:  # type: ignore[no-untyped-def]
    with context(app, token(role=has)):
        if list(Role).index(has) >= list(Role).index(needs):
            assert identity.require_role(needs).role == has
        else:
            with pytest.raises(Forbidden):
                identity.require_role(needs)


def test_flask_login_knows_the_same_person(app: APIFlask, token) -> None:  # type: ignore[no-untyped-def]
    with context(app, token()):
        user = identity.require_verified()
        assert current_user.id == user.id
        assert identity.current_session_id() == 1
        assert request.environ["videoflix.identity"].credential == "access"


def test_identity_costs_one_query(app: APIFlask, token) -> None:  # type: ignore[no-untyped-def]
    value = token()
    with context(app, value), statements(app, "SELECT") as said:
        identity.require_role(Role.MEMBER)
        identity.current_user_or_none()
        assert current_user.is_authenticated
    assert len(said) == 1, said
