"""Shows the people whom a method hides worst and best, and what the attacker finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmanon.evaluation.functional.embeddings import cosines, unit_embeddings
from mmanon.evaluation.metrics.face_metric import build_faces
from mmanon.evaluation.metrics.recognizers import load_recognizer, view_of
from mmanon.models.layers.face_views import HEAD_MARGIN, FaceView
from mmanon.models.modifiers import BaseModifier
from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.registry import HOOKS
from mmanon.tradeoff.rows import shown_name
from mmanon.utils.inline_images import face_to_pixels, image_url

from .pictures import faces_config, load_modifier
from .sweep_folder import RunFolder, SweepFolder

__all__ = ['Audit', 'Hidden', 'make_audits', 'rank_people']

_NEAREST = 5
_BATCH = 32
_QUALITY = 92
_SEED = 0


@dataclass(frozen=True)
class Hidden:
    """A person, and what an attacker finds for a modified face.

    Attributes:
        person: Name of the person.
        rank: Rank of the right person for this face, from 1.
        original: Data URL of the original face.
        modified: Data URL of the modified face.
        restored: Data URL of the face of the restorer, or None without a restorer.
        nearest: Name and data URL of the originals that are most similar to the
            attacker, in descending order.
    """

    person: str
    rank: int
    original: str
    modified: str
    restored: str | None
    nearest: list[tuple[str, str]]


@dataclass(frozen=True)
class Audit:
    """The people whom a method hides worst and best.

    Attributes:
        method: The method and its strength.
        attacker: The attacker with the lowest equal error rate, with its view.
        restorer: The attacker whose restorer is shown, or None.
        people: Number of people.
        worst: The worst-hidden people, the worst first.
        best: The best-hidden people, the best first.
    """

    method: str
    attacker: str
    restorer: str | None
    people: int
    worst: list[Hidden]
    best: list[Hidden]


def make_audits(
    sweep: SweepFolder, people: str | Path | None = None, count: int = 2
) -> list[Audit]:
    """Audit each setting with its worst attacker.

    The worst attacker is the one with the lowest equal error rate of modified against
    original faces in the first seed, without the D of the game.

    Args:
        sweep (SweepFolder): The results.
        people (str or Path, optional): Folder of the people. Defaults to the folder in
            the results.
        count (int): Number of worst-hidden and of best-hidden people. With 0 there are
            no audits. Defaults to 2.

    Raises:
        FileNotFoundError: If the people or weights do not exist.
        ValueError: If weights belong to another network, or ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f'the number of people must not be negative, got {count}')
    audits = []
    for runs in sweep.settings.values() if count else ():
        run = runs[0]
        ranked = _metrics_by_error(sweep, run)
        if ranked:
            audits.append(_audit(run, ranked, people, count))
    return audits


