"""Boxes are checked against the pixels themselves: each face is a bright rectangle."""

import copy
import random
import shutil

import av
import cv2
import mmengine
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, Compose, ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope

from mmanon.datasets.transforms import LoadFaces, complete_pipeline, insert_load_faces
from mmanon.structures.face_table import Faces, FaceTable, FaceTableWriter, VideoInfo

H, W, FRAMES = 90, 121, 40
TOLERANCE = 1.5
SEEDS = range(25)


def box_of(frame):
    """One face for each frame, wandering over it, in whole pixels."""
    x, y = 5 + 2 * (frame % 30), 8 + (frame % 25)
    return np.array([x, y, x + 24 + frame % 7, y + 31 - frame % 5])


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Raw frames a/v/img_00001.png … with their face table; no face in frame 3."""
    root = tmp_path_factory.mktemp('frames')
    (root / 'a/v').mkdir(parents=True)
    with FaceTableWriter(root / 'faces.parquet', 'drawn') as table:
        table.describe('a/v', VideoInfo('folder', W, H, FRAMES))
        for frame in range(1, FRAMES + 1):
            image = np.full((H, W, 3), 20, np.uint8)
            if frame != 3:
                x1, y1, x2, y2 = box_of(frame)
                image[y1:y2, x1:x2] = 255
            cv2.imwrite(str(root / f'a/v/img_{frame:05}.png'), image)
            boxes = (box_of(frame) / [W, H, W, H])[None] if frame != 3 else []
            k = len(boxes)
            faces = Faces(
                np.array(boxes, np.float32).reshape(k, 4),
                np.ones(k, np.float32),
                np.full((k, 5, 2), np.nan, np.float32),
                np.zeros(k, np.int32),
            )
            table.add('a/v', frame, faces)
    return root


@pytest.fixture
def mmaction():
    init_default_scope('mmaction')
    import mmaction.datasets  # noqa: F401


@pytest.fixture
def mmdet():
    init_default_scope('mmdet')
    import mmdet.datasets.transforms  # noqa: F401


def seed(number):
    random.seed(number)
    np.random.seed(number)


def clip(root, numbers=(5, 3, 17, 17, 30), **more):
    return dict(
        frame_dir=str(root / 'a/v'),
        filename_tmpl='img_{:05}.png',
        modality='RGB',
        frame_inds=np.array(numbers),
        clip_len=len(numbers),
        num_clips=1,
        **more,
    )


def frames_of(results):
    imgs = results['imgs']
    if isinstance(imgs, list):
        return np.stack(imgs)
    if imgs.ndim == 4:  # collapsed C T H W
        imgs = imgs[None]
    m, c, t, h, w = imgs.shape
    return imgs.transpose(0, 2, 3, 4, 1).reshape(m * t, h, w, c)


def drawn_box(image):
    """The bright region of an image, None where there is none."""
    ys, xs = np.nonzero(image[..., 0] > 137)
    if not len(xs):
        return None
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def check_boxes(frames, faces, tolerance=TOLERANCE):
    assert faces.dtype == np.float32 and faces.shape[1] == 5
    assert (np.diff(faces[:, 0]) >= 0).all()
    h, w = frames.shape[1:3]
    compared = 0
    for i, image in enumerate(frames):
        rows = faces[faces[:, 0] == i, 1:]
        drawn = drawn_box(image)
        if drawn is None:
            # at most a sliver that the interpolation has dimmed
            for x1, y1, x2, y2 in rows:
                assert min(min(x2, w) - max(x1, 0), min(y2, h) - max(y1, 0)) < 2
            continue
        assert len(rows) == 1
        clipped = np.clip(rows[0], 0, [w, h, w, h])
        if (clipped[2:] - clipped[:2]).min() < 4:
            # interpolation dims the ends of what shows as a sliver
            assert (clipped[:2] <= drawn[:2] + tolerance).all()
            assert (clipped[2:] >= drawn[2:] - tolerance).all()
            continue
        assert np.abs(clipped - drawn).max() <= tolerance, (i, rows, drawn)
        compared += 1
    return compared


def carry(root, transforms, results=None):
    decode = dict(type='RawFrameDecode')
    load = dict(type='mmanon.LoadFaces', face_table=str(root / 'faces.parquet'))
    from mmaction.registry import TRANSFORMS

    steps = [TRANSFORMS.build(step) for step in (decode, *transforms, load)]
    return Compose(steps)(results or clip(root))


SHAPE = dict(type='FormatShape', input_format='NCTHW')
MMACTION_PIPELINES = {
    'nothing': [],
    'resize': [dict(type='Resize', scale=(-1, 144))],
    'squash': [dict(type='Resize', scale=(60, 200), keep_ratio=False)],
    'rescale': [dict(type='RandomRescale', scale_range=(60, 150))],
    'crop': [dict(type='RandomCrop', size=64)],
    'center': [dict(type='CenterCrop', crop_size=(70, 50))],
    'resized crop': [dict(type='RandomResizedCrop', area_range=(0.3, 0.8))],
    'multi-scale': [
        dict(type='MultiScaleCrop', input_size=64, scales=(1, 0.8, 0.6)),
        dict(type='Resize', scale=(64, 64), keep_ratio=False),
    ],
    'random multi-scale': [
        dict(type='MultiScaleCrop', input_size=64, scales=(1, 0.7), random_crop=True),
    ],
    'flip': [dict(type='Flip', flip_ratio=0.5)],
    'upside down': [dict(type='Flip', flip_ratio=1, direction='vertical')],
    'crops of crops': [
        dict(type='RandomResizedCrop', area_range=(0.6, 1.0)),
        dict(type='RandomRescale', scale_range=(100, 140)),
        dict(type='RandomCrop', size=90),
        dict(type='Resize', scale=(128, 112), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
        SHAPE,
    ],
    'lazy': [
        dict(type='Resize', scale=(-1, 128), lazy=True),
        dict(type='MultiScaleCrop', input_size=96, scales=(1, 0.8), lazy=True),
        dict(type='Resize', scale=(96, 96), keep_ratio=False, lazy=True),
        dict(type='Flip', flip_ratio=0.5, lazy=True),
        dict(type='Fuse'),
        SHAPE,
    ],
    'lazy crops': [
        dict(type='RandomResizedCrop', area_range=(0.5, 0.9), lazy=True),
        dict(type='CenterCrop', crop_size=50, lazy=True),
        dict(type='Resize', scale=(80, 90), keep_ratio=False, lazy=True),
        dict(type='Fuse'),
    ],
    'erased elsewhere': [
        dict(type='ColorJitter', brightness=0.1, contrast=0.1, saturation=0, hue=0),
        dict(type='RandomCrop', size=80),
    ],
    'three crops': [
        dict(type='Resize', scale=(-1, 64)),
        dict(type='ThreeCrop', crop_size=64),
        SHAPE,
    ],
    'three crops down': [
        dict(type='Resize', scale=(64, 101), keep_ratio=False),
        dict(type='ThreeCrop', crop_size=64),
    ],
    'three crops of a crop, resized and flipped': [
        dict(type='Resize', scale=(-1, 120)),
        dict(type='CenterCrop', crop_size=(131, 100)),
        dict(type='ThreeCrop', crop_size=100),
        dict(type='Resize', scale=(64, 80), keep_ratio=False),
        dict(type='Flip', flip_ratio=0.5),
        SHAPE,
    ],
    'ten crops': [
        dict(type='Resize', scale=(-1, 80)),
        dict(type='TenCrop', crop_size=(70, 61)),
        SHAPE,
    ],
}


@pytest.mark.parametrize('name', MMACTION_PIPELINES)
def test_boxes_follow_the_pixels_through_mmaction(mmaction, root, name):
    compared = 0
    for number in SEEDS:
        seed(number)
        results = carry(root, MMACTION_PIPELINES[name])
        compared += check_boxes(frames_of(results), results['faces'])
    assert compared >= len(SEEDS) * 2


def test_boxes_agree_with_those_that_the_transforms_carry_themselves(mmaction, root):
    pipeline = [
        dict(type='RandomRescale', scale_range=(100, 130)),
        dict(type='RandomCrop', size=96),
        dict(type='Flip', flip_ratio=0.5),
    ]
    box = box_of(17) / [W, H, W, H]
    for number in SEEDS:
        seed(number)
        given = clip(root, [17], gt_bboxes=box[None], proposals=box[None])
        results = carry(root, pipeline, given)
        if len(results['faces']):
            # mmaction2 clips to the last pixel where LoadFaces leaves the frame
            ours = np.clip(results['faces'][0, 1:], 0, 96)
            assert np.abs(ours - results['gt_bboxes'][0]).max() <= 1.01


def test_positions_count_crops_then_clips_then_frames(mmaction, root):
    given = clip(root, [1, 2, 3, 4, 5, 6])
    given.update(num_clips=3, clip_len=2)
    results = carry(root, [dict(type='ThreeCrop', crop_size=(W, H)), SHAPE], given)
    assert results['imgs'].shape == (9, 3, 2, H, W)
    expected = [i for i in range(18) if i % 6 != 2]
    assert results['faces'][:, 0].tolist() == expected
    check_boxes(frames_of(results), results['faces'])


def test_the_offset_of_raw_frames_is_added(mmaction, root):
    results = carry(root, [], clip(root, [4, 6], offset=10))
    np.testing.assert_allclose(
        results['faces'][:, 1:], [box_of(14), box_of(16)], atol=1e-3
    )


def test_faces_outside_are_dropped_and_partial_ones_leave_the_frame(mmaction, root):
    results = carry(
        root, [dict(type='CenterCrop', crop_size=(60, 60))], clip(root, [1])
    )
    x1, y1, x2, y2 = box_of(1) - [30, 15, 30, 15]
    assert x1 < 0 < x2
    np.testing.assert_allclose(results['faces'], [[0, x1, y1, x2, y2]], atol=1e-3)
    results = carry(
        root, [dict(type='CenterCrop', crop_size=(40, 90))], clip(root, [1])
    )
    assert results['faces'].shape == (0, 5)


def test_a_frame_without_a_row_is_covered_whole(mmaction, root):
    results = carry(root, [], clip(root, [2]))
    assert len(results['faces']) == 1
    load = LoadFaces(str(root / 'faces.parquet'))
    results['frame_inds'] = np.array([0])
    np.testing.assert_allclose(load(results)['faces'], [[0, 0, 0, W, H]])
    assert results['covers'].tolist() == [True]


def test_tracks_go_with_the_faces(mmaction, root, tmp_path):
    shutil.copytree(root / 'a/v', tmp_path / 'a/v')
    boxes = np.array([[0.1, 0.1, 0.3, 0.4], [0.6, 0.1, 0.8, 0.4]], np.float32)
    with FaceTableWriter(tmp_path / 'faces.parquet', 'made up') as table:
        table.describe('a/v', VideoInfo('folder', W, H, FRAMES))
        for frame, tracks in ((4, [7, 2]), (5, [-1, 7])):
            unknown = np.full((2, 5, 2), np.nan, np.float32)
            scores = np.ones(2, np.float32)
            table.add('a/v', frame, Faces(boxes, scores, unknown, np.int32(tracks)))

    results = carry(tmp_path, [], clip(tmp_path, [4, 5]))
    assert results['face_tracks'].tolist() == [7, 2, -1, 7]

    # The face of the left half alone is left of each frame.
    left = [dict(type='CenterCrop', crop_size=(90, 90))]
    results = carry(tmp_path, left, clip(tmp_path, [4, 5]))
    assert len(results['face_tracks']) == len(results['faces'])


def test_covers_are_marked_in_every_crop_and_packed(mmaction, root, tmp_path):
    shutil.copytree(root / 'a/v', tmp_path / 'a/v')
    with FaceTableWriter(tmp_path / 'faces.parquet', 'made up') as table:
        table.describe('a/v', VideoInfo('folder', W, H, FRAMES))
        table.add('a/v', 17, FaceTable(root / 'faces.parquet').lookup('a/v', 17))
    given = clip(tmp_path, [14, 17, 15])
    crops = [dict(type='ThreeCrop', crop_size=(60, 90))]
    results = carry(tmp_path, crops, dict(given))
    assert results['covers'].dtype == bool and results['covers'].sum() == 6
    assert (results['covers'] == (results['faces'][:, 0] % 3 != 1)).all()

    steps = [dict(type='RawFrameDecode'), SHAPE, dict(type='PackActionInputs')]
    dataset = ava_dataset(tmp_path, steps)
    insert_load_faces(dataset, str(tmp_path / 'faces.parquet'))
    packed = dataset.pipeline(dict(given, video_id='a/v'))
    assert packed['data_samples'].metainfo['covers'].tolist() == [True, False, True]


def slowonly(split):
    config = mmengine.Config.fromstring(
        "_base_ = 'mmaction::detection/slowonly/"
        "slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py'",
        '.py',
    )
    return [dict(step) for step in config[f'{split}_pipeline']]


def ava_dataset(root, pipeline, **more):
    from mmaction.registry import DATASETS

    lines, keys = [], (14, 18)
    for frame in keys:
        box = ','.join(f'{v:.6f}' for v in box_of(frame) / [W, H, W, H])
        lines.append(f'a/v,{frame:04},{box},1,0\n')
    (root / 'ann.csv').write_text(''.join(lines))
    return DATASETS.build(
        dict(
            type='AVADataset',
            ann_file=str(root / 'ann.csv'),
            pipeline=pipeline,
            data_prefix=dict(img=str(root)),
            filename_tmpl='img_{:05}.png',
            fps=1,
            start_index=1,
            timestamp_start=2,
            timestamp_end=2 + FRAMES,
            num_classes=3,
            **more,
        )
    )


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_ava_data_set_delivers_faces_with_its_samples(mmaction, root, split):
    pipeline = slowonly(split)
    pipeline[0]['frame_interval'] = 5
    dataset = ava_dataset(root, pipeline, test_mode=split == 'val')
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    kinds = [type(t).__name__ for t in dataset.pipeline.transforms]
    assert kinds[-2:] == ['LoadFaces', 'PackActionInputs']
    for number in range(6):
        seed(number)
        for i in range(2):
            packed = dataset[i]
            sample = packed['data_samples']
            frames = packed['inputs'].numpy().transpose(1, 2, 3, 0)
            assert check_boxes(frames, sample.metainfo['faces']) >= 1
            assert sample.metainfo['img_key'] == f'a/v,{(14, 18)[i]:04}'
            if split == 'val':
                # the annotated frame is the middle one
                middle = sample.faces[sample.faces[:, 0] == 2, 1:]
                drawn = sample.gt_instances.bboxes.numpy()
                np.testing.assert_allclose(middle, drawn, atol=0.1)


def test_inserting_twice_changes_nothing_more(mmaction, root):
    pack = dict(type='PackActionInputs', meta_keys=['img_shape', 'label'])
    dataset = ava_dataset(root, slowonly('val')[:-1] + [pack])
    table = str(root / 'faces.parquet')
    insert_load_faces(ConcatDataset([dataset, dataset]), table)
    before = [id(t) for t in dataset.pipeline.transforms]
    insert_load_faces(RepeatDataset(dataset, 2), table)
    assert [id(t) for t in dataset.pipeline.transforms] == before
    packer = dataset.pipeline.transforms[-1]
    added = ('faces', 'covers', 'face_tracks')
    assert tuple(packer.meta_keys) == ('img_shape', 'label', *added)
    assert sum(isinstance(t, LoadFaces) for t in dataset.pipeline.transforms) == 1


def test_a_data_set_with_a_video_missing_in_the_table_is_refused(mmaction, root):
    dataset = ava_dataset(root, slowonly('val'))
    with FaceTableWriter(root / 'other.parquet', 'none') as writer:
        writer.add('a/w', 1, Faces.none())
    with pytest.raises(KeyError, match='lacks 1 video.*a/v.*a/w'):
        insert_load_faces(dataset, str(root / 'other.parquet'))


def refused(root, steps, match, kind=ValueError):
    pack = dict(type='PackActionInputs')
    dataset = ava_dataset(root, [dict(type='RawFrameDecode'), *steps, pack])
    with pytest.raises(kind, match=match):
        insert_load_faces(dataset, str(root / 'faces.parquet'))


def test_pipelines_that_cannot_be_followed_are_refused_at_start(mmaction, root):
    flip, crop = dict(type='Flip'), dict(type='RandomCrop', size=40)
    refused(root, [flip, crop], 'RandomCrop comes after Flip')
    refused(root, [flip, dict(type='ThreeCrop', crop_size=90)], 'ThreeCrop.*Flip')
    refused(root, [flip, dict(type='Flip', direction='vertical')], 'one Flip')
    refused(root, [dict(type='DecordDecode', mode='efficient')], 'accurate')
    rotate = dict(type='TorchVisionWrapper', op='RandomRotation', degrees=20)
    refused(root, [rotate], 'TorchVisionWrapper')
    dataset = ava_dataset(root, [dict(type='RawFrameDecode')])
    with pytest.raises(ValueError, match='no packing transform.*RawFrameDecode'):
        insert_load_faces(dataset, str(root / 'faces.parquet'))
    with pytest.raises(TypeError, match='dict'):
        insert_load_faces({}, str(root / 'faces.parquet'))


def test_photometric_torchvision_transforms_are_let_through(mmaction, root):
    jitter = dict(type='TorchVisionWrapper', op='ColorJitter', brightness=0.1)
    dataset = ava_dataset(root, slowonly('val')[:-2] + [jitter] + slowonly('val')[-2:])
    insert_load_faces(dataset, str(root / 'faces.parquet'))


def test_an_unknown_transform_is_warned_of(mmaction, root, monkeypatch):
    from mmengine.logging import MMLogger

    class Custom:
        def __call__(self, results):
            return results

    warned = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', warned.append)
    steps = [*slowonly('val')[:-1], Custom(), slowonly('val')[-1]]
    insert_load_faces(ava_dataset(root, steps), str(root / 'faces.parquet'))
    assert len(warned) == 1 and 'Custom' in warned[0]


def test_pixels_moved_without_a_record_are_noticed_while_loading(mmaction, root):
    def shrink(results):
        results['imgs'] = [img[:50, :60] for img in results['imgs']]
        return results

    def shrink_and_say(results):
        results['img_shape'] = (50, 60)
        return shrink(results)

    def drop_one(results):
        results['imgs'] = results['imgs'][1:]
        return results

    decode = dict(type='RawFrameDecode')
    from mmaction.registry import TRANSFORMS

    load = LoadFaces(str(root / 'faces.parquet'))
    for step, match in [
        (shrink, 'img_shape'),
        (shrink_and_say, 'without recording'),
        (drop_one, '4 frames of 5'),
    ]:
        with pytest.raises(ValueError, match=match):
            Compose([TRANSFORMS.build(decode), step, load])(clip(root))
    lazy = dict(type='Resize', scale=(-1, 64), lazy=True)
    with pytest.raises(ValueError, match='Fuse'):
        carry(root, [lazy])
    with pytest.raises(ValueError, match='Flow'):
        load(dict(clip(root), modality='Flow'))
    with pytest.raises(ValueError, match='frame_inds'):
        load({'img': 1})


def one_video(path, name, *info):
    """A table of one video with a face in its first frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FaceTableWriter(path, 'made up') as table:
        if info:
            table.describe(name, VideoInfo(*info))
        k = np.float32([[0.25, 0.5, 0.5, 0.75]])
        marks = np.full((1, 5, 2), np.nan, np.float32)
        table.add(name, 0, Faces(k, np.ones(1), marks, np.zeros(1, np.int32)))
    return LoadFaces(str(path))


