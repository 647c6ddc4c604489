import json
import runpy
import sys
from pathlib import Path

import pytest
from made_videos import picture, write_video

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark_covering.py'
HEAD = 'clip,frame,person,kind,x1,y1,x2,y2\n'


@pytest.fixture
def clips(tmp_path):
    """A red square that no face detector finds, and that is labelled as a face."""
    write_video(tmp_path / 'clips' / 'a.mp4', [picture(t) for t in range(4)])
    (tmp_path / 'labels.csv').write_text(
        HEAD + 'a.mp4,0,1,face,8,20,24,36\na.mp4,2,,none,,,,\ngone.mp4,0,,none,,,,\n'
    )
    return tmp_path


def run(monkeypatch, *argv):
    monkeypatch.setattr(sys, 'argv', ['benchmark_covering.py', *map(str, argv)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOL), run_name='__main__')
    return end.value.code


def test_rows_and_other_commands_are_measured_by_the_same_labels(
    clips, monkeypatch, capfd
):
    out = clips / 'figures.json'
    code = run(
        monkeypatch,
        *('--clips', clips / 'clips', '--labels', clips / 'labels.csv'),
        *('--work-dir', clips / 'work', '--json', out),
        *('--against', 'copy=cp {clip} {out}'),
    )
    assert code == 0
    figures = json.loads(out.read_text())
    for row in ('default', 'copy'):
        assert figures[row]['all']['faces']['12-24'] == 1
        assert figures[row]['all']['open']['12-24'] == 1
        assert figures[row]['all']['covered'] == 0
    assert figures['default']['a.mp4']['seconds'] > 0
    said = capfd.readouterr()
    assert 'gone.mp4 is in none of the folders' in said.err
    assert '  copy ' in said.out


def test_what_cannot_be_measured_is_told(clips, monkeypatch, capfd):
    given = ('--clips', clips / 'clips', '--labels')
    assert run(monkeypatch, *given, clips / 'none.csv') == 2
    assert 'do not exist' in capfd.readouterr().err
    assert run(monkeypatch, *given, clips / 'labels.csv', '--row', 'careful') == 2
    assert 'take NAME=' in capfd.readouterr().err
