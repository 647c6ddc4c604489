import json
import shutil

import pytest
from made_videos import RedSquareDetector, anonymizer, picture, write_video
from PIL import Image

from mmanon.cli.audit import main


@pytest.fixture(autouse=True)
def red_squares_are_faces(monkeypatch):
    monkeypatch.setattr(
        'mmanon.anonymizer.face_finding.build_detector', lambda *_: RedSquareDetector()
    )
    # It is never asked: the detector gives no landmarks.
    monkeypatch.setattr(
        'mmanon.anonymizer.recognizer.build_recognizer', lambda _: object()
    )


@pytest.fixture
def data(tmp_path):
    write_video(tmp_path / 'data/deep/clip.mp4', [picture(t) for t in range(8)])
    Image.fromarray(picture(0)).save(tmp_path / 'data/photo.png')
    anonymizer()(tmp_path / 'data', tmp_path / 'out')
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


@pytest.mark.parametrize('where', ['a folder', 'below a file'])
def test_a_json_that_cannot_be_written_is_told_before_the_audit(data, capsys, where):
    path = data / 'data' if where == 'a folder' else data / 'data/photo.png/a.json'
    assert audit(data, '--json', str(path)) == 2
    said = capsys.readouterr()
    assert f'--json {path} cannot be written' in said.err
    assert '0 files checked' in said.out


def test_the_output_may_be_of_another_kind(data):
    (data / 'out/deep/clip.mp4').rename(data / 'out/deep/clip.mkv')
    assert audit(data) == 0


def test_a_file_is_not_compared_with_a_folder(data, capsys):
    known = ['--recognizer', 'x.pt', '--threshold', '0.3']
    assert main([str(data / 'data/photo.png'), str(data / 'out'), *known]) == 2
    assert 'both be files' in capsys.readouterr().err


def test_recognizer_and_threshold_come_together(data, capsys):
    for one in (['--recognizer', 'x.pt'], ['--threshold', '0.3']):
        with pytest.raises(SystemExit):
            main([str(data / 'data'), str(data / 'out'), *one])
        assert '--recognizer needs --threshold' in capsys.readouterr().err


def test_without_a_recognizer_open_faces_are_found_and_it_says_what_was_not_asked(
    data, capsys
):
    files = [str(data / 'data'), str(data / 'out')]
    assert main(files) == 0
    said = capsys.readouterr().out
    assert said.count('no open face found') == 2 and '--recognizer' in said
    shutil.copy(data / 'data/photo.png', data / 'out/photo.png')
    assert main(files) == 1
    assert 'photo.png: 1 LEAKS' in capsys.readouterr().out


def test_a_threshold_that_cannot_be_measured_is_explained(data, capsys):
    nobody = data / 'nobody'
    nobody.mkdir()
    known = ['--recognizer', 'x.pt', '--identities', str(nobody)]
    assert main([str(data / 'data'), str(data / 'out'), *known]) == 2
    assert '0 faces of 0 people' in capsys.readouterr().err
