"""Attributes guessed by small heads, and where labels come from."""

import csv
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny import tiny_discriminator

from mmanon.evaluation import (
    FaceAttributeMetric,
    balanced_accuracy,
    guess_attribute,
    skin_tone,
)
from mmanon.evaluation.metrics import face_attribute_metric
from mmanon.evaluation.metrics.face_attribute_metric import read_attributes
from mmanon.registry import MODELS

TOOL = Path(__file__).parents[3] / 'tools/dataset_converters/portrait_attributes.py'
PEOPLE = 24


# The heads.


def test_balance_counts_classes_and_not_faces():
    truth = ['a'] * 9 + ['b']
    assert balanced_accuracy(truth, ['a'] * 10) == 0.5
    assert balanced_accuracy(truth, truth) == 1
    with pytest.raises(ValueError, match='the same length, at least 1'):
        balanced_accuracy([], [])


def made_up(signal, people=60, classes=3, seed=0):
    random = np.random.default_rng(seed)
    names = np.repeat(np.arange(people), 2)
    kinds = np.array(list('xyz'))[names % classes]
    own = random.normal(size=(people, 30))[names]
    told = np.zeros((len(names), 30))
    told[np.arange(len(names)), names % classes] = signal
    return own + told + 0.1 * random.normal(size=own.shape), kinds, names


def test_a_head_finds_what_tells_and_guesses_where_nothing_does():
    features, kinds, names = made_up(signal=4.0)
    guesses = guess_attribute([features], kinds, names)
    assert balanced_accuracy(kinds, guesses) > 0.9
    blind = [
        balanced_accuracy(kinds, guess_attribute([features], kinds, names, seed=seed))
        for seed in range(4)
        for features, kinds, names in [made_up(signal=0.0, seed=seed)]
    ]
    # A head that had seen the person's other picture would know.
    assert abs(np.mean(blind) - 1 / 3) < 0.08


def test_rare_classes_weigh_the_same():
    features, kinds, names = made_up(signal=4.0)
    keep = (kinds != 'z') | (names < 18)
    kinds, names = kinds[keep], names[keep]
    guesses = guess_attribute([features[keep]], kinds, names, folds=3)
    assert (guesses[kinds == 'z'] == 'z').mean() > 0.6


def test_blocks_weigh_the_same_whatever_their_size():
    features, kinds, names = made_up(signal=4.0)
    noise = 100 * np.random.default_rng(1).normal(size=features.shape)
    both = guess_attribute([features, noise], kinds, names)
    assert balanced_accuracy(kinds, both) > 0.8
    # Pixels that are all the same tell nothing, and break nothing.
    flat = np.zeros((len(kinds), 5))
    assert len(guess_attribute([flat], kinds, names)) == len(kinds)


def test_what_cannot_be_guessed_is_named():
    features, kinds, names = made_up(signal=1.0)
    with pytest.raises(ValueError, match='nothing to guess'):
        guess_attribute([features], ['x'] * len(names), names)
    with pytest.raises(ValueError, match='2 people are too few for 5 folds'):
        guess_attribute([features[:4]], kinds[:4], names[:4])


@pytest.mark.parametrize(
    'colour, tone',
    [
        ((244, 220, 205), 'light'),
        ((205, 160, 125), 'intermediate'),
        ((85, 55, 42), 'dark'),
    ],
)
def test_skin_is_measured_on_the_cheeks(colour, tone):
    face = np.random.default_rng(0).integers(0, 256, (112, 112, 3)).astype(np.uint8)
    face[60:90, 25:50] = face[60:90, 65:90] = colour
    assert skin_tone(face) == tone


# The metric.


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """People of whom the colour of the picture tells one thing, noise another."""
    root = tmp_path_factory.mktemp('attributes')
    random = np.random.default_rng(0)
    rows = []
    for number in range(PEOPLE):
        (root / 'faces' / f'p{number}').mkdir(parents=True)
        warm = number % 2
        for image in range(2):
            pixels = random.normal(110 + 30 * warm, 25, (32, 32, 3)).clip(0, 255)
            path = root / 'faces' / f'p{number}' / f'{image}.png'
            cv2.imwrite(str(path), pixels.astype(np.uint8))
        sign = '' if number < 2 else ('warm', 'cold')[warm]
        rows.append([f'p{number}', sign, 'rare' if number < 3 else 'usual'])
    with (root / 'labels.csv').open('w', newline='') as file:
        csv.writer(file).writerows([['person', 'tone', 'kind'], *rows])
    return root


