"""How well attributes can be guessed from modified faces: gender, age and others."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from mmanon.evaluation.functional.attributes import balanced_accuracy, guess_attribute
from mmanon.registry import METRICS

from .face_metric import FaceMetric, key_of
from .face_pass import FacePass
from .recognizers import load_recognizer

__all__ = ['FaceAttributeMetric', 'read_attributes']

_PIXELS = 20


@METRICS.register_module()
class FaceAttributeMetric(FaceMetric):
    """How well linear heads, trained on modified faces, guess attributes of people.

    This measures information about attributes and identifies nobody. For each
    attribute, a linear head learns from modified faces of some people and guesses the
    attribute of others, in folds; for comparison, another head does the same with
    original faces. The metric reports ``<attribute>/modified/balanced_accuracy``,
    ``<attribute>/original/balanced_accuracy``, ``<attribute>/chance`` and
    ``<attribute>/people``. People with an unknown attribute, and classes of an
    attribute with too few people, are left out. If fewer than two classes remain, the
    attribute is left out with a warning.

    Args:
        dataset (dict): People with known attributes; see :class:`FaceMetric`. Use
            people on whom the modifier was not trained.
        labels (str): CSV file with a column ``person`` (name of the folder), or
            ``image`` (path of the image; its last two parts count), and a column for
            each attribute; an empty cell means unknown.
        attributes (Sequence[str], optional): Columns to use. Defaults to all.
        recognizer (dict, optional): Config of a recognizer with trained weights. The
            heads then learn from its embeddings and from the faces at 20 x 20 pixels;
            see :class:`RecognitionMetric`. Defaults to the pixels only.
        folds (int): Number of folds. Defaults to 5.
        least (int): Smallest number of people in a class of an attribute. Defaults to
            10.
        **kwargs: See :class:`FaceMetric`.

    Raises:
        FileNotFoundError: If the file of labels does not exist.
        ValueError: If it has no such column, or no person of the data set.
    """

    default_prefix = 'attributes'

    def __init__(
        self,
        dataset: dict,
        labels: str,
        attributes: Sequence[str] | None = None,
        recognizer: dict | None = None,
        folds: int = 5,
        least: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, **kwargs)
        if folds < 2 or least < folds:
            raise ValueError(
                f'folds must be at least 2, and least at least folds, got {folds} and '
                f'{least}'
            )
        self.labels = labels
        self.attributes = attributes
        self.recognizer_cfg = recognizer
        self.folds = folds
        self.least = least
        self._known: dict[str, np.ndarray] = {}
        self._watcher: _FeatureWatcher | None = None

    def join(self, faces: FacePass) -> None:
        """Read the attributes, and collect features of the faces."""
        self._known = read_attributes(self.labels, faces.dataset.paths, self.attributes)
        recognizer = None
        if self.recognizer_cfg is not None:
            view = self.view_of(faces.model)
            recognizer = load_recognizer(
                self.recognizer_cfg, faces.model.margin, str(self.prefix), view
            ).to(faces.device)
        self._watcher = faces.add_watcher(
            key_of(['attributes', id(self)]), lambda: _FeatureWatcher(recognizer)
        )

    def figures(self, faces: FacePass) -> dict[str, float]:
        """Return the figures of each attribute with enough people."""
        watcher, self._watcher = self._watcher, None
        assert watcher is not None  # joined before
        people = np.asarray(faces.dataset.labels)
        found: dict[str, float] = {}
        for name, values in self._known.items():
            known = values != ''
            kinds = np.unique(values[known])
            # A class with too few people is left out, not the whole attribute.
            several = [
                kind
                for kind in kinds
                if len(np.unique(people[values == kind])) >= self.least
            ]
            known &= np.isin(values, several)
            if len(several) < 2:
                print_log(
                    f'{self.prefix}: {name} is left out: fewer than two of '
                    f'{kinds.tolist()} have {self.least} people',
                    logger='current',
                    level=logging.WARNING,
                )
                continue
            for kind, blocks in watcher.blocks().items():
                guesses = guess_attribute(
                    [block[known] for block in blocks],
                    values[known],
                    people[known],
                    self.folds,
                    self.seed,
                )
                accuracy = balanced_accuracy(values[known], guesses)
                found[f'{name}/{kind}/balanced_accuracy'] = accuracy
            found[f'{name}/chance'] = 1 / len(several)
            found[f'{name}/people'] = len(np.unique(people[known]))
        return found


class _FeatureWatcher:
    """Collects shrunk pixels, and embeddings if there is a recognizer."""

    def __init__(self, recognizer: nn.Module | None) -> None:
        self.embed: Any = None if recognizer is None else recognizer.embed
        self.parts: dict[str, list[list[Tensor]]] = dict(original=[], modified=[])

    def watch(self, original: Tensor, modified: Tensor) -> None:
        for kind, faces in (('original', original), ('modified', modified)):
            features = [adaptive_avg_pool2d(faces.float(), _PIXELS).flatten(1).cpu()]
            if self.embed is not None:
                features.append(self.embed(faces).float().cpu())
            self.parts[kind].append(features)

    def blocks(self) -> dict[str, list[np.ndarray]]:
        """Return the blocks of features for each kind of faces."""
        return {
            kind: [
                torch.cat(block).double().numpy() for block in zip(*parts, strict=True)
            ]
            for kind, parts in self.parts.items()
        }


def read_attributes(
    labels: str | Path, images: Sequence[Path], attributes: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Read the attributes of the people, or of the images, of a data set.

    Args:
        labels (str or Path): CSV file; see :class:`FaceAttributeMetric`.
        images (Sequence[Path]): K images, ``.../<person>/<image>``.
        attributes (Sequence[str], optional): Columns to use. Defaults to all.

    Returns:
        dict[str, np.ndarray]: Values of each attribute, strings (K,); ``''`` means
        unknown.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a column is missing, or no person or image is in the file.
    """
    path = Path(labels)
    if not path.is_file():
        raise FileNotFoundError(
            f'labels {labels} does not exist; give a CSV file with a column `person` '
            'or `image` and one for each attribute'
        )
    with path.open(newline='', encoding='utf-8') as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or [])
        rows = list(reader)
    key = next((one for one in ('person', 'image') if one in columns), None)
    if key is None:
        raise ValueError(
            f'{labels} has the columns {columns}; it needs `person` or `image`'
        )
    wanted = [one for one in columns if one != key]
    wanted = wanted if attributes is None else list(attributes)
    unknown = [one for one in wanted if one not in columns]
    if unknown or not wanted:
        raise ValueError(f'{labels} has no column {unknown or "of attributes"}')
    parts = 1 if key == 'person' else 2
    known = {'/'.join(Path(row[key]).parts[-parts:]): row for row in rows}
    names = [
        image.parent.name if key == 'person' else f'{image.parent.name}/{image.name}'
        for image in images
    ]
    if not set(names) & set(known):
        raise ValueError(
            f'{labels} has none of the people of {images[0].parent.parent}, such as '
            f'{names[0]!r}; it has {list(known)[:3]}'
        )
    return {
        column: np.array([str(known.get(name, {}).get(column) or '') for name in names])
        for column in wanted
    }
