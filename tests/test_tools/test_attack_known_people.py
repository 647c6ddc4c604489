import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmanon.face_detectors import BaseFaceDetector

TOOL = Path(__file__).parents[2] / 'tools' / 'attack_known_people.py'


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TOOL))


class Middle(BaseFaceDetector):
    """Finds a face in the middle of each picture that is not black."""

    def _detect(self, image):
        found = int(image.any())
        boxes = np.array([[16, 16, 32, 32]] * found).reshape(-1, 4)
        return boxes, np.full(found, 0.9), np.zeros((found, 5, 2))


def test_people_who_look_alike_are_guessed_and_others_are_named(tool):
    random = np.random.default_rng(0)
    names = np.repeat(list('abcd'), 10)
    looks = random.random((4, 576)).repeat(10, 0)
    noise = 0.05 * random.random((40, 576))
    assert tool['best_share']((looks + noise).astype(np.float32), names) == 1
    assert tool['best_share'](noise.astype(np.float32), names) < 0.6


def test_faces_of_photographs_are_cut_out_and_a_cover_is_tried(
    tool, tmp_path, monkeypatch, capsys
):
    main = tool['main']
    monkeypatch.setitem(main.__globals__, 'build_detector', Middle)
    random = np.random.default_rng(1)
    for person in 'ab':
        folder = tmp_path / 'people' / person
        folder.mkdir(parents=True)
        look = random.integers(40, 215, (48, 48, 3))
        for number in range(4):
            picture = (look + random.integers(0, 20, look.shape)).astype(np.uint8)
            Image.fromarray(picture).save(folder / f'{number}.png')
    (tmp_path / 'people' / 'a' / 'note.txt').write_text('no picture')
    Image.fromarray(np.zeros((48, 48, 3), np.uint8)).save(
        tmp_path / 'people' / 'b' / 'none.png'
    )
    code = main([str(tmp_path / 'people'), '--cover', 'kept=--overwrite'])
    said = capsys.readouterr()
    assert code == 0 and 'none.png: no face found' in said.err
    lines = said.out.splitlines()
    assert lines[0] == '8 pictures of 2 people; chance is 50.0%'
    # The real detector finds no face in noise, and nothing is covered.
    assert lines[1:] == ['original: 100%', 'default: 100%', 'kept: 100%']


def test_what_cannot_be_tried_is_told(tool, tmp_path, capsys):
    for argv, said in (
        ([str(tmp_path / 'gone')], 'does not exist'),
        ([str(tmp_path), '--cover', 'grey'], 'takes NAME=OPTIONS'),
    ):
        with pytest.raises(SystemExit):
            tool['main'](argv)
        assert said in capsys.readouterr().err
