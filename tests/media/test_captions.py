"""Captions: read from what people have, written anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.media.captions import MAX_CUES, Cue, NotCaptions, plain, read_captions, to_webvtt

SRT = b"""1
00:00:01,000 --> 00:00:02,500
<i>Hello</i> & <b>you</b>
there --> here

2
00:01:02,000 --> 00:01:03,000
{\\an8}Above
"""


def test_srt_becomes_webvtt_with_its_slant() -> None:
    assert to_webvtt(read_captions(SRT)) == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.500\n<i>Hello</i> &amp; <b>you</b>\nthere --&gt; here\n\n"
        "00:01:02.000 --> 00:01:03.000\nAbove\n"
    )


def test_webvtt_is_read_without_its_styles_and_notes() -> None:
    vtt = (
        b"WEBVTT - title\n\nSTYLE\n::cue { background: url(http://example.org/) }\n\n"
        b"NOTE a remark\nof two lines\n\nREGION\nid:x\n\n"
        b"one\n00:01.000 --> 00:02.000 line:0 position:20%\n<v Ada>Hello <c.red>you</c>\n"
    )
    assert to_webvtt(read_captions(vtt)).splitlines()[2:] == [
        "00:00:01.000 --> 00:00:02.000",
        "Hello you",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<b onclick=alert(1)>x</b>",
        "&lt;script&gt;",
        "<<script>script>alert(1)<</script>/script>",
        "{\\i1}<script>{\\i0}",
        "a\0b\x1b[31m",
    ],
)
def test_nothing_of_the_markup_survives(text: str) -> None:
    srt = f"1\n00:00:01,000 --> 00:00:02,000\nok {text}\n"
    written = to_webvtt(read_captions(srt.encode()))
    body = written.split("\n", 3)[3]
    for tag in ("<i>", "</i>", "<b>", "</b>", "<u>", "</u>"):
        body = body.replace(tag, "")
    assert "<" not in body
    assert "\0" not in body
    assert "\x1b" not in body


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_old_encodings_are_understood(encoding: str) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nGrüße\n"
    assert read_captions(srt.encode(encoding))[0].text == "Grüße"


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\0" * 100, b"WEBVTT", b"WEBVTT\n\nfoo", b"\x1a\x45\xdf\xa3" * 9]
)
def test_what_holds_no_caption_is_refused(data: bytes) -> None:
    with pytest.raises(NotCaptions):
        read_captions(data)


def test_there_is_an_end_to_them() -> None:
    many = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\nx\n\n" for n in range(MAX_CUES + 1))
    with pytest.raises(NotCaptions, match="more than"):
        read_captions(many.encode())


def test_times_move_to_film_time() -> None:
    cues = read_captions(SRT, shift=-1.5)
    assert [(cue.start, cue.end) for cue in cues] == [(0.0, 1.0), (60.5, 61.5)]
    assert [cue.start for cue in read_captions(SRT, shift=-30)] == [32.0]


def test_a_chapters_name_is_one_safe_line() -> None:
    written = to_webvtt([Cue(0, 1, plain("One\n\n<b>two</b> --> three"))])
    assert written.endswith("One &lt;b&gt;two&lt;/b&gt; --&gt; three\n")


@pytest.mark.parametrize("name", ["subs_xss.srt", "subs_xss.vtt", "subs_bad_utf8.srt"])
def test_hostile_files_are_harmless(name: str) -> None:
    folder = os.environ.get("VIDEOFLIX_TEST_MEDIA")
    if not folder:
        pytest.skip("VIDEOFLIX_TEST_MEDIA names no folder")
    written = to_webvtt(read_captions((Path(folder) / "hostile" / name).read_bytes()))
    assert "<script" not in written
    assert "http" not in written
    assert "onerror" not in written