def rank_people(
    probes: np.ndarray, gallery: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank of the right person for each probe, and similarities.

    Args:
        probes (np.ndarray): Embeddings of K images, (K, E).
        gallery (np.ndarray): Embeddings of the same images in the same order, (K, E);
            each probe is compared without its own image.
        labels (np.ndarray): The person of each image, (K,).

    Returns:
        tuple[np.ndarray, np.ndarray]: Ranks from 1, (K,), and cosines, (K, K), which
        are minus infinity for a probe's own image. Half of the people with equal
        similarity count as more similar.
    """
    alike = cosines(unit_embeddings(probes) @ unit_embeddings(gallery).T)
    np.fill_diagonal(alike, -np.inf)
    numbers = np.unique(labels)
    of_person = np.stack([alike[:, labels == k].max(1) for k in numbers], axis=1)
    right = np.take_along_axis(
        of_person, np.searchsorted(numbers, labels)[:, None], axis=1
    )
    before = (of_person > right).sum(1) + ((of_person == right).sum(1) - 1) // 2
    return before + 1, alike


def _metrics_by_error(sweep: SweepFolder, run: RunFolder) -> list[dict[str, Any]]:
    """Return the metrics of a run's attackers, by ascending error."""
    errors = {
        shown_name(row.attacker, row.view): row.eer
        for row in sweep.rows
        if (row.method, row.strength, row.seed) == (run.method, run.strength, run.seed)
        and row.matching == 'modified_original'
    }
    found = {
        metric['prefix']: metric
        for metric in run.face_metrics
        if metric.get('prefix') in errors and isinstance(metric['recognizer'], dict)
    }
    return [found[name] for name in sorted(found, key=lambda name: errors[name])]


def _audit(
    run: RunFolder,
    ranked: Sequence[dict[str, Any]],
    people: str | Path | None,
    count: int,
) -> Audit:
    attack = ranked[0]
    view = _view(run, attack)
    dataset = build_faces(
        faces_config(run, people, attack),
        dict(crop_size=view.image_size, margin=view.image_margin),
        {},
    )
    attacker: Any = load_recognizer(
        attack['recognizer'], view.margin, attack['prefix'], view
    )
    restoring = next((m for m in ranked if 'restorer' in m['recognizer']), None)
    restorer: Callable[[Tensor], Tensor] | None = None
    if restoring is not None:
        own = _view(run, restoring)
        loaded: Any = load_recognizer(
            restoring['recognizer'], own.margin, restoring['prefix'], own
        )
        restorer = loaded.restorer
    originals = torch.stack([dataset[i]['image'] for i in range(len(dataset))])
    modified = _redraw(originals, load_modifier(run), view)
    embed_modified = getattr(attacker, 'embed_modified', attacker.embed)
    labels = np.asarray(dataset.labels)
    places, alike = rank_people(
        _embed(modified, embed_modified), _embed(originals, attacker.embed), labels
    )
    names = dataset.metainfo['classes']
    numbers = np.unique(labels)
    genuine = np.where(labels[:, None] == labels, alike, -np.inf).max(1)
    # By the rank of the right person, and for equal ranks by similarity.
    means = [
        (places[labels == k].mean(), -genuine[labels == k].mean(), k) for k in numbers
    ]
    order = [k for *_, k in sorted(means)]

    def show(person: int, worst: bool) -> Hidden:
        own = np.flatnonzero(labels == person)
        telling = sorted(own, key=lambda i: (places[i], -genuine[i]))
        face = int(telling[0] if worst else telling[-1])
        restored = None
        if restorer is not None:
            with torch.no_grad():
                drawn = view.redraw(modified[face : face + 1], restorer)
            restored = _url(drawn[0])
        nearest = np.argsort(-alike[face], kind='stable')[:_NEAREST]
        return Hidden(
            person=names[person],
            rank=int(places[face]),
            original=_url(originals[face]),
            modified=_url(modified[face]),
            restored=restored,
            nearest=[(names[int(labels[i])], _url(originals[i])) for i in nearest],
        )

    return Audit(
        method=run.setting,
        attacker=attack['prefix'],
        restorer=None if restoring is None else restoring['prefix'],
        people=len(numbers),
        worst=[show(person, True) for person in order[:count]],
        best=[show(person, False) for person in order[::-1][:count]],
    )


def _view(run: RunFolder, metric: dict[str, Any]) -> FaceView:
    cfg = HOOKS.build(run.hook).model_cfg
    return FaceView(
        view_of(metric['recognizer'], metric.get('view')),
        cfg['crop_size'],
        cfg['margin'],
        metric.get('head_margin') or HEAD_MARGIN,
        cfg['feather'],
    )


@torch.no_grad()
def _redraw(images: Tensor, modifier: BaseModifier, view: FaceView) -> Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return torch.cat(
            [
                view.redraw(
                    part, lambda crops: redraw_or_cover(modifier, crops, view.margin)[0]
                )
                for part in images.split(_BATCH)
            ]
        )


@torch.no_grad()
def _embed(images: Tensor, embed: Callable[[Tensor], Tensor]) -> np.ndarray:
    return torch.cat([embed(part).float() for part in images.split(_BATCH)]).numpy()


def _url(face: Tensor) -> str:
    return image_url(face_to_pixels(face), _QUALITY)
