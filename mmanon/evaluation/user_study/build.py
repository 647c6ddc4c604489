"""Writes the page of a study, and the key with the right answers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmanon.evaluation.face_set import FaceSet
from mmanon.models.modifiers import BaseModifier
from mmanon.models.modifiers.covering import redraw_or_cover
from mmanon.utils.atomic_write import write_whole
from mmanon.utils.html import render_page
from mmanon.utils.inline_images import face_to_pixels, image_url

from .questions import NameQuestion, PairQuestion, Questions

__all__ = ['ANSWERS_FORMAT', 'KEY_FORMAT', 'KEY_FILE', 'PAGE_FILE', 'build_study']

ANSWERS_FORMAT = 'mmanon user study answers 1'
KEY_FORMAT = 'mmanon user study key 1'
PAGE_FILE = 'study.html'
KEY_FILE = 'key.json'
_TEMPLATE = Path(__file__).with_name('page.html')
_REFERENCE_QUALITY = 92
_BATCH = 32


def build_study(
    out_dir: Path,
    dataset: FaceSet,
    questions: Questions,
    modifier: BaseModifier,
    seed: int = 0,
    hide_names: bool = False,
    about: dict[str, Any] | None = None,
) -> tuple[Path, Path]:
    """Write the page for participants, and the key, which you keep.

    The page contains all images. The right answers, the seed and the names of files are
    only in the key, and the page does not contain the original of a modified image.

    Args:
        out_dir (Path): Folder of both files.
        dataset (FaceSet): Faces of the people, without augmentation.
        questions (Questions): Questions about this data set.
        modifier (BaseModifier): M. Faces that a learned modifier hardly changes are
            covered; see :func:`redraw_or_cover`.
        seed (int): Seed of random modifiers. Defaults to 0.
        hide_names (bool): Whether to show letters instead of people's names. Defaults
            to False.
        about (dict, optional): Further entries of the key, such as the name of the
            modifier.

    Returns:
        tuple[Path, Path]: Page and key.

    Raises:
        ValueError: If an image cannot be decoded, or M returns values that are not
            finite.
    """
    asked = [i for pair in questions.pairs for i in (pair.first, pair.second)]
    asked += [name.image for name in questions.names]
    asked = list(dict.fromkeys(asked))
    drawn, covered = _redraw(dataset, asked, modifier, seed)
    pictures = _Pictures()
    for index, face in zip(asked, drawn, strict=True):
        pictures.add(('modified', index), image_url(face_to_pixels(face)))
    page_questions: list[dict] = []
    answers: dict[str, dict[str, Any]] = {}
    for number, pair in enumerate(questions.pairs, 1):
        name = f'pair-{number}'
        page_questions.append(_pair_on_page(name, pair, pictures))
        answers[name] = dict(
            kind='pairs',
            right='same' if pair.same else 'different',
            options=['same', 'different'],
            images=[_file(dataset, index) for index in (pair.first, pair.second)],
        )
    for number, asks in enumerate(questions.names, 1):
        name = f'name-{number}'
        page_questions.append(
            _name_on_page(name, asks, pictures, dataset, questions, hide_names)
        )
        answers[name] = dict(
            kind='names',
            right=asks.right,
            options=list(range(len(asks.choices))),
            people=[dataset.metainfo['classes'][person] for person in asks.choices],
            images=[_file(dataset, asks.image)],
        )
    study = dict(
        answers_format=ANSWERS_FORMAT,
        questions=page_questions,
        images=pictures.urls,
    )
    study['id'] = hashlib.sha256(json.dumps(study).encode()).hexdigest()[:12]
    page = render_page(
        _TEMPLATE,
        study=study,
        pairs=len(questions.pairs),
        names=len(questions.names),
        choices=len(questions.names[0].choices) if questions.names else 0,
    )
    key = dict(
        format=KEY_FORMAT,
        study=study['id'],
        seed=seed,
        margin=dataset.margin,
        covered=int(covered.sum()),
        modified=len(asked),
        **(about or {}),
        questions=answers,
    )
    paths = out_dir / PAGE_FILE, out_dir / KEY_FILE
    # The key first: a page without its key would be useless.
    write_whole(paths[1], json.dumps(key, indent=1) + '\n')
    write_whole(paths[0], page)
    return paths


class _Pictures:
    """Images with ids that do not reveal what they show."""

    def __init__(self) -> None:
        self.urls: dict[str, str] = {}
        self._ids: dict[tuple[str, int], str] = {}

    def add(self, what: tuple[str, int], url: str) -> str:
        """Add an image.

        Returns:
            str: Its id; images are numbered in the order in which they are added.
        """
        self._ids[what] = f'p{len(self._ids) + 1}'
        self.urls[self._ids[what]] = url
        return self._ids[what]

    def id_of(self, what: tuple[str, int]) -> str | None:
        return self._ids.get(what)


def _pair_on_page(name: str, pair: PairQuestion, pictures: _Pictures) -> dict:
    return dict(
        id=name,
        kind='pairs',
        images=[pictures.id_of(('modified', i)) for i in (pair.first, pair.second)],
        choices=[
            dict(answer='same', label='Same person', images=[]),
            dict(answer='different', label='Different people', images=[]),
        ],
    )


def _name_on_page(
    name: str,
    asks: NameQuestion,
    pictures: _Pictures,
    dataset: FaceSet,
    questions: Questions,
    hide_names: bool,
) -> dict:
    choices = []
    for place, person in enumerate(asks.choices):
        shown = []
        for index in questions.references[person]:
            what = ('original', index)
            found = pictures.id_of(what)
            if found is None:
                face = face_to_pixels(dataset[index]['image'])
                found = pictures.add(what, image_url(face, _REFERENCE_QUALITY))
            shown.append(found)
        label = dataset.metainfo['classes'][person]
        if hide_names:
            label = f'Person {chr(ord("A") + place)}' if place < 26 else f'{place + 1}'
        choices.append(dict(answer=place, label=label, images=shown))
    return dict(
        id=name,
        kind='names',
        images=[pictures.id_of(('modified', asks.image))],
        choices=choices,
    )


@torch.no_grad()
def _redraw(
    dataset: FaceSet, indices: list[int], modifier: BaseModifier, seed: int
) -> tuple[Tensor, Tensor]:
    """Redraw images as participants see them; also return which are covered."""
    faces, covered = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for start in range(0, len(indices), _BATCH):
            some = [dataset[i]['image'] for i in indices[start : start + _BATCH]]
            drawn, hidden = redraw_or_cover(modifier, torch.stack(some), dataset.margin)
            faces.append(drawn)
            covered.append(hidden)
    return torch.cat(faces), torch.cat(covered)


def _file(dataset: FaceSet, index: int) -> str:
    return dataset.paths[index].relative_to(dataset.data_root).as_posix()
