"""Episodes as a page shows them: by season, and which one somebody would go on with.

Pure functions of films as `schemas.VideoOut`, in the order of `series.episodes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.videos.presentation import Described


@dataclass(frozen=True, slots=True)
class Season:
    """A season and its episodes; those that nobody numbered are without a season."""

    number: int | None
    episodes: list[Described] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it is called; by custom season 0 holds the specials."""
        if self.number is None:
            return "More episodes"
        return f"Season {self.number}" if self.number else "Specials"

    @property
    def key(self) -> str:
        """How an address names it."""
        return "more" if self.number is None else str(self.number)


def seasons_of(episodes: Sequence[Described]) -> list[Season]:
    """The seasons in their order."""
    seasons: dict[int | None, Season] = {}
    for episode in episodes:
        number = episode["series"]["season"]
        seasons.setdefault(number, Season(number)).episodes.append(episode)
    return list(seasons.values())


def shown_season(seasons: Sequence[Season], asked: str | None, episode: Described) -> Season:
    """The season that was asked for, else that of this episode."""
    number = episode["series"]["season"]
    wanted = [season for season in seasons if season.key == asked]
    return (wanted or [season for season in seasons if season.number == number])[0]


def first_unseen(episodes: Sequence[Described]) -> Described:
    """The episode to play: one that is begun, else the first that was not seen; else the first.

    Specials are played when all else was.
    """
    ordered = sorted(episodes, key=lambda episode: episode["series"]["season"] == 0)
    for fits in (_is_begun, _is_unseen):
        for episode in ordered:
            if fits(episode):
                return episode
    return ordered[0]


def _is_begun(episode: Described) -> bool:
    return bool(episode["position"])


def _is_unseen(episode: Described) -> bool:
    return not episode["watched"]
