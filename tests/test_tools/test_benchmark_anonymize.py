import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from made_videos import picture, write_video

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark_anonymize.py'
COPY = 'import shutil, sys; shutil.copy(*sys.argv[1:])'


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / 'a.mp4', [picture(t) for t in range(6)])


@pytest.fixture
def main():
    return runpy.run_path(str(TOOL))['main']


def test_all_settings_and_another_command_are_measured(clip):
    other = f"{sys.executable} -c '{COPY}' {{clip}} {{out}}"
    # In a process of its own: none can be told to take less memory than its parent did.
    command = [
        sys.executable,
        TOOL,
        clip,
        '--runs',
        '1',
        '--every',
        '2',
        '--scale',
        '0.5',
    ]
    said = subprocess.run(
        [*command, '--against', other], capture_output=True, text=True, check=True
    )
    said, _, *rows = said.stdout.strip().splitlines()
    assert said == 'a.mp4: 6 frames, medians of 1 runs'
    names = [row[:14].strip() for row in rows]
    assert names == ['default', 'every 2', 'scale 0.5', 'no search', 'other']
    figures = [[float(one) for one in row[14:].split()] for row in rows]
    assert [len(one) for one in figures] == [5, 5, 5, 5, 4]
    assert all(one[0] > 0 and one[1] > 0 and one[3] > 1 for one in figures)
    assert figures[0][2] == 1 and figures[3][4] == 0
    # Copying a file takes less than anonymizing it, in time and in memory.
    assert figures[4][2] < 1 and figures[4][3] < figures[0][3]


def test_a_command_that_fails_is_told_with_what_it_said(main, clip):
    failing = f'{sys.executable} -c \'print("not today"); raise SystemExit(3)\''
    with pytest.raises(SystemExit, match='not today'):
        main([str(clip), '--runs', '1', '--against', failing])


def test_a_clip_that_is_not_there_is_named(main, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path / 'none.mp4')])
    assert 'none.mp4 does not exist' in capsys.readouterr().err


def test_a_clip_that_cannot_be_read_ends_with_its_reason(main, tmp_path):
    clip = tmp_path / 'a.mp4'
    clip.write_text('no video')
    with pytest.raises(SystemExit, match='a.mp4 cannot be read as a video'):
        main([str(clip)])
