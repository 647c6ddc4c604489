import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

PATH = Path(__file__).parents[2] / 'tools/dataset_converters/ava_to_coco.py'
LABELS = 'item {{\n  name: "{}"\n  id: {}\n}}\n'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[PATH.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ava(tmp_path):
    """Two frames of 40 x 20 pixels; one person does two things at once."""
    for video, number in (('a', 5), ('b', 2)):
        folder = tmp_path / 'rawframes' / video
        folder.mkdir(parents=True)
        image = np.zeros((20, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f'img_{number:05}.jpg'), image)
    (tmp_path / 'labels.pbtxt').write_text(
        LABELS.format('wave', 1) + LABELS.format('talk', 3)
    )
    (tmp_path / 'test.csv').write_text(
        'a,0005,0.25,0.1,0.75,0.9,1,0\n'
        'a,0005,0.25,0.1,0.75,0.9,3,0\n'
        'b,0002,-0.1,0.0,0.5,1.0,3,0\n'
    )
    return tmp_path


def convert(tool, root, *options):
    tool.main(
        [
            str(root / 'test.csv'),
            '--labels',
            str(root / 'labels.pbtxt'),
            '--frames',
            str(root / 'rawframes'),
            *options,
        ]
    )


def test_each_action_of_a_person_has_a_box(tool, ava):
    convert(tool, ava)

    written = json.loads((ava / 'test.json').read_text())
    images = {one['id']: one['file_name'] for one in written['images']}
    boxes = [
        (images[one['image_id']], one['category_id'], one['bbox'], one['area'])
        for one in written['annotations']
    ]
    assert boxes == [
        ('a/img_00005.jpg', 1, [10, 2, 20, 16], 320),
        ('a/img_00005.jpg', 2, [10, 2, 20, 16], 320),
        ('b/img_00002.jpg', 2, [0, 0, 20, 20], 400),
    ]
    assert [(one['width'], one['height']) for one in written['images']] == [
        (40, 20)
    ] * 2
    assert written['categories'] == [dict(id=1, name='wave'), dict(id=2, name='talk')]


def test_mmdets_data_set_reads_it_with_classes_in_the_label_maps_order(tool, ava):
    from mmdet.datasets import CocoDataset

    convert(tool, ava)
    dataset = CocoDataset(
        data_root=str(ava),
        ann_file='test.json',
        data_prefix=dict(img='rawframes/'),
        metainfo=dict(classes=('wave', 'talk')),
    )
    labels = [
        [instance['bbox_label'] for instance in dataset.get_data_info(i)['instances']]
        for i in range(len(dataset))
    ]
    assert labels == [[0, 1], [1]]
    assert dataset.get_data_info(1)['img_path'] == str(
        ava / 'rawframes/b/img_00002.jpg'
    )


def test_timestamps_in_seconds_become_frames(tool, ava):
    (ava / 'test.csv').write_text('a,0902,0,0,1,1,1,0\n')
    folder = ava / 'rawframes' / 'a'
    (folder / 'img_00005.jpg').rename(folder / 'img_00061.jpg')

    convert(tool, ava, '--fps', '30', '--timestamp-start', '900')

    (image,) = json.loads((ava / 'test.json').read_text())['images']
    assert image['file_name'] == 'a/img_00061.jpg'


def test_what_is_wrong_is_named_and_nothing_written(tool, ava):
    (ava / 'test.csv').write_text('a,0006,0,0,1,1,1,0\n')
    with pytest.raises(
        SystemExit, match=r'img_00006\.jpg is annotated but does not exist'
    ):
        convert(tool, ava)
    (ava / 'test.csv').write_text('a,0005,0,0,1,1,2,0\n')
    with pytest.raises(
        SystemExit, match="'a', timestamp 5: action 2 is not in the lab"
    ):
        convert(tool, ava)
    assert not (ava / 'test.json').exists()
