"""Filling a whole row from one ffmpeg whose output is cut as it comes: copies and sound."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.media.codecs import init_codec, whole_units
from app.media.commands import copy_command
from app.media.errors import MediaError, damaged, encoder_failed
from app.media.filing import CellResult, file_cell
from app.media.grid import AAC_FRAME, AudioRow, Plan, VideoRow
from app.media.limits import STALL_SECONDS, limits_for
from app.media.runner import Finished, stream
from app.media.segments import FragmentReader, Sample, retime, write_segment
from app.media.sound import audio_command, read_loudness

ROUNDING: Final = 8
"""Ticks of 1/90000 s that a copied picture may miss its boundary by: milliseconds in Matroska
are exact in these ticks, other time bases round twice."""


def fill_row(
    source: Path,
    plan: Plan,
    row: str,
    place: Path,
    *,
    ffmpeg: str,
    stop: Callable[[], bool],
    skip: set[int] | None = None,
) -> Generator[CellResult, None, None]:
    """Fill a copied picture row or a sound row, yielding each chunk as soon as it is complete.

    Chunks in ``skip`` are made but neither written nor yielded. Closing the iterator ends
    ffmpeg. Of a sound track of which nothing decodes, silence is made. A row's last cell carries
    the loudness of the whole row.

    Raises MediaError: copy_failed (make the plan again with ``copy=False``), damaged,
    encoder_failed, disk_full, hung; Stopped.
    """
    target = plan.row(row)
    if isinstance(target, VideoRow):
        if target.mode != "copy":
            raise ValueError("encoded pictures are filled chunk by chunk")
        command = copy_command(ffmpeg, source, plan)
        cutter: PictureCutter | SoundCutter = PictureCutter(plan)
        yield from _fill(command, source, cutter, plan, target, place, stop, skip or set())
        return
    begun = False
    try:
        command = audio_command(ffmpeg, source, target)
        for cell in _fill(
            command, source, SoundCutter(target), plan, target, place, stop, skip or set()
        ):
            begun = True
            yield cell
    except MediaError as error:
        if begun or error.code != "damaged":
            raise
        # Nothing of the track decodes, but the film is promised with it: it stays silent.
        command = audio_command(ffmpeg, source, target, silent=True)
        yield from _fill(
            command, source, SoundCutter(target), plan, target, place, stop, skip or set()
        )


def _fill(
    command: Sequence[str],
    source: Path,
    cutter: PictureCutter | SoundCutter,
    plan: Plan,
    row: VideoRow | AudioRow,
    place: Path,
    stop: Callable[[], bool],
    skip: set[int],
) -> Iterator[CellResult]:
    stage = "audio" if isinstance(row, AudioRow) else "video"
    pixels = plan.source.pixels if plan.source else 0
    output = stream(
        command,
        limits=replace(limits_for(pixels), cpu_seconds=600 + int(plan.duration)),
        wall_seconds=900 + 2 * plan.duration,
        stall_seconds=STALL_SECONDS,
        stop=stop,
        reads=[source],
        stage=stage,
        about=row.name,
    )
    with closing(output):
        yield from _cut(output, cutter, plan, row, place, stage, skip)


def _cut(
    output: Generator[bytes, None, Finished],
    cutter: PictureCutter | SoundCutter,
    plan: Plan,
    row: VideoRow | AudioRow,
    place: Path,
    stage: str,
    skip: set[int],
) -> Iterator[CellResult]:
    reader = FragmentReader()
    chunks = plan.row_chunks(row.name)
    ready: list[list[Sample]] = []
    chunk, finished = 0, None
    while finished is None:
        try:
            ready += cutter.feed(reader.feed(next(output)))
        except StopIteration as end:
            finished = end.value
            _check_end(finished, row, stage)
            ready += cutter.finish()
        except ValueError as error:
            raise _misfit(row, str(error)) from error
        while chunk < len(chunks) and len(ready) > chunks[chunk][1] - chunks[chunk][0]:
            first, last = chunks[chunk]
            if chunk + 1 == len(chunks) and finished is None:
                break  # what is known of the row as a whole comes with it
            groups, ready = ready[: last - first + 1], ready[last - first + 1 :]
            if chunk not in skip:
                if init_codec(reader.init) != row.codecs:
                    raise _misfit(row, f"init is {init_codec(reader.init)}")
                segments = [
                    (first + at, write_segment(first + at + 1, group))
                    for at, group in enumerate(groups)
                ]
                count = sum(map(len, groups))
                try:
                    cell = file_cell(plan, row.name, chunk, reader.init, segments, count, place)
                    if chunk + 1 == len(chunks) and finished is not None:
                        cell = replace(cell, loudness=read_loudness(finished.stderr_tail))
                except MediaError as error:
                    raise (_misfit(row, error.log) if error.code == "damaged" else error) from None
                yield cell
            chunk += 1
    if chunk < len(chunks) or ready:
        raise _misfit(row, f"ended in chunk {chunk}\n{finished.log}")


def _check_end(finished: Finished, row: VideoRow | AudioRow, stage: str) -> None:
    if finished.returncode < 0 or "Unrecognized option" in finished.stderr_tail:
        raise encoder_failed(stage, finished.log)
    if finished.returncode > 0:
        raise _misfit(row, finished.log)


def _misfit(row: VideoRow | AudioRow, log: str) -> MediaError:
    """What came is not what was planned. For a copy that means: plan again without copies."""
    stage = "audio" if isinstance(row, AudioRow) else "video"
    if row.mode == "copy":
        return MediaError(
            "copy_failed",
            stage=stage,
            message="This film cannot be taken over as it is.",
            hint="It is converted in full instead.",
            log=f"{row.name}: {log}",
        )
    return damaged(stage, f"{row.name}: {log}")


class PictureCutter:
    """Cuts copied pictures at the plan's boundaries; each of them must be a key frame."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.index = 0
        self.shift: int | None = None
        self.group: list[Sample] = []

    def feed(self, samples: list[Sample]) -> list[list[Sample]]:
        """The segments that became complete; raises ValueError where the plan does not fit."""
        done = []
        for sample in samples:
            if not whole_units(sample.data):
                raise ValueError("a picture is not made of whole NAL units")
            if self.shift is None:
                self.shift = self.plan.boundaries[0] - sample.pts
            marks = self.plan.boundaries
            if (
                sample.key
                and self.group
                and self.index + 2 < len(marks)
                and sample.pts + self.shift >= marks[self.index + 1] - ROUNDING
            ):
                done.append(self._close())
            self.group.append(sample)
        return done

    def finish(self) -> list[list[Sample]]:
        """The last segment."""
        return [self._close()] if self.group else []

    def _close(self) -> list[Sample]:
        group, at = self.group, self.index
        self.group, self.index = [], at + 1
        if not group[0].key:
            raise ValueError(f"segment {at} does not begin with a key frame")
        if len(group) != self.plan.frames[at]:
            raise ValueError(f"segment {at}: {len(group)} pictures, not {self.plan.frames[at]}")
        start, end = self.plan.boundaries[at : at + 2]
        shift = self.shift or 0
        if abs(group[0].pts + shift - start) > ROUNDING:
            raise ValueError(f"segment {at} begins at {group[0].pts + shift}, not {start}")
        return retime(group, shift, start, end, ROUNDING)


class SoundCutter:
    """Cuts AAC frames into segments of the planned number of samples, after the priming."""

    def __init__(self, row: AudioRow) -> None:
        self.row = row
        self.priming = row.skip
        self.index = 0
        self.time = 0
        self.group: list[Sample] = []

    def feed(self, samples: list[Sample]) -> list[list[Sample]]:
        """The segments that became complete."""
        done = []
        for sample in samples:
            if self.priming:
                self.priming -= 1
                continue
            if self.time >= self.row.total:
                break
            self.group.append(Sample(self.time, self.time, AAC_FRAME, True, sample.data))
            self.time += AAC_FRAME
            if len(self.group) * AAC_FRAME == self.row.samples(self.index):
                done.append(self.group)
                self.group, self.index = [], self.index + 1
        return done

    def finish(self) -> list[list[Sample]]:
        """Nothing: all segments have whole frames."""
        return []
