from __future__ import annotations

import pytest

from app.media.playlists import average_bit_rate, peak_bit_rate


def test_the_peak_is_that_of_the_heaviest_run_of_segments() -> None:
    even = [(1000, 4.0), (3000, 4.0), (1000, 4.0)]
    assert peak_bit_rate(even) == pytest.approx(6000)
    assert average_bit_rate(even) == pytest.approx(40_000 / 12)


def test_a_tiny_last_segment_counts_with_the_one_before() -> None:
    tail = [(1000, 4.0), (1000, 0.04)]
    assert peak_bit_rate(tail) == pytest.approx(max(2000, 8 * 2000 / 4.04))
    assert peak_bit_rate([(1000, 0.04)]) == pytest.approx(200_000)


def test_nothing_at_all() -> None:
    assert (peak_bit_rate([]), average_bit_rate([])) == (0.0, 0.0)
