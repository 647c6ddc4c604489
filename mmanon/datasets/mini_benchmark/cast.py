"""The people of a mini benchmark: drawn, or from photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .drawn_head import DrawnHead
from .people import Identity
from .plan import stream
from .settings import MiniBenchmarkSettings

__all__ = ['Cast', 'cast_identities']

Cast = dict[str, list[Identity]]
"""Identities of ``'train'``, ``'val'`` (the same people) and ``'test'``."""


def cast_identities(
    settings: MiniBenchmarkSettings,
    each: Callable[[Callable, Iterable], Iterable] = map,
) -> Cast:
    """Draw the identities or read them from photographs.

    The people of ``'val'`` are those of ``'train'``, but in other photographs.

    Args:
        settings: Settings of the benchmark.
        each: A ``map`` to read photographs with.

    Raises:
        ValueError: If a person is in the training and the test folders, has too few
            photographs with a face, or no one would be left to train or to test on.
    """
    if settings.faces:
        return _cast_photographed(settings, each)
    train = _drawn('train', settings.train_identities, settings.seed)
    test = _drawn('test', settings.test_identities, settings.seed)
    return {'train': train, 'val': train, 'test': test}


def _drawn(split: str, number: int, seed: int) -> list[Identity]:
    return [
        DrawnHead.random(f'{split}_{i:03d}', stream(seed, split, 'face', i))
        for i in range(number)
    ]


def _cast_photographed(
    settings: MiniBenchmarkSettings,
    each: Callable[[Callable, Iterable], Iterable],
) -> Cast:
    from .photo_head import find_people, read_people, split_people

    people = find_people(settings.faces)
    if settings.test_faces:
        train, others = list(people), find_people(settings.test_faces)
        shared = sorted(people.keys() & others.keys())
        if shared:
            raise ValueError(
                f'{shared[0]} is in the training and the test folders; no one may be '
                'in both'
            )
        test = list(others)
        people |= others
    else:
        train, test = split_people(list(people), settings.train_names)
    train = train[: settings.train_identities]
    test = test[: settings.test_identities]
    detector = dict(type='mmanon.MTCNNFaceDetector')
    if settings.face_detector_weights:
        weights = settings.face_detector_weights
        detector = dict(type='mmanon.YuNetFaceDetector', weights=weights)
    read = read_people(
        {name: people[name] for name in [*train, *test]},
        detector,
        settings.train_faces + settings.val_faces,
        each,
    )
    kept, held_out = zip(*(head.held_out() for head in read[: len(train)]), strict=True)
    return {'train': list(kept), 'val': list(held_out), 'test': read[len(train) :]}