class Redrawer(torch.nn.Module):
    crop_size, margin, discriminator = 32, 0.0, None

    def __init__(self, modifier='IdentityModifier'):
        super().__init__()
        self.modifier = MODELS.build(dict(type=modifier))

    def redraw_faces(self, faces):
        return self.modifier(faces)


def measure(people, modifier='IdentityModifier', **kwargs):
    faces = dict(type='mmanon.FaceIdentityDataset', data_root=str(people / 'faces'))
    metric = FaceAttributeMetric(faces, str(people / 'labels.csv'), **kwargs)
    metric.prepare(Redrawer(modifier), torch.device('cpu'))
    metric.process(None, [])
    return metric.evaluate(size=1)


def test_modified_faces_tell_what_originals_do_or_nothing(people, monkeypatch):
    said = []
    monkeypatch.setattr(
        face_attribute_metric, 'print_log', lambda text, **_: said.append(text)
    )
    shown = measure(people)
    masked = measure(people, 'SolidMaskModifier')

    names = {'chance', 'people', 'original/balanced_accuracy'}
    names = {f'attributes/tone/{one}' for one in names}
    assert set(shown) == {*names, 'attributes/tone/modified/balanced_accuracy'}
    assert shown['attributes/tone/chance'] == 0.5
    # Nothing is known of two.
    assert shown['attributes/tone/people'] == PEOPLE - 2
    figure = 'balanced_accuracy'
    assert shown[f'attributes/tone/modified/{figure}'] > 0.85
    assert masked[f'attributes/tone/original/{figure}'] > 0.85
    # Each fold's head guesses one and the same of all.
    assert abs(masked[f'attributes/tone/modified/{figure}'] - 0.5) < 0.1
    assert "kind is left out: fewer than two of ['rare', 'usual'] have 10" in said[0]


def test_heads_learn_from_a_recognizer_too(people, tmp_path):
    torch.manual_seed(0)
    recognizer = tiny_discriminator()
    del recognizer['head'], recognizer['margin']
    weights = MODELS.build(recognizer).backbone.state_dict()
    torch.save(weights, tmp_path / 'weights.pth')
    recognizer['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')
    )
    figures = measure(people, recognizer=recognizer, attributes=['tone'], prefix='a')
    assert figures['a/tone/modified/balanced_accuracy'] > 0.7


def test_labels_may_be_of_images(people, tmp_path):
    paths = [Path('x/train/00001/1.jpg'), Path('x/train/00002/1.jpg')]
    table = tmp_path / 'celeba.csv'
    table.write_text('image,Male,Young\ntrain/00001/1.jpg,1,-1\n')
    found = read_attributes(table, paths)
    assert {name: values.tolist() for name, values in found.items()} == {
        'Male': ['1', ''],
        'Young': ['-1', ''],
    }
    with pytest.raises(ValueError, match=r"no column \['Bald'\]"):
        read_attributes(table, paths, ['Bald'])
    with pytest.raises(ValueError, match='has none of the people of x/train'):
        read_attributes(table, paths[1:])
    table.write_text('name,Male\n')
    with pytest.raises(ValueError, match='it needs `person` or `image`'):
        read_attributes(table, paths)
    with pytest.raises(FileNotFoundError, match='labels none.csv does not exist'):
        read_attributes('none.csv', paths)


def test_too_few_folds_are_refused(people):
    with pytest.raises(ValueError, match='folds must be at least 2'):
        measure(people, folds=1)


# The table of portraits.


def test_names_and_tables_of_portraits_tell(tmp_path, capsys):
    for name in ('synthetic_male_3', 'london_001', 'london_002', 'congress_X'):
        (tmp_path / 'train' / name).mkdir(parents=True)
    info = tmp_path / 'london_info.csv'
    info.write_text(
        'face_id,face_age,face_gender,face_eth\n001,24,Female,white\n002,,male,\n'
    )
    main = runpy.run_path(str(TOOL))['main']
    out = tmp_path / 'attributes.csv'
    call = [str(tmp_path / 'train'), '--out', str(out), '--info']

    assert main([*call, str(info)]) == 0

    with out.open(newline='') as file:
        rows = list(csv.reader(file))
    assert rows == [
        ['person', 'gender', 'age_group', 'ethnicity'],
        ['london_001', 'female', 'under 30', 'white'],
        ['london_002', 'male', '', ''],
        ['synthetic_male_3', 'male', '', ''],
    ]
    assert 'attributes of 3 of 4 people' in capsys.readouterr().out
    other = info.rename(tmp_path / 'table.csv')
    assert main([*call, str(other)]) == 1
    assert 'must be named <set>_info.csv' in capsys.readouterr().err
