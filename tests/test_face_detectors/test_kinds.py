import sys
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from blue_plates import write_detector
from made_videos import RedSquareDetector

from mmanon.face_detectors import OnnxBoxDetector, register_kind
from mmanon.face_detectors.kinds import build_kind, known_kinds, parse_kinds


@pytest.fixture(autouse=True)
def no_kind_is_left_behind(monkeypatch):
    monkeypatch.setattr('mmanon.face_detectors.kinds._MAKERS', {})


@pytest.mark.parametrize(
    'text, said',
    [
        ('', "must have the form 'faces,plates=plates.onnx'"),
        ('faces,', 'must have the form'),
        ('plates=', 'must have the form'),
        ('faces,faces', "name 'faces' twice"),
        ('faces=a.onnx', 'faces take no file here'),
        ('Plates=a.onnx', 'a lower-case word'),
    ],
)
def test_kinds_of_another_form_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        parse_kinds(text)


def test_a_kind_that_nobody_knows_needs_a_file(tmp_path):
    with pytest.raises(ValueError, match=r"for 'plates': .* plates=FILE.onnx"):
        build_kind('plates')
    file = write_detector(tmp_path / 'plates.onnx')
    assert isinstance(build_kind('plates', file), OnnxBoxDetector)


def test_a_registered_kind_is_given_the_file_and_the_device():
    told = {}

    def make(**given):
        told.update(given)
        return RedSquareDetector()

    register_kind('badges', make)
    assert known_kinds() == ['badges']
    assert isinstance(build_kind('badges', 'b.bin'), RedSquareDetector)
    assert told == dict(weights='b.bin', device='cpu')
    with pytest.raises(ValueError, match="'badges' is registered already"):
        register_kind('badges', make)
    with pytest.raises(ValueError, match="other than 'faces'"):
        register_kind('faces', make)


def test_an_installed_package_adds_a_kind_by_an_entry_point(tmp_path, monkeypatch):
    folder = tmp_path / 'theirs-1.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text('Metadata-Version: 2.1\nName: theirs\nVersion: 1')
    (folder / 'entry_points.txt').write_text(
        '[mmanon.covered_kinds]\nbadges = their_badges:Badges\n'
    )
    (tmp_path / 'their_badges.py').write_text(
        'from made_videos import RedSquareDetector\n'
        'class Badges(RedSquareDetector):\n'
        '    def __init__(self, weights=None, device="cpu"):\n'
        '        super().__init__()\n'
    )
    assert isinstance(Distribution.at(folder), Distribution)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert known_kinds() == ['badges']
    built = build_kind('badges')
    assert Path(sys.modules[type(built).__module__].__file__).parent == tmp_path
    assert isinstance(built, RedSquareDetector)
