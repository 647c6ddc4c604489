import runpy
from pathlib import Path

import pytest
from made_videos import RedSquareDetector, picture, write_video

from mmanon.apis import anonymizer_inferencer

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark_anonymize.py'


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(
        anonymizer_inferencer, 'build_detector', lambda *_: RedSquareDetector()
    )
    return runpy.run_path(str(TOOL))['main']


def test_all_settings_are_measured_against_no_search(run, tmp_path, capsys):
    clip = write_video(tmp_path / 'a.mp4', [picture(t) for t in range(6)])
    assert run([str(clip), '--runs', '1', '--every', '2']) == 0
    said, _, *rows = capsys.readouterr().out.strip().splitlines()[-7:]
    assert said == 'a.mp4: 6 frames, medians of 1 runs'
    names = [row[:14].strip() for row in rows]
    assert names == ['default', 'every 2', 'scale 0.5', 'both', 'no search']
    assert [int(row.split()[-1]) for row in rows] == [6, 6, 6, 6, 0]
    assert rows[-1].split()[-2] == '1.00'
    assert all(float(row.split()[-4]) > 0 for row in rows)


def test_a_clip_that_is_not_there_is_named(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run([str(tmp_path / 'none.mp4')])
    assert 'none.mp4 does not exist' in capsys.readouterr().err


def test_a_clip_that_cannot_be_read_ends_with_its_reason(run, tmp_path):
    clip = tmp_path / 'a.mp4'
    clip.write_text('no video')
    with pytest.raises(SystemExit, match='a.mp4 cannot be read as a video'):
        run([str(clip)])