@pytest.mark.parametrize(
    ('kind', 'info'),
    [
        ('folder', dict(video_id='a/v', frame_dir='elsewhere/v')),
        ('file', dict(video_id='a/v.mp4', filename='elsewhere/v.mp4')),
        ('folder', dict(frame_dir='/data/set/a/v')),
        ('folder', dict(frame_dir='../set/a/v/')),
        ('file', dict(filename='set/a/v.AVI')),
        ('file', dict(filename='a/v')),
        ('folder', dict(img_path='set/a/v/img_00004.png')),
        ('file', dict(video_id='a/v.mp4')),
    ],
)
def test_a_video_is_known_by_its_id_or_the_end_of_its_path(tmp_path, kind, info):
    load = one_video(tmp_path / 'faces.parquet', 'a/v', kind)
    assert load.video_name(info) == 'a/v'
    assert copy.copy(load).video_name(info) == 'a/v'


@pytest.mark.parametrize(
    'info', [dict(video_id='v'), dict(frame_dir='b/v'), dict(filename='a/v.b/v.mp4')]
)
def test_a_video_of_another_name_is_not_guessed(root, info):
    with pytest.raises(KeyError, match='lacks'):
        LoadFaces(str(root / 'faces.parquet')).video_name(info)


def test_a_folder_keeps_what_looks_like_an_extension(tmp_path):
    load = one_video(tmp_path / 'faces.parquet', 'a/clip.avi', 'folder')
    assert load.video_name(dict(frame_dir='data/a/clip.avi')) == 'a/clip.avi'
    load = one_video(tmp_path / 'other.parquet', 'a/clip', 'folder')
    with pytest.raises(KeyError, match='lacks'):
        load.video_name(dict(frame_dir='data/a/clip.avi', video_id='clip.avi'))


