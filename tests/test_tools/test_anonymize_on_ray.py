import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_videos import (
    SQUARES,
    anonymizer,
    is_red,
    picture,
    read_frames,
    write_video,
)
from PIL import Image

from mmanon.cli import anonymize_on_ray as ray_command

TOOL = Path(__file__).parents[2] / 'tools/anonymize_on_ray.py'


@pytest.fixture
def data(tmp_path):
    """Three clips of a red square, its boxes, and two files that cannot be read."""
    root = tmp_path / 'data'
    boxes = {}
    for name in ('a.mp4', 'deep/b.mp4', 'deep/er/c.mp4'):
        write_video(root / name, [picture(t) for t in range(6)])
        boxes[name] = {t: [[8 + 2 * t, 20, 24 + 2 * t, 36]] for t in range(6)}
    Image.fromarray(picture(0)).save(root / 'deep/photo.png')
    boxes['deep/photo.png'] = [[8, 20, 24, 36]]
    (root / 'text.mp4').write_text('Dear Eve, ' * 100)
    boxes['text.mp4'] = {}
    (tmp_path / 'boxes.json').write_text(json.dumps(boxes))
    return root


def files(folder):
    found = (path for path in folder.rglob('*') if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def command(folder, *options):
    """Run by paths that only hold in its own folder."""
    return subprocess.run(
        [
            *(sys.executable, str(TOOL), '--workers', '2', 'data', '-o', 'out'),
            *('--boxes', 'boxes.json', '--report', 'reports', *SQUARES, *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        timeout=500,
    )


def test_two_workers_do_a_folder_list_failures_and_go_on(data, tmp_path):
    pytest.importorskip('ray', reason='several workers need mmanon[ray]')
    done = command(tmp_path)
    assert done.returncode == 1, done.stderr
    assert '4 written, 0 skipped, 1 failed' in done.stdout
    told = [line for line in done.stderr.splitlines() if 'text.mp4' in line]
    assert any('cannot be opened' in one for one in told)
    out = tmp_path / 'out'
    clips = ['a.mp4', 'deep/b.mp4', 'deep/er/c.mp4']
    assert files(out) == sorted([*clips, 'deep/photo.png'])
    assert files(tmp_path / 'reports') == [f'{file}.json' for file in files(out)]
    for clip in clips:
        frames = read_frames(out / clip)
        assert len(frames) == 6 and not any(is_red(frame).any() for frame in frames)

    # The same command does what is left.
    (data / 'text.mp4').unlink()
    (out / 'deep/b.mp4').unlink()
    first = (out / 'a.mp4').stat().st_mtime_ns
    done = command(tmp_path)
    assert done.returncode == 0, done.stderr
    assert '1 written, 3 skipped, 0 failed' in done.stdout
    assert (out / 'a.mp4').stat().st_mtime_ns == first
    assert len(read_frames(out / 'deep/b.mp4')) == 6


class Dying(ray_command.FileAnonymizer):
    """A worker that one file takes down."""

    def __call__(self, row):
        if row['name'] == 'deep/b.mp4':
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(row)


def test_a_file_that_takes_its_worker_down_is_listed_and_the_others_are_done(
    data, tmp_path, monkeypatch, capfd
):
    ray = pytest.importorskip('ray', reason='several workers need mmanon[ray]')
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(ray_command, 'FileAnonymizer', Dying)
    out = tmp_path / 'out'
    options = ['--workers', '2', '--boxes', str(tmp_path / 'boxes.json')]
    assert ray_command.main([str(data), '-o', str(out), *options]) == 1
    said = capfd.readouterr()
    assert '3 written, 0 skipped, 2 failed' in said.out
    assert any(
        'deep/b.mp4' in line and 'its worker ended' in line
        for line in said.err.splitlines()
    )
    assert files(out) == ['a.mp4', 'deep/er/c.mp4', 'deep/photo.png']


# --- Without a cluster ----------------------------------------------------------------


@pytest.fixture
def no_cluster(monkeypatch):
    """Workers that are functions."""
    asked = []

    def run(cluster, args, sources):
        asked.append((cluster, args, sources))
        return []

    monkeypatch.setattr(ray_command, 'run', run)
    return asked


def test_a_worker_writes_where_the_command_for_one_machine_would(data, tmp_path):
    _, args = ray_command.parse_args(
        ['--workers', '1', str(data), '-o', str(tmp_path / 'out')]
        + ['--boxes', str(tmp_path / 'boxes.json')]
    )
    sources, refused, _ = ray_command.find_files(args)
    worker = ray_command.FileAnonymizer(args)
    rows = [worker(vars(source)) for source in sources]
    alone = anonymizer(boxes=tmp_path / 'boxes.json')
    outcomes = alone(data, tmp_path / 'alone')
    assert not refused and files(tmp_path / 'out') == files(tmp_path / 'alone')
    assert [row['status'] for row in rows] == [result.status for result in outcomes]
    assert [row['reason'] for row in rows] == [result.reason for result in outcomes]


def test_workers_get_full_paths(data, tmp_path, monkeypatch, no_cluster):
    pytest.importorskip('mmengine', reason='which reads configs')
    monkeypatch.chdir(tmp_path)
    Path('mine.py').write_text("modifier = dict(type='PixelateModifier')\n")
    options = ['--boxes', 'boxes.json', '--modifier', 'mine.py', '--report', 'told']
    assert ray_command.main(['--workers', '2', 'data', '-o', 'out', *options]) == 0
    ((cluster, args, sources),) = no_cluster
    assert cluster.workers == 2 and cluster.gpus_per_worker == 0
    assert args.out_dir == str(tmp_path / 'out') and args.report == str(
        tmp_path / 'told'
    )
    assert args.modifier == str(tmp_path / 'mine.py')
    assert all(Path(source.where).is_absolute() for source in sources)
    assert [source.name for source in sources][:2] == ['a.mp4', 'text.mp4']


def test_what_one_machine_alone_can_do_is_refused(data, tmp_path, capsys, no_cluster):
    both = [str(data / 'a.mp4'), str(data / 'a.mp4'), 'rtsp://host/door']
    out = ['-o', str(tmp_path / 'out')]
    assert ray_command.main(['--workers', '1', *both, *out]) == 1
    said = capsys.readouterr().err
    assert 'would both be written' in said and 'camera or stream' in said
    assert len(no_cluster[0][2]) == 1


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (['--modifier', 'nowhere.onnx'], 'does not exist'),
        (['--boxes', 'none.json'], 'do not exist'),
    ],
)
def test_wrong_options_are_told_before_a_worker_starts(
    data, tmp_path, capsys, no_cluster, wrong, said
):
    options = ['--workers', '1', str(data), '-o', str(tmp_path / 'out')]
    assert ray_command.main([*options, *wrong]) == 1
    assert said in capsys.readouterr().err and not no_cluster


def test_without_ray_it_says_what_to_install(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    options = ['--workers', '1', str(data), '-o', str(tmp_path / 'out')]
    assert ray_command.main(options) == 2
    assert 'pip install "mmanon[ray]"' in capsys.readouterr().err
