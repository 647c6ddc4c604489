"""Check outputs, and write the files that belong to them."""

from __future__ import annotations

from pathlib import Path

from mmanon.utils.atomic_write import written_whole

from .box_writer import write_boxes
from .io.sources import InputError, Source
from .report import report_path
from .result import AnonymizationResult, reason_of

__all__ = ['check_output', 'check_writable', 'write_beside']


def check_writable(folder: Path, name: str) -> None:
    """Check that files can be written to a folder.

    Raises:
        InputError: When they cannot; the message contains the folder's purpose,
            ``name``.
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
    """Check that an output overwrites neither another output nor its own source.

    Args:
        source (Source): The source.
        out (Path): The output.
        taken (dict): The outputs so far, and their sources; this one is added.

    Raises:
        InputError: When it would overwrite one of them.
    """
    if out in taken:
        raise InputError(
            f'{source.where} and {taken[out]} would both be written to {out}; '
            'anonymize them to different folders'
        )
    taken[out] = source.where
    if source.kind != 'live' and out.exists() and out.samefile(source.where):
        raise InputError(
            f'the output of {source.where} would overwrite it; give another output '
            'folder'
        )


def write_beside(
    result: AnonymizationResult,
    name: str,
    report: str | Path | None,
    boxes_out: str | Path | None,
) -> None:
    """Write the report and the boxes of an output.

    Args:
        result (AnonymizationResult): The result of the output. If a file cannot be
            written, its reason and problems say so.
        name (str): The path of the source relative to the input folder.
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
        # The output is complete, and stays.
        result.reason = f'its {what} cannot be written: {reason_of(error)}'
        result.problems.append(result.reason)
