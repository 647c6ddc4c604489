"""A command whose reader has enough, as behind ``head``, ends without an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_videos import picture, write_video

ROOT = Path(__file__).parents[2]


def run_unread(*arguments):
    """Run a command whose standard output nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT)},
        )
    finally:
        os.close(write)


@pytest.mark.parametrize(
    'command',
    [
        ['-m', 'mmanon.cli.anonymize', '--list-modifiers'],
        ['-m', 'mmanon', '--help'],
        ['-m', 'mmanon', 'convert'],
    ],
)
def test_a_list_that_nobody_reads_ends_without_a_word(command):
    done = run_unread(*command)
    assert (done.returncode, done.stderr) == (141, '')


def test_work_goes_on_when_nobody_reads_the_log(tmp_path):
    clip = write_video(tmp_path / 'clip.mp4', [picture(t) for t in range(3)])
    done = run_unread('-m', 'mmanon.cli.anonymize', clip, '-o', tmp_path / 'out')
    assert 'Traceback' not in done.stderr
    assert (tmp_path / 'out' / 'clip.mp4').is_file()