def test_two_videos_of_one_name_are_refused(mmaction, root, tmp_path):
    load = one_video(tmp_path / 'faces.parquet', 'v1', 'folder')
    assert load.video_name(dict(frame_dir='data/train/v1')) == 'v1'
    assert load.video_name(dict(img_path='data/train/v1/1.jpg')) == 'v1'
    with pytest.raises(ValueError, match=r"val/v1 and .*train/v1 .*'v1'.*face_table="):
        load.video_name(dict(frame_dir='data/val/v1'))
    # The data set of another stage has a LoadFaces of its own.
    other = LoadFaces(str(tmp_path / 'faces.parquet'))
    with pytest.raises(ValueError, match='val/v1 and .*train/v1'):
        other.video_name(dict(frame_dir='data/val/v1'))
    # Gone with its data set, it does not count, even where it waits to be collected.
    load.itself = load
    del load
    other = LoadFaces(str(tmp_path / 'faces.parquet'))
    assert other.video_name(dict(frame_dir='data/val/v1')) == 'v1'

    table = tmp_path / 'copied.parquet'
    shutil.copy(root / 'faces.parquet', table)
    shutil.copytree(root / 'a', tmp_path / 'a')
    first, second = (ava_dataset(one, slowonly('val')) for one in (root, tmp_path))
    insert_load_faces(first, str(table))
    with pytest.raises(ValueError, match='would both get'):
        insert_load_faces(second, str(table))
    (tmp_path / 'linked').symlink_to(root)
    again = ava_dataset(tmp_path / 'linked', slowonly('val'))
    insert_load_faces(again, str(table))


