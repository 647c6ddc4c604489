"""The names of a detector's actions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmanon.datasets.formats.ava_reader import read_label_map
from mmanon.utils.log import print_log

__all__ = ['action_names']


def action_names(
    dataset: Mapping[str, Any], count: int, labels: str | Path | None = None
) -> list[str]:
    """The name of each column of a detector's scores.

    Args:
        dataset (Mapping): The config of its test data, with ``label_file`` and
            ``custom_classes`` as for AVA, or ``metainfo.classes`` as in mmdet.
        count (int): Number of columns.
        labels (str or Path, optional): A label map of AVA (``*.pbtxt``), or a text file
            with one name per line, instead of the names in the config.

    Returns:
        list[str]: ``count`` names; a column without a name is called ``'action 7'``.
        With names from AVA's files, column 0 is no action, because the numbers begin at
        1.

    Raises:
        FileNotFoundError: When ``labels`` is no file.
        ValueError: When it cannot be read.
    """
    classes = (dataset.get('metainfo') or {}).get('classes')
    unnamed = [f'action {number}' for number in range(count)]
    if labels is None and classes:
        return [*classes, *unnamed[len(classes) :]]
    named = labels if labels is not None else dataset.get('label_file')
    if labels is None and (named is None or not Path(named).is_file()):
        print_log(
            f'the file with the names of the actions is missing '
            f'({named or "no label_file"}): they get numbers; give a file as `labels`',
            level=logging.WARNING,
        )
        return unnamed
    by_number = _read(Path(str(named)))
    custom: Sequence[int] | None = dataset.get('custom_classes')
    if custom is not None and labels is None:
        by_number = {
            place: by_number.get(number, f'action {number}')
            for place, number in enumerate(custom, 1)
        }
    return [by_number.get(number, unnamed[number]) for number in range(count)]


def _read(path: Path) -> dict[int, str]:
    if path.suffix == '.pbtxt':
        return dict(read_label_map(path))
    if not path.is_file():
        raise FileNotFoundError(f'labels {path} do not exist')
    lines = path.read_text(encoding='utf-8').splitlines()
    return dict(enumerate((line.strip() for line in lines if line.strip()), 1))
