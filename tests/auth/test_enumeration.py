"""An address with an account and one without take the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest
from flask.testing import FlaskClient

from .conftest import PASSWORD, Add

pytestmark = pytest.mark.usefixtures("true_hashes")

ROUNDS = 9


def spent(act: Callable[[], object]) -> float:
    """Processor time: what others do on this machine at the same time is not in it."""
    begun = time.process_time()
    act()
    return time.process_time() - begun


@pytest.mark.parametrize("call", ["login", "register", "password_reset"])
def test_known_and_unknown_take_the_same_time(client: FlaskClient, add: Add, call: str) -> None:
    add("known@example.com")
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS):
        for known in (True, False):
            body = {
                "email": "known@example.com" if known else f"new{number}@example.com",
                "password": PASSWORD if call == "register" else "a wrong guess",
                "confirmed_password": PASSWORD,
            }
            times[known].append(spent(lambda body=body: client.post(f"/api/{call}/", json=body)))
    assert 0.7 < median(times[True]) / median(times[False]) < 1.43, times
