"""A table of detected actions, with a row for each person and action."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mmanon.utils.atomic_write import written_whole

__all__ = ['ActionRecord', 'write_records']


@dataclass(frozen=True)
class ActionRecord:
    """One action of one person in one frame, or a person without an action.

    Attributes:
        video (str): The path of the video below the input folder.
        shown (str): ``'anonymized'``, or ``'raw'`` for original faces.
        frame (int): The frame in the middle of the detector's window, from 0.
        time (float): The time of that frame, in seconds.
        track (int): The person's number in this video.
        x1, y1, x2, y2 (float): The person's box in pixels of the upright picture.
        person_score (float): The score of the box, in [0, 1].
        action (str, optional): The name of the action; None for a person without one.
        score (float, optional): The score of the action, in [0, 1].
    """

    video: str
    shown: str
    frame: int
    time: float
    track: int
    x1: float
    y1: float
    x2: float
    y2: float
    person_score: float
    action: str | None = None
    score: float | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2."""
        return self.x1, self.y1, self.x2, self.y2


_KINDS = {
    'int': pa.int64(),
    'str': pa.string(),
    'float': pa.float64(),
    'str | None': pa.string(),
    'float | None': pa.float64(),
}
_SCHEMA = pa.schema([(one.name, _KINDS[str(one.type)]) for one in fields(ActionRecord)])


def write_records(
    records: Sequence[ActionRecord], folder: Path, name: str = 'actions'
) -> tuple[Path, Path]:
    """Write a table of records as Parquet and as JSON lines.

    Each file is written completely or not at all.

    Args:
        records (Sequence[ActionRecord]): The rows; there may be none.
        folder (Path): The folder of the files.
        name (str): The name of both files, without suffix.

    Returns:
        tuple[Path, Path]: ``<name>.parquet`` and ``<name>.jsonl``.
    """
    parquet, lines = folder / f'{name}.parquet', folder / f'{name}.jsonl'
    rows = [asdict(record) for record in records]
    with written_whole(parquet) as beside:
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), beside)
    with written_whole(lines) as beside:
        beside.write_text(''.join(_lines(rows)), encoding='utf-8')
    return parquet, lines


def _lines(rows: Iterable[dict]) -> Iterable[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + '\n'
