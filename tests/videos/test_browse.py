"""What one sees every evening: the rows of /browse, a category, a film, a series."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import db
from app.formatting import remaining
from app.videos import categories, series
from app.videos.models import Video
from app.videos.shelves import FILLED_ROWS, ROW_LENGTH
from bench.statements import statements
from tests.conftest import make_user, sign_in
from tests.videos.test_lists import add_films


class Rows(HTMLParser):
    """The rows of a page: heading → titles of their cards, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self.waiting: list[str] = []
        self._in = ""
        self._heading = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section" and "data-row-fill" in given:
            self.waiting.append(str(given["data-row-fill"]))
        if tag == "h2" and str(given.get("id", "")).startswith("row-"):
            self._in, self._heading = "h2", ""
        elif tag == "span" and given.get("class") == "card-title":
            self._in = "title"
            self.rows[self._heading].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "h2" and self._in == "h2":
            self.rows[self._heading] = []
        if tag in {"h2", "span"}:
            self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "h2":
            self._heading = (self._heading + data).strip()
        elif self._in == "title":
            self.rows[self._heading][-1] += data


def rows(client: FlaskClient, path: str = "/browse") -> dict[str, list[str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    return Rows(answer.text).rows


def titles(page: str) -> list[str]:
    """The titles of all cards of a page, in order."""
    return re.findall(r'class="card-title">([^<]+)<', page)


def press(client: FlaskClient, page: str, path: str, **fields: str) -> Any:
    """Press a button of a page's form, as a browser without scripts does."""
    text = client.get(page).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert token
    return client.post(path, data={"csrf_token": token[1], **fields})


def place(app: APIFlask, films: list[int], **facts: Any) -> None:
    with app.app_context():
        for number, film in enumerate(films, 1):
            video = db.session.get_one(Video, film)
            for name, value in facts.items():
                setattr(video, name, value(number) if callable(value) else value)
        db.session.commit()


def test_the_rows_of_an_evening(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    nature = add_films(app, member, 3, is_global=True, category="Nature", duration=600.0)
    city = add_films(app, member, 2, is_global=True, category="City")
    private = add_films(app, member, 1)
    place(app, nature, title=lambda number: f"Nature {number}")
    place(app, city, title=lambda number: f"City {number}")
    place(app, private, title="Mine alone")
    signed_in.put(f"/api/videos/{nature[0]}/progress/", json={"position": 60})
    signed_in.put(f"/api/videos/{nature[1]}/progress/", json={"position": 120})
    signed_in.put(f"/api/videos/{nature[2]}/progress/", json={"position": 599})
    signed_in.put(f"/api/my-list/{city[0]}/")
    assert list(rows(signed_in).items()) == [
        ("Continue watching", ["Nature 2", "Nature 1"]),
        ("My list", ["City 1"]),
        ("New", ["City 2", "City 1", "Nature 3", "Nature 2", "Nature 1"]),
        ("City", ["City 2", "City 1"]),
        ("Nature", ["Nature 3", "Nature 2", "Nature 1"]),
        ("Yours", ["Mine alone"]),
    ]
    page = signed_in.get("/browse").text
    assert "9 min left" in page
    assert "Watched" in page
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    assert list(rows(other)) == ["New", "City", "Nature"]
    assert "Watched" not in other.get("/browse").text


def test_curators_order_the_page(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    films = add_films(app, member, 4, is_global=True, category="Nature", has_images=True)
    add_films(app, member, 1, is_global=True, category="City")
    assert 'aria-label="Tonight: Film 3"' in signed_in.get("/browse").text
    place(app, [films[1], films[2]], place=lambda number: number)
    with app.app_context():
        categories.arrange(["Nature"])
        db.session.commit()
    shown = rows(signed_in)
    assert [heading for heading in shown if heading != "New"] == ["Nature", "City"]
    assert shown["Nature"] == ["Film 1", "Film 2", "Film 3", "Film 0"]
    assert 'aria-label="Tonight: Film 1"' in signed_in.get("/browse").text


def test_rows_further_down_are_fetched_later(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    names = [f"Category {number} / {chr(65 + number)} & co" for number in range(6)]
    for name in names:
        add_films(app, member, ROW_LENGTH + 2, is_global=True, category=name)
    page = Rows(signed_in.get("/browse").text)
    assert [len(page.rows[name]) for name in names] == [ROW_LENGTH] * FILLED_ROWS + [0] * 4
    assert len(page.waiting) == 4
    part = signed_in.get(page.waiting[-1])
    assert part.text.count("<article") == ROW_LENGTH
    assert "<html" not in part.text
    assert signed_in.get("/browse/row?category=Nobody").status_code == 404
    href = re.findall(r'href="(/browse/category/[^"]+)"', signed_in.get("/browse").text)[-1]
    assert "<h1>Category 5 / F &amp; co</h1>" in signed_in.get(unescape(href)).text


@pytest.mark.parametrize(
    ("path", "empty"),
    [("/my-list", "Nothing on your list"), ("/continue-watching", "Nothing to go on with")],
)
def test_a_heading_of_ones_own_leads_to_all_of_its_films_page_by_page(
    app: APIFlask,
    signed_in: FlaskClient,
    member: int,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    empty: str,
) -> None:
    monkeypatch.setattr(import_module("app.videos.pages.catalogue"), "GRID_LENGTH", 2)
    assert empty in signed_in.get(path).text
    films = add_films(app, member, 3, is_global=True, duration=600.0)
    for film in films:
        signed_in.put(f"/api/my-list/{film}/")
        signed_in.put(f"/api/videos/{film}/progress/", json={"position": 60})
    assert f'href="{path}"' in signed_in.get("/browse").text
    first = signed_in.get(path).text
    assert titles(first) == ["Film 2", "Film 1"]
    older = re.search(rf'href="({path}\?before=[^"]+)"', first)
    assert older
    assert titles(signed_in.get(unescape(older[1])).text) == ["Film 0"]
    leave = {"/my-list": "keep", "/continue-watching": "leave"}[path]
    press(signed_in, path, f"/videos/{films[2]}/{leave}", keep="no")
    assert titles(signed_in.get(path).text) == ["Film 1", "Film 0"]
    make_user(app, "other@example.org")
    assert empty in sign_in(app.test_client(), "other@example.org").get(path).text
    assert signed_in.get(f"{path}?before=x").status_code == 400


def test_the_page_takes_the_same_few_statements_however_many_films(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    counts = []
    for number in range(2):
        for category in range(8 * number + 1):
            add_films(app, member, 3, is_global=True, category=f"{number} {category}")
        add_films(app, member, 5 * number + 1)
        for film in add_films(app, member, 2, duration=100.0, is_global=True):
            signed_in.put(f"/api/videos/{film}/progress/", json={"position": 10})
            signed_in.put(f"/api/my-list/{film}/")
        signed_in.get("/browse")
        with app.app_context():
            app.extensions["redis"].delete(
                *app.extensions["redis"].keys("videoflix:cache:catalogue:front")
            )
        for _ in range(2):
            with statements(app, "SELECT") as made:
                signed_in.get("/browse")
            counts.append(len(made))
    assert counts[:2] == counts[2:]
    assert counts[0] <= 11
    assert counts[1] <= 6


def test_a_category_goes_on_page_by_page(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    add_films(app, member, 130, is_global=True, category="Nature")
    seen: list[str] = []
    path: str | None = "/browse/category/Nature"
    while path:
        text = signed_in.get(path).text
        seen += re.findall(r'class="card-title">([^<]+)<', text)
        more = re.search(r'href="(/browse/category/Nature\?before=\d+)"', text)
        path = more[1] if more else None
    assert seen == [f"Film {number}" for number in reversed(range(130))]
    assert signed_in.get("/browse/category/Nature?before=x").status_code == 400
    assert signed_in.get("/browse/category/Nobody").status_code == 404


def test_buttons_work_without_a_script(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    (film,) = add_films(app, member, 1, is_global=True, duration=600.0)
    signed_in.put(f"/api/videos/{film}/progress/", json={"position": 60})
    page = f"/videos/{film}"
    kept = press(signed_in, page, f"{page}/keep", keep="yes", next=page)
    assert (kept.status_code, kept.location) == (303, page)
    assert rows(signed_in)["My list"] == ["Film 0"]
    press(signed_in, page, f"{page}/keep", keep="no")
    left = press(signed_in, "/browse", f"{page}/leave", next="https://elsewhere.example/")
    assert left.location == "/browse"
    assert "no longer among the films to go on with" in signed_in.get("/browse").text
    assert list(rows(signed_in)) == ["New"]
    press(signed_in, page, f"{page}/watched", watched="yes")
    assert signed_in.get(f"/api/videos/{film}/").json["watched"]
    press(signed_in, page, f"{page}/watched", watched="no")
    assert not signed_in.get(f"/api/videos/{film}/").json["watched"]
    assert signed_in.post(f"{page}/keep", data={"keep": "yes"}).status_code == 400


def test_a_film_page_resumes_shares_and_publishes(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    (film,) = add_films(app, member, 1, duration=3600.0, category="Nature", year=1999)
    page = f"/videos/{film}"
    text = signed_in.get(page).text
    assert "From the beginning" not in text
    assert "Put into the catalogue" not in text
    signed_in.put(f"/api{page}/progress/", json={"position": 754})
    text = signed_in.get(page).text
    assert "Resume at 12:34" in text
    assert "<span>1999</span>" in text
    assert f'href="/watch/{film}?from=start"' in text

    press(signed_in, page, f"{page}/share")
    link = signed_in.get(f"/api{page}/").json["share_url"]
    assert link in signed_in.get(page).text
    press(signed_in, page, f"{page}/unshare")
    assert link not in signed_in.get(page).text

    assert press(signed_in, page, f"{page}/publish").status_code == 403
    make_user(app, "boss@example.org", role="admin")
    boss = sign_in(app.test_client(), "boss@example.org")
    text = boss.get(page).text
    assert "Put into the catalogue" in text
    assert "Make a link" not in text
    press(boss, page, f"{page}/publish")
    assert rows(signed_in)["New"] == ["Film 0"]
    press(boss, page, f"{page}/withdraw")
    assert list(rows(signed_in)) == ["Continue watching", "Yours"]


def test_a_curator_who_withdraws_anothers_film_goes_to_browse(
    app: APIFlask, member: int, client: FlaskClient
) -> None:
    (film,) = add_films(app, member, 1, is_global=True)
    make_user(app, "curator@example.org", role="curator")
    sign_in(client, "curator@example.org")
    answer = press(client, f"/videos/{film}", f"/videos/{film}/withdraw")
    assert answer.location == "/browse"
    assert "out of the catalogue" in client.get("/browse").text


def test_more_like_this(app: APIFlask, signed_in: FlaskClient, member: int) -> None:
    films = add_films(app, member, 4, is_global=True, category="Nature", duration=100.0)
    add_films(app, member, 1, is_global=True, category="City")
    make_user(app, "other@example.org")
    with app.app_context():
        stranger = make_user(app, "third@example.org")
    add_films(app, stranger, 1, category="Nature")
    signed_in.put(f"/api/videos/{films[3]}/watched/")
    page = f"/videos/{films[2]}"
    assert rows(signed_in, page)["More like this"] == ["Film 1", "Film 0", "Film 3"]


def test_a_series_shows_its_seasons_and_what_comes_next(
    app: APIFlask, signed_in: FlaskClient, member: int
) -> None:
    make_user(app, "other@example.org")
    other = sign_in(app.test_client(), "other@example.org")
    films = add_films(app, member, 5, is_global=True, duration=100.0)
    with app.app_context():
        places = [(1, 1), (1, 2), (2, 1), (0, 1), (None, None)]
        for film, (season, episode) in zip(films, places, strict=True):
            series.assign(db.session.get_one(Video, film), "The Lighthouse", season, episode)
        db.session.get_one(Video, films[2]).is_global = False
        db.session.commit()
        number = db.session.get_one(Video, films[0]).series_id
    page = f"/series/{number}"
    assert "Play S1 E1" in signed_in.get(page).text
    signed_in.put(f"/api/videos/{films[0]}/watched/")
    signed_in.put(f"/api/videos/{films[1]}/progress/", json={"position": 40})
    text = signed_in.get(page).text
    assert "Resume S1 E2" in text
    assert re.findall(r'href="\?season=(\w+)#episodes"', text) == ["0", "1", "2", "more"]
    assert re.findall(r'href="/watch/(\d+)"', text)[1:] == [str(films[0]), str(films[1])]
    assert text.count("Watched") == 1
    assert f'href="/watch/{films[3]}"' in signed_in.get(f"{page}?season=0").text
    assert f'href="/watch/{films[4]}"' in signed_in.get(f"{page}?season=more").text
    assert signed_in.get(f"{page}?season=nonsense").status_code == 200
    signed_in.put(f"/api/videos/{films[1]}/watched/")
    assert "Play S2 E1" in signed_in.get(page).text  # before the specials

    assert "season=2" not in other.get(page).text
    assert other.get("/series/99").status_code == 404
    film = signed_in.get(f"/videos/{films[0]}").text
    assert f'href="{page}"' in film
    assert "This episode" in film


@pytest.mark.parametrize(
    ("seconds", "position", "words"),
    [
        (None, 0.0, ""),
        (600.0, 590.0, "less than a minute left"),
        (600.0, 700.0, "less than a minute left"),
        (1320.0, 600.0, "12 min left"),
        (7200.0, 0.0, "2 h left"),
        (7260.0, 3360.0, "1 h 5 min left"),
    ],
)
def test_what_is_left_in_words(seconds: float | None, position: float, words: str) -> None:
    assert remaining(seconds, position) == words
