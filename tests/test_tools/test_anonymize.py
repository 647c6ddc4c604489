import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_videos import (
    RedSquareDetector,
    is_red,
    main,
    picture,
    read_frames,
    write_video,
)
from PIL import Image

from mmanon.anonymizer import inferencer as anonymizer_inferencer

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def red_squares_are_faces(monkeypatch):
    monkeypatch.setattr(
        anonymizer_inferencer, 'build_detector', lambda *_: RedSquareDetector()
    )


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    write_video(root / 'deep/clip.mp4', [picture(t) for t in range(8)])
    Image.fromarray(picture(0)).save(root / 'photo.png')
    return root


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*.*'))


def test_a_folder_becomes_the_same_tree_without_faces(data, tmp_path, capsys):
    out = tmp_path / 'out'
    assert main([str(data), '-o', str(out)]) == 0
    assert files(out) == ['deep/clip.mp4', 'photo.png']
    assert not any(is_red(frame).any() for frame in read_frames(out / 'deep/clip.mp4'))
    assert not is_red(np.asarray(Image.open(out / 'photo.png'))).any()
    assert '2 written, 0 skipped, 0 failed' in capsys.readouterr().out


def test_a_seed_draws_the_same_again(data, tmp_path):
    options = ['--modifier', 'gaussian_noise', '--crop-size', '16']
    # An encoder that loses something need not lose the same each time.
    options += ['--codec', 'ffv1', '--container', 'mkv']
    shown = []
    for number, seed in enumerate((['--seed', '7'], ['--seed', '7'], [])):
        out = tmp_path / f'out{number}'
        assert main([str(data), '-o', str(out), *options, *seed]) == 0
        frames = read_frames(out / 'deep/clip.mkv')
        shown.append([frames[3], np.asarray(Image.open(out / 'photo.png'))])
    for first, again, other in zip(*shown, strict=True):
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_finished_files_are_skipped_until_asked_otherwise(data, tmp_path, capsys):
    out = tmp_path / 'out'
    (out / 'deep').mkdir(parents=True)
    (out / 'deep/clip.mp4').write_text('made before')
    assert main([str(data), '-o', str(out)]) == 0
    assert '1 written, 1 skipped' in capsys.readouterr().out
    assert (out / 'deep/clip.mp4').read_text() == 'made before'
    assert main([str(data), '-o', str(out), '--overwrite']) == 0
    assert len(read_frames(out / 'deep/clip.mp4')) == 8


def test_failures_are_listed_with_their_reason_and_the_rest_is_done(
    data, tmp_path, capsys
):
    (data / 'empty.mp4').touch()
    (data / 'text.mp4').write_text('Dear Eve, ' * 100)
    whole = (data / 'deep/clip.mp4').read_bytes()
    (data / 'cut.mp4').write_bytes(whole[: len(whole) // 2])
    out = tmp_path / 'out'
    assert main([str(data), '-o', str(out)]) == 1
    said = capsys.readouterr()
    assert '2 written, 0 skipped, 3 failed' in said.out
    for name, reason in [
        ('empty.mp4', 'is empty'),
        ('text.mp4', 'cannot be opened'),
        ('cut.mp4', 'cannot be opened'),
    ]:
        assert any(name in line and reason in line for line in said.err.splitlines())
    assert files(out) == ['deep/clip.mp4', 'photo.png']


def test_a_report_tells_of_each_file_what_was_done(data, tmp_path):
    def tag(container, _):
        container.metadata.update(title='At home')

    write_video(data / 'tagged.mp4', [picture(t) for t in range(5)], prepare=tag)
    reports = tmp_path / 'reports'
    assert main([str(data), '-o', str(tmp_path / 'out'), '--report', str(reports)]) == 0
    assert files(reports) == ['deep/clip.mp4.json', 'photo.png.json', 'tagged.mp4.json']
    told = json.loads((reports / 'tagged.mp4.json').read_text())
    assert told['faces_per_frame'] == [1] * 5 and len(told['tracks']) == 1
    assert any('At home' in one for one in told['removed'])
    assert told['output'] == str(tmp_path / 'out' / 'tagged.mp4')


def test_an_input_is_never_written_over(data, capsys):
    before = (data / 'photo.png').read_bytes()
    assert main([str(data / 'photo.png'), '-o', str(data), '--overwrite']) == 1
    assert 'would overwrite it' in capsys.readouterr().err
    assert (data / 'photo.png').read_bytes() == before


def test_two_inputs_of_one_name_are_not_mixed_up(data, tmp_path, capsys):
    Image.fromarray(picture(0)).save(data / 'deep/photo.png')
    both = [str(data / 'photo.png'), str(data / 'deep/photo.png')]
    assert main([*both, '-o', str(tmp_path / 'out')]) == 1
    assert 'would both be written' in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_refused(data, tmp_path, capsys):
    (tmp_path / 'file').touch()
    assert main([str(data), '-o', str(tmp_path / 'file' / 'out')]) == 1
    assert 'cannot be written' in capsys.readouterr().err


def test_a_camera_that_is_not_there(tmp_path, capsys):
    assert main(['97', '-o', str(tmp_path / 'out')]) == 1
    assert 'camera 97 cannot be opened' in capsys.readouterr().err
    assert files(tmp_path / 'out') == []


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (['nowhere.mp4'], 'does not exist'),
        (['{}', '--modifier', 'nowhere.onnx'], 'does not exist'),
        (['{}', '--start', '3', '--end', '2'], 'start < end'),
        (['{}', '--allowlist', 'nobody'], 'recognizer'),
        (['{}', '--allowlist', 'a', '--only', 'b'], 'exclude each other'),
        (['{}', '--every', '0'], 'every must be'),
        (['{}', '--boxes', 'none.json'], 'do not exist'),
    ],
)
def test_arguments_that_make_no_sense_are_explained(
    data, tmp_path, capsys, wrong, said
):
    wrong = [one.format(data / 'photo.png') for one in wrong]
    assert main([*wrong, '-o', str(tmp_path / 'out')]) == 1
    assert said in capsys.readouterr().err


