import json

import numpy as np
import pytest
from by_colour import recognize_colours
from made_videos import anonymizer
from PIL import Image

from mmanon.anonymizer.known_people import KnownPeople
from mmanon.face_detectors import BaseFaceDetector
from mmanon.structures.faces import Faces

MARKS = np.array([[20, 20], [40, 20], [30, 30], [22, 42], [38, 42]], float)


class EverywhereDetector(BaseFaceDetector):
    """Finds one face in the middle of any picture."""

    def _detect(self, image):
        return np.array([[10, 8, 50, 52]]), np.ones(1), MARKS[None]


@pytest.fixture(autouse=True)
def colours_are_recognized(monkeypatch):
    recognize_colours(monkeypatch.setattr)


def photograph(colour):
    return np.full((60, 60, 3), colour, np.uint8)


ANN, BOB = (220, 40, 128), (40, 220, 128)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'ann').mkdir()
    Image.fromarray(photograph(ANN)).save(tmp_path / 'ann/1.png')
    return tmp_path


def people(folder, **kwargs):
    return KnownPeople(folder, EverywhereDetector(), object(), **kwargs)


def faces(marks=MARKS):
    return Faces(
        np.array([[0.2, 0.2, 0.8, 0.8]], np.float32),
        np.ones(1, np.float32),
        (marks / 60).astype(np.float32)[None],
        np.full(1, -1, np.int32),
    )


def test_similarity_is_high_for_the_person_only(folder):
    known = people(folder)
    assert known.similarity(photograph(ANN), faces())[0] > 0.99
    assert known.similarity(photograph(BOB), faces())[0] < 0
    assert np.isnan(known.similarity(photograph(ANN), faces(MARKS * np.nan)))[0]


def test_when_unsure_a_face_is_covered(folder):
    away = np.arange(-3, 4)

    def visible(known, *similarity):
        return known.visible(away, np.array(similarity, float))

    known = people(folder, same=0.5, different=0.1)
    nan = np.nan
    assert visible(known, *[0.8] * 7)
    assert visible(known, 0.8, 0.8, 0.8, 0.4, 0.8, 0.8, 0.8)
    assert not visible(known, 0.8, 0.8, 0.8, 0.1, 0.8, 0.8, 0.8)
    assert not visible(known, *[0.45] * 7) and not visible(known, *[nan] * 7)
    assert not visible(known, 0.8, 0.8, 0.8, nan, 0.8, 0.8, 0.8)
    only = people(folder, only=True, same=0.5, different=0.1)
    assert visible(only, *[0.0] * 7) and not visible(only, *[0.2] * 7)
    assert not visible(only, 0, 0, 0, 0, 0, 0, 0.4) and not visible(only, *[nan] * 7)


@pytest.mark.parametrize(('only', 'shown'), [(False, ANN), (True, BOB)])
def test_allowlist_and_only_decide_who_is_masked(folder, only, shown):
    inferencer = anonymizer(
        detector=EverywhereDetector(),
        recognizer='any',
        **{'only' if only else 'allowlist': folder},
    )
    for colour in (ANN, BOB):
        (outcome,) = inferencer(photograph(colour))
        assert np.array_equal(outcome.image, photograph(colour)) == (colour == shown)
        assert (outcome.spared, outcome.faces) == (
            (1, 0) if colour == shown else (0, 1)
        )


def test_what_is_missing_is_said(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='photographs'):
        people(tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='no face'):
        people(tmp_path / 'empty')
    with pytest.raises(ValueError, match='recognizer'):
        anonymizer(detector=EverywhereDetector(), allowlist=folder)
    with pytest.raises(ValueError, match='exclude'):
        anonymizer(allowlist=folder, only=folder, recognizer='any')
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({}))
    with pytest.raises(ValueError, match='boxes'):
        anonymizer(boxes=boxes, allowlist=folder, recognizer='any')


def test_real_people_are_told_apart(shared_data, tmp_path, monkeypatch):
    torch = pytest.importorskip('torch', reason='recognizers are networks of PyTorch')
    monkeypatch.undo()
    torch.set_num_threads(1)
    lfw = shared_data / 'faces' / 'lfw10'
    recognizer = shared_data / 'weights' / 'mobilefacenet_ms1m.pt'
    for number in (1, 2, 3):
        name = f'Tony_Blair/Tony_Blair_000{number}.jpg'
        (tmp_path / f'{number}.jpg').write_bytes((lfw / name).read_bytes())
    inferencer = anonymizer(detector=None, allowlist=tmp_path, recognizer=recognizer)
    for name, spared in [
        ('Tony_Blair/Tony_Blair_0007', 1),
        ('Colin_Powell/Colin_Powell_0003', 0),
        ('Vladimir_Putin/Vladimir_Putin_0002', 0),
    ]:
        (outcome,) = inferencer(np.array(Image.open(lfw / f'{name}.jpg')))
        assert outcome.spared == spared, name
