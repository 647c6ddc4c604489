"""Outputs, and the files written next to them."""

from __future__ import annotations

from pathlib import Path

from mmanon.utils.atomic_write import written_whole

from .box_writer import write_boxes
from .io.sources import InputError, Source
from .report import report_path
from .result import AnonymizationResult, reason_of

__all__ = ['check_output', 'check_writable', 'write_beside']


def check_writable(folder: Path, name: str) -> None:
    """Make sure that a folder can be written.

    Raises:
        InputError: When it cannot; the message names its purpose, ``name``.
    """
    try:
        with written_whole(folder / '.mmanon_probe') as probe:
            probe.touch()
        (folder / '.mmanon_probe').unlink()
    except OSError as error:
        raise InputError(
            f'{name} folder {folder} cannot be written: {error.strerror}'
        ) from error


def check_output(source: Source, out: Path, taken: dict[Path, str]) -> None:
    """Make sure that an output is written over neither another nor its own source.

    Args:
        source (Source): What it is made of.
        out (Path): The output.
        taken (dict): Outputs so far, and what they are of; this one is added.

    Raises:
        InputError: When it would be.
    """
    if out in taken:
        raise InputError(
            f'{source.where} and {taken[out]} would both be written to {out}; '
            'anonymize them to different folders'
        )
    taken[out] = source.where
    if source.kind != 'live' and out.exists() and out.samefile(source.where):
        raise InputError(
            f'{source.where} would be written over itself; name another output folder'
        )


def write_beside(
    result: AnonymizationResult,
    name: str,
    report: str | Path | None,
    boxes_out: str | Path | None,
) -> None:
    """Write the report and the boxes of an output.

    Args:
        result (AnonymizationResult): Of the output; told where they cannot be written.
        name (str): The path of the source below the folder of all.
        report, boxes_out (str or Path, optional): The folders.
    """
    what = 'report'
    try:
        if report is not None:
            result.write_report(report_path(Path(report), name))
        what = 'boxes'
        if boxes_out is not None and result.boxes is not None:
            write_boxes(result.boxes, name, Path(boxes_out))
    except (OSError, ValueError) as error:
        # The output is finished, and stays.
        result.reason = f'its {what} cannot be written: {reason_of(error)}'
        result.problems.append(result.reason)