def test_a_modifier_that_is_not_known_is_told_with_those_that_are(
    data, tmp_path, capsys
):
    pytest.importorskip('mmengine', reason='whose registry is asked')
    photo = str(data / 'photo.png')
    assert main([photo, '--modifier', 'Blurr', '-o', str(tmp_path / 'out')]) == 1
    assert "'Blurr'; there are" in capsys.readouterr().err


def test_what_is_not_installed_ends_with_2_and_one_sentence(
    data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, 'torch', None)
    photo = str(data / 'photo.png')
    assert main([photo, '--modifier', 'edge_map', '-o', str(tmp_path / 'out')]) == 2
    said = capsys.readouterr().err
    assert said.count('\n') == 1 and 'pip install "mmanon[train]"' in said


def test_a_clip_without_faces_stays_as_it_is(tmp_path):
    grey = [np.full((64, 96, 3), 90 + t, np.uint8) for t in range(5)]
    source = write_video(tmp_path / 'a.mkv', grey, 'ffv1', pix_fmt='yuv444p')
    assert main([str(source), '-o', str(tmp_path / 'out'), '--codec', 'ffv1']) == 0
    for before, after in zip(
        read_frames(source), read_frames(tmp_path / 'out/a.mkv'), strict=True
    ):
        assert np.array_equal(before, after)


RUN = """
import resource, signal, sys, time
sys.path.insert(0, {tests!r})
from made_videos import RedSquareDetector, main
from mmanon.anonymizer import inferencer

class Stalling(RedSquareDetector):
    left = {frames}

    def _detect(self, image):
        self.left -= 1
        if self.left == 0:
            print('<hangs>', flush=True)
            time.sleep(3600)
        return super()._detect(image)

inferencer.build_detector = lambda *_: Stalling()
# A shell that starts the tests in the background has Ctrl-C ignored below it.
signal.signal(signal.SIGINT, signal.default_int_handler)
if {limit}:
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(main(sys.argv[1:]))
"""


TO_DISK_AT_ONCE = ['--encoder-option', 'tune=zerolatency']


def start(source, out, stall_at=-1, limit=0):
    """The command as a process of its own, whose detector never ends one frame."""
    code = RUN.format(tests=str(TESTS), frames=stall_at, limit=limit)
    command = [sys.executable, '-c', code, str(source), '-o', str(out)]
    return subprocess.Popen(
        [*command, '--look-ahead', '8', '--every', '1', *TO_DISK_AT_ONCE],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_stopping_in_the_middle_leaves_nothing_under_the_final_name(tmp_path, number):
    source = write_video(tmp_path / 'a.mkv', [picture(t % 20) for t in range(60)])
    out = tmp_path / 'out'
    with start(source, out, stall_at=40) as process:
        hangs = any('<hangs>' in line for line in process.stdout)
        begun = [path.suffix for path in out.glob('*')]
        process.send_signal(number)
        said = process.stdout.read()
    assert hangs, 'the command ended before it was stopped'
    assert begun == ['.part']
    assert not (out / 'a.mkv').exists()
    if number == signal.SIGINT:
        assert process.returncode == 130 and 'interrupted' in said
        assert list(out.iterdir()) == []
    else:
        assert process.returncode == -signal.SIGKILL


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (128, 192, 1), np.uint8) for _ in range(40)]
    noise = [np.repeat(picture, 3, 2) for picture in noise]
    source = write_video(tmp_path / 'a.mkv', noise)
    out = tmp_path / 'out'
    with start(source, out, limit=60_000) as process:
        said = process.stdout.read()
    assert process.returncode == 1 and '1 failed' in said
    assert list(out.iterdir()) == []
