import json

import av
import numpy as np
import pytest
from PIL import Image

from mmanon.datasets.formats.ava_reader import read_ava_boxes
from mmanon.datasets.mini_benchmark import MiniBenchmarkSettings, build_mini_benchmark
from mmanon.datasets.mini_benchmark.clips import write_clips
from mmanon.datasets.mini_benchmark.settings import KEY_FRAME
from mmanon.structures.boxes import box_ious
from mmanon.structures.face_table import FaceTable


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    out = tmp_path_factory.mktemp('benchmark') / 'mini'
    settings = dict(train_clips=1, test_clips=3, train_identities=2, test_identities=2)
    assert build_mini_benchmark(out, MiniBenchmarkSettings(**settings))
    return out


def test_test_clips_become_videos_with_their_faces_and_people(mini, tmp_path):
    videos = write_clips(mini, tmp_path / 'clips', 2)
    assert [one.name for one in videos] == ['test_0000.mp4', 'test_0001.mp4']
    with av.open(str(videos[1])) as container:
        frames = [one.to_ndarray(format='rgb24') for one in container.decode(video=0)]
        assert float(container.duration) / av.time_base == pytest.approx(2, abs=0.1)
    files = sorted((mini / 'rawframes' / 'test_0001').glob('*.jpg'))
    for frame, file in zip(frames, files, strict=True):
        stored = np.asarray(Image.open(file)).astype(int)
        assert np.abs(frame - stored).mean() < 6
    faces = json.loads((tmp_path / 'clips_faces.json').read_text())
    table = FaceTable(mini / 'faces.parquet')
    height, width = frames[0].shape[:2]
    for number in range(len(files)):
        known = table.lookup('test_0001', number + 1).boxes
        given = faces['test_0001.mp4'][str(number)]
        assert np.allclose(given, known * [width, height, width, height], atol=1e-3)
    people = json.loads((tmp_path / 'clips_people.json').read_text())
    rows = read_ava_boxes(mini / 'annotations' / 'test.csv')
    for video in ('test_0000', 'test_0001'):
        (frame, boxes), *others = people[f'{video}.mp4'].items()
        assert (int(frame), others) == (KEY_FRAME - 1, [])
        mine = rows.boxes[[name == video for name in rows.videos]]
        known = np.unique(mine, axis=0) * [width, height, width, height]
        found = box_ious(known[:, None], np.array(boxes)).max(1)
        assert (found > 0.7).all()


def test_without_the_benchmark_it_is_said_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match='make it by tools/make_mini_benchmark'):
        write_clips(tmp_path, tmp_path / 'clips')