@pytest.mark.parametrize(
    ('kind', 'info'),
    [
        ('file', dict(frame_dir='a/v')),
        ('file', dict(img_path='a/v/00000.png')),
        ('folder', dict(filename='a/v.mp4')),
    ],
)
def test_faces_of_another_kind_of_video_are_refused(tmp_path, kind, info):
    load = one_video(tmp_path / 'faces.parquet', 'a/v', kind)
    with pytest.raises(ValueError, match=f"faces of a {kind} 'a/v', but"):
        load.video_name(info)


def test_faces_of_a_video_of_another_shape_are_refused(mmaction, root, tmp_path):
    load = one_video(tmp_path / 'faces.parquet', 'a/v', 'folder', H, W)
    results = carry(root, [], clip(root))
    with pytest.raises(ValueError, match=f'have {W}x{H} .*frames have {H}x{W}'):
        load(results)
    image = dict(img_path=str(root / 'a/v/img_00004.png'), ori_shape=(H, W))
    with pytest.raises(ValueError, match='Make a table of exactly these videos'):
        load(dict(image, img_shape=(H, W)))
    larger = one_video(tmp_path / 'large.parquet', 'a/v', 'folder', 3 * W, 3 * H)
    larger(results)


def test_faces_of_an_earlier_release_are_said_or_refused(tmp_path, monkeypatch):
    from mmengine.logging import MMLogger

    warned = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', warned.append)
    load = one_video(tmp_path / 'faces.parquet', 'a/v')
    with pytest.raises(ValueError, match='earlier release'):
        load.video_name(dict(filename='a/v.mp4'))
    load = one_video(tmp_path / 'others.parquet', 'a/v')
    for _ in range(2):
        load.video_name(dict(frame_dir='a/v'))
    assert len(warned) == 1 and 'does not describe' in warned[0]


