import json
import shutil

import pytest
from made_videos import RedSquareDetector, picture, write_video
from mmengine.model import BaseModule
from PIL import Image

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.cli import audit as audit_command
from mmanon.cli.audit import main


class AllAlike(BaseModule):
    """A recognizer that is never asked: the detector gives no landmarks."""


@pytest.fixture(autouse=True)
def red_squares_are_faces(monkeypatch):
    monkeypatch.setattr(audit_command, 'build_detector', lambda *_: RedSquareDetector())
    monkeypatch.setattr(audit_command, 'build_recognizer', lambda _: AllAlike())


@pytest.fixture
def data(tmp_path):
    write_video(tmp_path / 'data/deep/clip.mp4', [picture(t) for t in range(8)])
    Image.fromarray(picture(0)).save(tmp_path / 'data/photo.png')
    anonymize = AnonymizerInferencer(detector=dict(type='RedSquareDetector'))
    anonymize(tmp_path / 'data', tmp_path / 'out')
    return tmp_path


def audit(data, *more):
    known = ['--recognizer', 'x.pt', '--threshold', '0.3']
    return main([str(data / 'data'), str(data / 'out'), *known, *more])


def test_a_folder_without_leaks_ends_with_0(data, capsys):
    assert audit(data) == 0
    said = capsys.readouterr().out
    assert said.count('no leak found') == 2
    assert '2 files checked, 0 leak, 0 not checked' in said


def test_a_leak_ends_with_1_and_is_told_as_text_and_as_json(data, capsys):
    shutil.copy(data / 'data/photo.png', data / 'out/photo.png')
    path = data / 'audit.json'
    assert audit(data, '--json', str(path)) == 1
    assert 'photo.png: 1 LEAKS' in capsys.readouterr().out
    told = json.loads(path.read_text())
    assert told['leaks'] == 1 and told['threshold'] == 0.3
    (photo,) = [one for one in told['files'] if one['leaks']]
    assert photo['original'].endswith('photo.png')
    assert photo['findings'][0]['kind'] == 'uncovered'


def test_what_was_not_made_or_cannot_be_read_ends_with_2(data, capsys):
    (data / 'out/photo.png').unlink()
    (data / 'out/deep/clip.mp4').write_text('no video')
    assert audit(data) == 2
    said = capsys.readouterr().err
    assert 'there is no' in said and 'photo.png' in said and 'clip.mp4' in said


def test_the_output_may_be_of_another_kind(data):
    (data / 'out/deep/clip.mp4').rename(data / 'out/deep/clip.mkv')
    assert audit(data) == 0


def test_a_file_is_not_compared_with_a_folder(data, capsys):
    known = ['--recognizer', 'x.pt', '--threshold', '0.3']
    assert main([str(data / 'data/photo.png'), str(data / 'out'), *known]) == 2
    assert 'both be files' in capsys.readouterr().err


def test_a_threshold_must_be_given_or_measured(data):
    with pytest.raises(SystemExit):
        main([str(data / 'data'), str(data / 'out'), '--recognizer', 'x.pt'])


def test_a_threshold_that_cannot_be_measured_is_explained(data, capsys):
    nobody = data / 'nobody'
    nobody.mkdir()
    known = ['--recognizer', 'x.pt', '--identities', str(nobody)]
    assert main([str(data / 'data'), str(data / 'out'), *known]) == 2
    assert '0 faces of 0 people' in capsys.readouterr().err
