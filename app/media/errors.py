"""What can go wrong with a film, in one exception that a person and an operator can both read."""

from __future__ import annotations

from typing import Final

LOG_LIMIT: Final = 8_000
"""Characters of log kept with an error: enough for ffmpeg's last words, small in a table row."""


class MediaError(Exception):
    """A film cannot be read, planned or encoded.

    ``code`` is stable snake_case; ``stage`` is one of probe, plan, video, audio, poster;
    ``message`` and ``hint`` are sentences for a lay person, without paths or jargon;
    ``permanent`` says that trying the same again is pointless; ``log`` (bounded to the last
    ``LOG_LIMIT`` characters) is for the operator and may name files and commands.
    """

    def __init__(
        self,
        code: str,
        *,
        stage: str,
        message: str,
        hint: str = "",
        permanent: bool = True,
        log: str = "",
    ) -> None:
        super().__init__(f"{stage}: {code}: {message}")
        self.code = code
        self.stage = stage
        self.message = message
        self.hint = hint
        self.permanent = permanent
        self.log = log[-LOG_LIMIT:]


class Stopped(MediaError):
    """The caller's ``stop`` said so; the process is gone and nothing was finished."""

    def __init__(self, stage: str) -> None:
        super().__init__(
            "stopped", stage=stage, message="The conversion was stopped.", permanent=False
        )


def not_a_film(log: str = "") -> MediaError:
    """The file is none of the containers that are let in."""
    return MediaError(
        "not_a_film",
        stage="probe",
        message="We could not read this file as a film. Is it complete?",
        hint="Upload an MP4, MOV, MKV, WebM, AVI or MPEG film.",
        log=log,
    )


def damaged(stage: str, log: str = "", *, permanent: bool = True) -> MediaError:
    """The film opens, but a part of it holds no picture or sound that can be decoded."""
    return MediaError(
        "damaged",
        stage=stage,
        message="A part of this film is damaged and could not be converted.",
        hint="Play the film from start to end on your own device, or upload it again.",
        permanent=permanent,
        log=log,
    )


def too_demanding(log: str = "", *, permanent: bool = True) -> MediaError:
    """The film cannot be looked at within the memory and the time of the prober."""
    return MediaError(
        "too_demanding",
        stage="probe",
        message="Looking at this film takes more memory or time than we can give it.",
        hint="Export it again as an MP4.",
        permanent=permanent,
        log=log,
    )


def encoder_failed(stage: str, log: str = "") -> MediaError:
    """ffmpeg ended without doing its work; another attempt may succeed."""
    return MediaError(
        "encoder_failed",
        stage=stage,
        message="The conversion of this film broke off.",
        hint="It is tried again. If it keeps failing, the film may be damaged.",
        permanent=False,
        log=log,
    )


def disk_full(stage: str, log: str = "") -> MediaError:
    """There was no room for the output."""
    return MediaError(
        "disk_full",
        stage=stage,
        message="The server has no room left for this film.",
        hint="The conversion goes on when there is room again.",
        permanent=False,
        log=log,
    )
