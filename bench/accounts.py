"""`accounts`: what signing in costs, whether its time tells who has an account, and what it costs
every later request to know who is asking.

Sign-ins are measured on a site, over HTTP, in turns with the bare check of a password in this
process: the rest is ours. What the identity costs is measured inside an application in this
process, as requests with the lookup and without it, in turns.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from unittest import mock

from apiflask import APIFlask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.auth import identity, passwords
from app.auth.identity import Credential, Identity
from app.auth.models import Session, User
from app.database import db
from bench.catalogue import FILMS, full_catalogue
from bench.client import Refused
from bench.report import Figure, spread
from bench.site import EMAIL, PASSWORD, Site, running_site
from bench.statements import statements

UNLIMITED = {
    "LIMIT_LOGIN_ACCOUNT": "1000000 per minute",
    "LIMIT_LOGIN_ADDRESS": "1000000 per minute",
    "LIMIT_MAIL_ACCOUNT": "1000000 per minute",
    "LIMIT_MAIL_ADDRESS": "1000000 per minute",
    "LIMIT_API": "100000000 per minute",
}
"""Every request is counted, as always, and none is refused."""

WARM_UP = 8
"""Requests before a measurement, so that both web processes have most likely answered some."""
SIGN_INS = 60
CORES = len(os.sched_getaffinity(0))
CLIENTS = 2 * CORES
ROUNDS = 5
SIGN_INS_PER_CLIENT = 10
"""In each of ROUNDS, with CLIENTS at a time."""
PAIRS = 120
WRONG_PASSWORD = "neither-measured-nor-noted"  # noqa: S105 - it opens nothing
UNKNOWN_EMAIL = "nobody@videoflix.example"

CATALOGUE = "/api/global-videos/"
REQUESTS = 1000
"""Of each kind."""
IDENTITY_GOAL = 1.0
"""Milliseconds."""
STATEMENTS_GOAL = 1.0


@dataclass
class Times:
    """Milliseconds that the same work took, time after time.

    Where the processors are shared with other work, the processor time of this process says more.
    """

    wall: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], None]) -> None:
        """Do the work once."""
        before = time.process_time()
        self.wall.append(_milliseconds(work))
        self.own.append(1000 * (time.process_time() - before))


def measure() -> Iterator[Figure]:
    """Signing in alone and in a crowd, refusals of both kinds, and the lookup of the identity."""
    with running_site(workers=0, settings=UNLIMITED) as site:
        for _ in range(WARM_UP):
            _sign_in(site)
        yield from _alone(site)
        yield from _crowd(site)
        yield from _refusals(site)
        with full_catalogue(site, UNLIMITED) as app:
            yield from _identity(app)


def _alone(site: Site) -> Iterator[Figure]:
    """One client after another, in turns with the bare check."""
    password_hash = passwords.hash_password(PASSWORD)
    cost = password_hash.split("$")[3]
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(SIGN_INS):
        ours.append(_milliseconds(partial(_sign_in, site)))
        bare.append(_milliseconds(partial(_check, password_hash)))
    runs = {"sign-in ms": ours, "argon2 ms": bare}
    yield Figure("accounts", "sign-in, p50", median(ours), "ms", None, _around(ours), runs)
    yield Figure(
        "accounts",
        "sign-in ÷ a bare argon2 check",
        median(ours) / median(bare),
        "x",
        None,
        f"{median(ours):.1f} ms ÷ {median(bare):.1f} ms, {cost}",
        runs,
    )


def _crowd(site: Site) -> Iterator[Figure]:
    """CLIENTS at once, in turns with as many threads that do the bare check."""
    password_hash = passwords.hash_password(PASSWORD)
    ours: list[float] = []
    bare: list[float] = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(ROUNDS):
            ours.append(_rate(pool, partial(_sign_in, site)))
            bare.append(_rate(pool, partial(_check, password_hash)))
    runs = {"sign-ins per second": ours, "argon2 checks per second": bare}
    what = f"sign-ins with {CLIENTS} clients at once"
    yield Figure("accounts", what, median(ours), "/s", None, spread(ours, 1), runs)
    yield Figure(
        "accounts",
        f"{what} ÷ bare argon2 checks",
        median(ours) / median(bare),
        "x",
        None,
        f"{median(ours):.1f}/s ÷ {median(bare):.1f}/s, medians of {ROUNDS}",
        runs,
    )


def _refusals(site: Site) -> Iterator[Figure]:
    """A wrong password for a known address, and the same for an unknown one, in turns."""
    known: list[float] = []
    unknown: list[float] = []
    cases = [(EMAIL, known), (UNKNOWN_EMAIL, unknown)]
    for _ in range(WARM_UP):
        for email, _times in cases:
            _be_refused(site, email)
    for _ in range(PAIRS):
        for email, times in cases:
            times.append(_milliseconds(partial(_be_refused, site, email)))
        cases.reverse()  # neither is always the second
    slower = sum(one > other for one, other in zip(unknown, known, strict=True))
    runs = {"known ms": known, "unknown ms": unknown}
    for name, times in (("known address, wrong password", known), ("unknown address", unknown)):
        what = f"refused sign-in, {name}, p50"
        yield Figure("accounts", what, median(times), "ms", None, _around(times), runs)
    yield Figure(
        "accounts",
        "refused sign-in, unknown ÷ known address",
        median(unknown) / median(known),
        "x",
        None,
        f"p10 {_percentile(unknown, 10):.1f} ÷ {_percentile(known, 10):.1f} ms, "
        f"p90 {_percentile(unknown, 90):.1f} ÷ {_percentile(known, 90):.1f} ms, "
        f"unknown slower in {slower} of {PAIRS} pairs; should be 1 and half of them",
        runs,
    )


def _identity(app: APIFlask) -> Iterator[Figure]:
    """The catalogue, asked for with the lookup and without it, and the statements of each."""
    client = app.test_client()
    answer = client.post("/api/login/", json={"email": EMAIL, "password": PASSWORD})
    if answer.status_code != 200:
        raise RuntimeError(f"the sign-in failed: {answer.text}")
    known = _known_identity(app)

    def find_known() -> Identity:
        return known

    no_lookup = mock.patch.object(identity, "_find", find_known)
    with_lookup, without = Times(), Times()
    cases: list[tuple[Times, AbstractContextManager[object]]]
    cases = [(with_lookup, contextlib.nullcontext()), (without, no_lookup)]
    for _ in range(WARM_UP):
        _ask(client)
    for _ in range(REQUESTS):
        for times, circumstance in cases:
            with circumstance:
                times.take(partial(_ask, client))
        cases.reverse()
    with statements(app) as all_statements:
        _ask(client)
    with statements(app) as other_statements, no_lookup:
        _ask(client)

    what = f"GET {CATALOGUE}, {FILMS} films"
    for name, times in ((what, with_lookup), (f"{what}, identity known beforehand", without)):
        note = _around(times.wall)
        runs = {"ms": times.wall, "own CPU ms": times.own}
        yield Figure("accounts", f"{name}, p50", median(times.wall), "ms", None, note, runs)
    yield Figure(
        "accounts",
        "identity in a request",
        _difference(with_lookup.wall, without.wall),
        "ms",
        IDENTITY_GOAL,
        f"own CPU {_difference(with_lookup.own, without.own):.2f} ms; p50 of the differences of "
        f"{REQUESTS} pairs",
    )
    yield Figure(
        "accounts",
        "identity in a request",
        len(all_statements) - len(other_statements),
        "statements",
        STATEMENTS_GOAL,
        f"{len(all_statements)} - {len(other_statements)}, BEGIN included",
    )


def _sign_in(site: Site) -> None:
    """As a person who has just come: with a connection of their own and without cookies."""
    with contextlib.closing(site.stranger()) as client:
        client.sign_in(EMAIL, PASSWORD)


def _be_refused(site: Site, email: str) -> None:
    with contextlib.closing(site.stranger()) as client:
        try:
            client.sign_in(email, WRONG_PASSWORD)
        except Refused as refusal:
            if refusal.status == 401:
                return
            raise
    raise RuntimeError(f"{email} was let in with a wrong password")


def _check(password_hash: str) -> None:
    if not passwords.verify(password_hash, PASSWORD):
        raise RuntimeError("the right password was refused")


def _ask(client: FlaskClient) -> None:
    answer = client.get(CATALOGUE)
    if answer.status_code != 200:
        raise RuntimeError(f"GET {CATALOGUE}: {answer.status_code} {answer.text[:500]}")


def _known_identity(app: APIFlask) -> Identity:
    """The identity of the one who has signed in, loaded, and of no database session any more."""
    with app.app_context():
        row, user = db.session.execute(
            select(Session, User).join(User, User.id == Session.user_id)
        ).one()
        db.session.expunge_all()
        return Identity(user, row, Credential.ACCESS)


def _rate(pool: ThreadPoolExecutor, work: Callable[[], None]) -> float:
    """How often per second CLIENTS at once get the work done."""

    def repeat(_client: int) -> None:
        for _ in range(SIGN_INS_PER_CLIENT):
            work()

    began = time.perf_counter()
    list(pool.map(repeat, range(CLIENTS)))
    return CLIENTS * SIGN_INS_PER_CLIENT / (time.perf_counter() - began)


def _milliseconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _difference(some: list[float], others: list[float]) -> float:
    """How much more some are than the others that were measured right before or after them."""
    return median(one - other for one, other in zip(some, others, strict=True))


def _percentile(values: list[float], share: int) -> float:
    return sorted(values)[round(share / 100 * (len(values) - 1))]


def _around(values: list[float]) -> str:
    """Where most of the measurements lie."""
    low, high = _percentile(values, 10), _percentile(values, 90)
    return f"p10 {low:.1f}, p90 {high:.1f} of {len(values)}"