def turned_video(path, turn, count=4):
    """64x128 pixels that a player shows turned; a bright face on a black frame."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 64, 'yuv420p'
        stream.set_display_rotation(*turn)
        image = np.zeros((64, 128, 3), np.uint8)
        image[16:32, 64:96] = 255
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')))
        container.mux(stream.encode())
    return dict(filename=str(path), frame_inds=np.array([0]), clip_len=1, num_clips=1)


def decoded(info, by):
    from mmaction.registry import TRANSFORMS

    steps = [dict(type=f'{by}Init'), dict(type=f'{by}Decode')]
    return Compose([TRANSFORMS.build(step) for step in steps])(info)


def test_a_turned_file_is_taken_upright_or_refused(mmaction, tmp_path):
    info = turned_video(tmp_path / 'v.mp4', (90, False, False))
    load = one_video(tmp_path / 'f.parquet', 'v', 'file', 64, 128, 4, 'quarter')
    results = load(decoded(dict(info), 'Decord'))
    assert results['imgs'][0].shape[:2] == (128, 64)
    x1, y1, x2, y2 = results['faces'][0, 1:].astype(int)
    # The box of the table, in the frame as it is seen, and there is the face.
    assert (x1, y1, x2, y2) == (16, 64, 32, 96)
    for by in ('OpenCV', 'PyAV'):
        with pytest.raises(ValueError, match='DecordInit and DecordDecode'):
            load(decoded(dict(info), by))


@pytest.mark.parametrize(
    'about', [(64, 128, 4, 'other'), (64, 64, 4, 'quarter'), (None, None, 4, 'quarter')]
)
def test_a_turn_that_the_shape_cannot_tell_is_refused(tmp_path, about):
    load = one_video(tmp_path / 'f.parquet', 'v', 'file', *about)
    with pytest.raises(ValueError, match='ffmpeg -i'):
        load.video_name(dict(filename='v.mp4'))


def test_a_file_of_another_length_is_refused(mmaction, tmp_path):
    info = turned_video(tmp_path / 'v.mp4', (0, False, False), 40)
    for length, match in [(39, None), (None, None), (80, '40 frames, but had 80')]:
        path = tmp_path / f'{length}.parquet'
        load = one_video(path, 'v', 'file', 128, 64, length)
        results = decoded(dict(info), 'PyAV')
        if match is None:
            load(results)
            continue
        with pytest.raises(ValueError, match=match):
            load(results)


def test_load_faces_of_the_pipeline_goes_before_the_packer(mmaction, root, tmp_path):
    table = str(root / 'faces.parquet')
    load = dict(type='mmanon.LoadFaces', face_table=table)
    crop = dict(type='RandomCrop', size=70)
    flip, pack = dict(type='Flip'), dict(type='PackActionInputs')
    for steps in ([load, crop, flip, pack], [crop, flip, pack, load]):
        dataset = ava_dataset(root, [dict(type='RawFrameDecode'), *steps])
        given = next(t for t in dataset.pipeline.transforms if isinstance(t, LoadFaces))
        insert_load_faces(dataset, table)
        kinds = [type(t).__name__ for t in dataset.pipeline.transforms[1:]]
        assert kinds == ['RandomCrop', 'Flip', 'LoadFaces', 'PackActionInputs']
        assert dataset.pipeline.transforms[3] is given

    shutil.copy(table, tmp_path / 'other.parquet')
    steps = [dict(type='RawFrameDecode'), load, pack]
    with pytest.raises(ValueError, match='LoadFaces with .*faces.*other.parquet'):
        insert_load_faces(ava_dataset(root, steps), str(tmp_path / 'other.parquet'))


def test_load_faces_within_another_transform_is_refused(mmdet, root):
    table = str(root / 'faces.parquet')
    load = dict(type='mmanon.LoadFaces', face_table=table)
    dataset = image_dataset(root, [dict(type='RandomApply', transforms=[load])])
    with pytest.raises(ValueError, match='within another transform'):
        insert_load_faces(dataset, table)


MMDET_PIPELINES = {
    'nothing': [],
    'resize': [dict(type='Resize', scale=(200, 160), keep_ratio=True)],
    'several': [
        dict(type='Resize', scale=(150, 160), keep_ratio=False),
        dict(type='Pad', size_divisor=32),
        dict(
            type='RandomFlip',
            prob=[0.3, 0.3, 0.3],
            direction=['horizontal', 'vertical', 'diagonal'],
        ),
        dict(type='RandomCrop', crop_size=(130, 120), allow_negative_crop=True),
    ],
    'chosen': [
        dict(
            type='RandomChoice',
            transforms=[
                [dict(type='RandomFlip', prob=1.0)],
                [
                    dict(type='RandomChoiceResize', scales=[(90, 80), (160, 150)]),
                    dict(type='RandomCrop', crop_size=(60, 60)),
                ],
            ],
        ),
        dict(type='RandomFlip', prob=0.5),
    ],
}


def image_dataset(root, steps):
    import mmdet.datasets.transforms  # noqa: F401

    class Images(BaseDataset):
        def load_data_list(self):
            return [
                dict(
                    img_path=str(root / f'a/v/img_{frame:05}.png'),
                    img_id=frame,
                    instances=[
                        dict(bbox=box_of(frame).tolist(), bbox_label=0, ignore_flag=0)
                    ],
                )
                for frame in (4, 17, 29)
            ]

    from mmdet.registry import TRANSFORMS

    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        *copy.deepcopy(steps),
        dict(type='PackDetInputs'),
    ]
    return Images(pipeline=[TRANSFORMS.build(step) for step in pipeline])


@pytest.mark.parametrize('name', MMDET_PIPELINES)
def test_boxes_follow_the_pixels_through_mmdet(mmdet, root, name):
    dataset = image_dataset(root, MMDET_PIPELINES[name])
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    compared = 0
    for number in SEEDS:
        seed(number)
        packed = dataset[number % 3]
        sample = packed['data_samples']
        image = packed['inputs'].numpy().transpose(1, 2, 0)
        compared += check_boxes(image[None], sample.metainfo['faces'])
        assert {'img_id', 'scale_factor', 'flip'} & set(sample.metainfo)
    assert compared >= len(SEEDS) // 2


def test_a_rotated_box_is_enclosed(mmdet, root):
    steps = [dict(type='Rotate', prob=1.0, level=5, img_border_value=20)]
    dataset = image_dataset(root, steps)
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    for number in range(5):
        seed(number)
        packed = dataset[1]
        image = packed['inputs'].numpy().transpose(1, 2, 0)
        face = packed['data_samples'].faces[0, 1:]
        drawn = drawn_box(image)
        face = np.clip(face, 0, [W, H, W, H])
        assert (face[:2] <= drawn[:2] + 1).all() and (face[2:] >= drawn[2:] - 1).all()
        assert np.abs(face - drawn).max() < 4


def test_mmdet_transforms_that_mix_or_do_not_record_are_refused(mmdet, root):
    table = str(root / 'faces.parquet')
    for step in (
        dict(type='RandomAffine'),
        dict(type='MinIoURandomCrop'),
        dict(type='mmcv.Resize', scale=(60, 60)),
        dict(type='RandomApply', transforms=[dict(type='RandomAffine')]),
    ):
        with pytest.raises(ValueError, match='cannot be\\s+carried'):
            insert_load_faces(image_dataset(root, [step]), table)


MOSAIC = dict(type='CachedMosaic', img_scale=(W, H), pad_val=0.0, max_cached_images=6)
MIXUP = dict(
    type='CachedMixUp',
    img_scale=(W, H),
    ratio_range=(1.0, 1.0),
    max_cached_images=6,
    pad_val=(0, 0, 0),
)
MIXING_PIPELINES = {
    'mosaic': [MOSAIC],
    'mixup': [MIXUP],
    'expanded': [
        dict(type='Expand', mean=(20, 20, 20), to_rgb=False, prob=1.0),
        dict(type='RandomFlip', prob=0.5),
    ],
    'shifted': [dict(type='RandomShift', prob=1.0, max_shift_px=40)],
    # RTMDet's own
    'rtmdet': [
        MOSAIC,
        dict(
            type='RandomResize',
            scale=(2 * W, 2 * H),
            ratio_range=(0.5, 2.0),
            keep_ratio=True,
        ),
        dict(type='RandomCrop', crop_size=(80, 80)),
        dict(type='RandomFlip', prob=0.5),
        dict(type='Pad', size=(80, 80), pad_val=dict(img=(0, 0, 0))),
        MIXUP,
    ],
}


def covered(shape, boxes, grown):
    """Where boxes, each side moved outwards by some pixels, lie in an image."""
    mask = np.zeros(shape, bool)
    for x1, y1, x2, y2 in np.round(boxes + [-grown, -grown, grown, grown]).astype(int):
        mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = True
    return mask


@pytest.mark.parametrize('name', MIXING_PIPELINES)
def test_faces_of_mixed_images_follow_the_pixels(mmdet, root, name):
    dataset = image_dataset(root, MIXING_PIPELINES[name])
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    compared, several, area, missed = 0, 0, 0, 0
    for number in range(40):
        seed(number)
        packed = dataset[number % 3]
        sample = packed['data_samples']
        # half a face on half the background is brighter than half of both grounds
        bright = packed['inputs'].numpy()[0] > 100
        faces = sample.metainfo['faces'][:, 1:]
        assert (bright <= covered(bright.shape, faces, 2)).all(), number
        inner = covered(bright.shape, faces, -2)
        area, missed = area + inner.sum(), missed + (inner & ~bright).sum()
        assert sample.gt_instances.bboxes.tensor.shape[1] == 4
        compared += len(faces)
        several += len(faces) > 1
    assert compared >= 40
    assert several >= 10 or name in ('expanded', 'shifted')
    # A face that was cut by a crop has its box whole, over the padding beside it.
    assert missed <= area * (0.2 if name == 'rtmdet' else 0)


def test_faces_stay_where_mixing_leaves_annotated_boxes_out(mmdet, root):
    class Forget:
        def __call__(self, results):
            results['gt_bboxes'] = results['gt_bboxes'][:0]
            results['gt_bboxes_labels'] = results['gt_bboxes_labels'][:0]
            results['gt_ignore_flags'] = results['gt_ignore_flags'][:0]
            return results

    dataset = image_dataset(root, [MOSAIC])
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    dataset.pipeline.transforms.insert(-2, Forget())
    for number in range(8):
        seed(number)
        sample = dataset[number % 3]['data_samples']
    assert len(sample.gt_instances) == 0
    assert len(sample.metainfo['faces']) > 1


def test_unexamined_images_are_covered_in_a_mosaic(mmdet, root, tmp_path):
    with FaceTableWriter(tmp_path / 'faces.parquet', 'made up') as table:
        table.add('a/v', 17, FaceTable(root / 'faces.parquet').lookup('a/v', 17))
    dataset = image_dataset(root, [MOSAIC])
    insert_load_faces(dataset, str(tmp_path / 'faces.parquet'))
    kinds = set()
    for number in range(20):
        seed(number)
        meta = dataset[number % 3]['data_samples'].metainfo
        for cover, face in zip(meta['covers'], meta['faces'], strict=True):
            width, height = face[3:] - face[1:3]
            # an unexamined image of the mosaic is covered from side to side
            assert (abs(width - W) < 1 and abs(height - H) < 1) == cover
            kinds.add(bool(cover))
    assert kinds == {True, False}


def test_boxes_that_lost_their_faces_are_noticed(mmdet, root):
    class Replace:
        def __call__(self, results):
            results['gt_bboxes'] = results['gt_bboxes'].plain
            return results

    dataset = image_dataset(root, [MOSAIC])
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    dataset.pipeline.transforms.insert(-2, Replace())
    with pytest.raises(ValueError, match='the faces by HorizontalBoxes'):
        dataset[0]


def test_mixing_asks_for_annotated_boxes(mmdet, root):
    dataset = image_dataset(root, [MOSAIC])
    del dataset.pipeline.transforms[1]
    with pytest.raises(ValueError, match='add LoadAnnotations'):
        insert_load_faces(dataset, str(root / 'faces.parquet'))


def test_inserting_twice_attaches_faces_once(mmdet, root):
    dataset = image_dataset(root, [MOSAIC])
    for _ in range(2):
        insert_load_faces(dataset, str(root / 'faces.parquet'))
    kinds = [type(t).__name__ for t in dataset.pipeline.transforms]
    assert kinds[1:] == [
        'LoadAnnotations',
        'AttachFaces',
        'CachedMosaic',
        'LoadFaces',
        'PackDetInputs',
    ]


def test_a_pipeline_for_later_is_built_with_the_faces(mmdet, root):
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    built = complete_pipeline(steps, str(root / 'faces.parquet'))
    assert [type(one).__name__ for one in built[-2:]] == ['LoadFaces', 'PackDetInputs']
    assert {'faces', 'covers', 'face_tracks'} <= set(built[-1].meta_keys)
    with pytest.raises(ValueError, match='cannot be carried'):
        steps.insert(2, dict(type='RandomAffine'))
        complete_pipeline(steps, str(root / 'faces.parquet'))


def test_an_image_resized_without_a_record_is_noticed(root):
    load = LoadFaces(str(root / 'faces.parquet'))
    path = str(root / 'a/v/img_00004.png')
    with pytest.raises(ValueError, match='homography_matrix'):
        load(dict(img_path=path, ori_shape=(H, W), img_shape=(50, 60)))
    with pytest.raises(ValueError, match='number'):
        load(dict(img_path=str(root / 'a/v/first.png'), ori_shape=(H, W)))


def test_a_loader_in_workers_finds_the_faces(mmaction, root):
    from torch.utils.data import DataLoader

    dataset = ava_dataset(root, slowonly('val'), test_mode=True)
    dataset.pipeline.transforms[0].frame_interval = 4
    insert_load_faces(dataset, str(root / 'faces.parquet'))
    # opened and read in this process before the workers are forked
    FaceTable(root / 'faces.parquet').lookup('a/v', 1)
    loader = DataLoader(dataset, num_workers=2, collate_fn=lambda batch: batch)
    found = [batch[0]['data_samples'].faces for batch in loader]
    assert len(found) == 2 and all(len(faces) >= 3 for faces in found)
