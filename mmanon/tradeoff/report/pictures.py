"""Pictures of original faces and the modified faces of every method."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmanon.anonymizer.backends.torch_modifier import build_modifier
from mmanon.datasets.face_identities import FaceIdentityDataset
from mmanon.models.modifiers import BaseModifier
from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.registry import DATASETS, HOOKS, MODELS
from mmanon.utils.inline_images import face_to_pixels, image_url

from .sweep_folder import RunFolder, SweepFolder

__all__ = ['Grid', 'Shown', 'faces_config', 'load_modifier', 'make_grids']

ORIGINAL = 'original'
_QUALITY = 92
_SEED = 0


@dataclass(frozen=True)
class Shown:
    """A row of pictures.

    Attributes:
        name: The method and its strength, or ``'original'``.
        urls: Data URLs of the pictures.
        covered: Number of faces that a mask covers, because M is untrained or hardly
            changes them.
    """

    name: str
    urls: list[str]
    covered: int


@dataclass(frozen=True)
class Grid:
    """A table of faces: a column for each face, a row for each method.

    Attributes:
        title: Description of the columns.
        heads: Name of the person in each column.
        rows: The row of original faces, then those of the methods.
    """

    title: str
    heads: list[str]
    rows: list[Shown]


def make_grids(
    sweep: SweepFolder, people: str | Path | None = None, columns: int = 8
) -> list[Grid]:
    """Draw faces of the people of the attackers' test.

    One grid shows one image of each of several people; two grids show several images of
    one person, for the two people with the most images. They show the first seed of
    each setting.

    Args:
        sweep (SweepFolder): The results.
        people (str or Path, optional): Folder of the people. Defaults to the folder in
            the results.
        columns (int): Largest number of pictures in a row. Defaults to 8.

    Raises:
        FileNotFoundError: If the people or a modifier's weights do not exist.
        ValueError: If weights do not fit the modifier, or ``columns`` is below 1.
    """
    if columns < 1:
        raise ValueError(f'columns must be at least 1, got {columns}')
    runs = [seeds[0] for seeds in sweep.settings.values()]
    dataset = _people(runs[0], people)
    names = dataset.metainfo['classes']
    images = [np.flatnonzero(dataset.labels == i) for i in range(len(names))]
    # Spread over all people, because their folders may be sorted by source.
    some = np.unique(np.linspace(0, len(names) - 1, columns).round().astype(int))
    most = sorted(range(len(names)), key=lambda person: -len(images[person]))[:2]
    chosen = {'Different people': [int(images[person][0]) for person in some]}
    for person in most:
        title = f'The same person in several pictures: {names[person]}'
        chosen[title] = images[person][:columns].tolist()
    modifiers = {run.setting: load_modifier(run) for run in runs}
    return [
        _grid(title, indices, dataset, modifiers) for title, indices in chosen.items()
    ]


def faces_config(
    run: RunFolder, root: str | Path | None, metric: dict[str, Any]
) -> dict[str, Any]:
    """Return the config of the data set of a metric, without its geometry.

    Args:
        run (RunFolder): A run.
        root (str or Path, optional): Folder of the people. Defaults to the folder in
            the metric's config.
        metric (dict): The config of the metric.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    config = dict(metric['dataset'], test_mode=True)
    if root is not None:
        config['data_root'] = str(root)
    named = config['data_root']
    roots = [named] if isinstance(named, str) else list(named)
    if not all(Path(one).is_dir() for one in roots):
        raise FileNotFoundError(
            f'the faces of {", ".join(roots)} are not here; start the command in '
            'the folder where the sweep was started, give their folder by --people, or '
            'leave out the pictures by --no-pictures'
        )
    return config


def _people(run: RunFolder, root: str | Path | None) -> FaceIdentityDataset:
    metrics = [metric for metric in run.face_metrics if 'dataset' in metric]
    if not metrics:
        raise ValueError(
            f'{run.folder / "test.json"} names no people in a metric with a recognizer'
        )
    model_cfg = HOOKS.build(run.hook).model_cfg
    geometry = {key: model_cfg[key] for key in ('crop_size', 'margin')}
    return DATASETS.build({**faces_config(run, root, metrics[0]), **geometry})


def load_modifier(run: RunFolder) -> BaseModifier:
    """Build the modifier of a run, with its weights if it is learned."""
    config = {k: v for k, v in run.hook['modifier'].items() if k != 'init_cfg'}
    with torch.random.fork_rng(devices=[]):
        learned = hasattr(MODELS.build(dict(config)), 'updates')
        weights = run.folder / 'modifier.pth' if learned else None
        return build_modifier(config, weights)[0]


def _grid(
    title: str,
    indices: list[int],
    dataset: FaceIdentityDataset,
    modifiers: dict[str, BaseModifier],
) -> Grid:
    faces = torch.stack([dataset[index]['image'] for index in indices])
    rows = [Shown(ORIGINAL, [_url(face) for face in faces], 0)]
    for name, modifier in modifiers.items():
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            drawn, covered = redraw_or_cover(modifier, faces, dataset.margin)
        rows.append(Shown(name, [_url(face) for face in drawn], int(covered.sum())))
    names = dataset.metainfo['classes']
    heads = [names[int(dataset.labels[index])] for index in indices]
    return Grid(title, heads, rows)


def _url(face: torch.Tensor) -> str:
    return image_url(face_to_pixels(face), _QUALITY)
