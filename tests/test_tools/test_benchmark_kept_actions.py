import json
import runpy
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmark_kept_actions.py'


@pytest.fixture
def tool():
    return runpy.run_path(str(TOOL))


@pytest.fixture
def clips(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (3, 4, 4, 3), np.uint8)
    for clip in ('test_0', 'test_1'):
        folder = tmp_path / 'rawframes' / clip
        folder.mkdir(parents=True)
        for number, colour in enumerate(colours, 1):
            picture = Image.fromarray(colour.repeat(16, 0).repeat(16, 1))
            picture.save(folder / f'img_{number:05}.jpg', quality=98)
    return tmp_path / 'rawframes'


def test_images_become_a_video_without_loss_and_images_again(tool, clips, tmp_path):
    folder = clips / 'test_0'
    tool['make_video'](folder, tmp_path / 'a.mp4')
    with av.open(str(tmp_path / 'a.mp4')) as file:
        frames = [frame.to_ndarray(format='rgb24') for frame in file.decode(video=0)]
    paths = sorted(folder.iterdir())
    assert [
        (frame == Image.open(path)).all()
        for frame, path in zip(frames, paths, strict=True)
    ] == [True] * 3
    tool['make_images'](tmp_path / 'a.mp4', folder, tmp_path / 'out')
    for path in paths:
        again = np.asarray(Image.open(tmp_path / 'out' / path.name), int)
        assert abs(again - np.asarray(Image.open(path))).mean() < 3
    paths[0].unlink()
    with pytest.raises(RuntimeError, match='3 frames and not 2'):
        tool['make_images'](tmp_path / 'a.mp4', folder, tmp_path / 'out')


def test_the_detector_is_tested_on_what_each_row_has_written(
    tool, clips, tmp_path, monkeypatch, capsys
):
    seen, main = [], tool['main']

    def run(command):
        text = ' '.join(command)
        if 'test.py' in text:
            frames = Path(command[-1].partition('img=')[2])
            seen.append(frames.parent.name)
            assert len(list(frames.glob('test_*/*.jpg'))) == 6
            metrics = Path(command[command.index('--out') + 1])
            metrics.parent.mkdir(parents=True, exist_ok=True)
            metrics.write_text(json.dumps({'mAP/overall': 0.8 - 0.1 * len(seen)}))
        elif 'anonymize.py' in text:
            source, out = Path(command[2]), Path(command[4])
            for clip in source.iterdir():
                (out / clip.name).write_bytes(clip.read_bytes())
        else:
            Path(command[2]).write_bytes(Path(command[1]).read_bytes())
        return ''

    monkeypatch.setitem(main.__globals__, 'run', run)
    work = tmp_path / 'work'
    given = ['config.py', 'raw.pth', '--rawframes', str(clips), '--work-dir', str(work)]
    assert (
        main([*given, '--row', 'fast=--every 10', '--against', 'cp=cp {clip} {out}'])
        == 0
    )
    assert seen == [tmp_path.name, 'encoded', 'default', 'fast', 'cp']
    assert 'encoded      mAP 60.0 %, 86% of raw' in capsys.readouterr().out


def test_a_folder_without_clips_is_refused(tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool['main'](['c.py', 'r.pth', '--rawframes', str(tmp_path)])
    assert 'has no folder test_*' in capsys.readouterr().err
