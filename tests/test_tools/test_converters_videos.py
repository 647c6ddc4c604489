"""Small files in exactly the official layouts, brought to what the configs expect."""

import json
import shutil
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from converting import index_of, load_tool, stripes, write_images, write_video
from mmengine.config import Config
from mmengine.registry import init_default_scope
from scipy.io import savemat

from mmanon.datasets.formats.ava_reader import read_ava_boxes, read_tube_file
from mmanon.datasets.formats.ava_writer import Annotation
from mmanon.datasets.formats.coco import write_coco
from mmanon.datasets.preparation.frames import frame_times, sampled_at
from mmanon.evaluation.metrics import FrameMAPMetric, VideoMAPMetric

jhmdb, daly, ucf24 = (load_tool(f'{n}.py') for n in ('jhmdb', 'daly', 'ucf101_24'))
ava, ava_kinetics = load_tool('ava.py'), load_tool('ava_kinetics.py')
multisports = load_tool('multisports.py')
CONFIGS = Path(__file__).parents[2] / 'configs'


def coco_dataset(out, name, split):
    """The data set that a config of ours builds of a prepared one."""
    init_default_scope('mmdet')
    import mmdet.datasets  # noqa: F401
    from mmdet.registry import DATASETS

    config = Config.fromfile(CONFIGS / f'_base_/datasets/{name}.py')
    dataset = config.test_dataloader.dataset
    dataset.update(data_root=str(out), ann_file=f'annotations/{split}.json')
    return DATASETS.build(dataset)


def corners(info):
    size = [info['width'], info['height']] * 2
    boxes = [one['bbox'] for one in info['instances']]
    return np.array(boxes).reshape(-1, 4) / size


def frame_infos(dataset):
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {'/'.join(Path(info['img_path']).parts[-2:]): info for info in infos}


def report_of(main, args, capsys):
    code = main([*args, '--check'])
    return code, capsys.readouterr().out


# JHMDB -------------------------------------------------------------------------------


def write_jhmdb(src, actions):
    """Two videos for each action, six frames of 64 x 48 pixels, the last unmasked."""
    for a, action in enumerate(actions):
        for i in range(2):
            video = f'Take,_{i}!_{action}_u_nm_np1_fr_goo_{i}'
            images = src / 'Rename_Images' / action / video
            write_images(images, 6, '{:05d}.png')
            (images.parent / '.AppleDouble').mkdir(exist_ok=True)
            mask = np.zeros((48, 64, 6), np.uint8)
            for t in range(5):
                mask[10 : 20 + t, 4 * a : 4 * a + 16, t] = 3
            folder = src / 'puppet_mask' / action / video
            folder.mkdir(parents=True)
            savemat(folder / 'puppet_mask.mat', {'part_mask': mask})
    (src / 'splits').mkdir(parents=True)
    for action in jhmdb.CLASSES:
        for k in (1, 2, 3):
            lines = [
                f'Take,_{i}!_{action}_u_nm_np1_fr_goo_{i}.avi {1 + (i + k) % 2} \n'
                for i in range(2)
                if action in actions
            ]
            path = src / 'splits' / f'{action}_test_split{k}.txt'
            path.write_text(''.join(lines))


@pytest.fixture
def jhmdb_files(tmp_path):
    src = tmp_path / 'jhmdb_src'
    write_jhmdb(src, ['brush_hair', 'wave'])
    return src, [str(src), '--out', str(tmp_path / 'jhmdb'), '--margin', '2']


def test_puppet_masks_become_boxes_in_three_splits(jhmdb_files, tmp_path):
    src, args = jhmdb_files
    assert jhmdb.main(args) == 0
    out = tmp_path / 'jhmdb'
    test = frame_infos(coco_dataset(out, 'jhmdb', 'test_1'))
    # All frames of the two videos of part 2, among them one without a mask.
    assert len(test) == 12
    first = test['Take__0!_wave_u_nm_np1_fr_goo_0/img_00003.png']
    expected = np.array([[4, 10, 20, 22]]) / [64, 48, 64, 48]
    np.testing.assert_allclose(corners(first), expected, atol=1e-4)
    # CocoDataset numbers the classes of the config: wave is the last of 21.
    assert first['instances'][0]['bbox_label'] == 20
    assert not test['Take__0!_wave_u_nm_np1_fr_goo_0/img_00006.png']['instances']
    names = [
        {name.split('/')[0] for name in frame_infos(coco_dataset(out, 'jhmdb', split))}
        for split in ('train_1', 'train_2', 'train_3', 'test_2')
    ]
    assert names[0] != names[1] and names[0] == names[2] == names[3]
    link = out / 'rawframes/Take__0!_wave_u_nm_np1_fr_goo_0/img_00003.png'
    assert link.is_symlink() and index_of(cv2.imread(str(link))) == 3


def test_perfect_detections_in_jhmdb_reach_full_frame_and_video_map(
    jhmdb_files, tmp_path
):
    src, args = jhmdb_files
    jhmdb.main(args)
    dataset = coco_dataset(tmp_path / 'jhmdb', 'jhmdb', 'test_1')
    tubes = str(tmp_path / 'jhmdb/annotations/tubes.json')
    metrics = FrameMAPMetric(), VideoMAPMetric(tubes)
    for info in (dataset.get_data_info(i) for i in range(len(dataset))):
        truth = dict(
            bboxes=np.array([one['bbox'] for one in info['instances']]).reshape(-1, 4),
            labels=np.array([one['bbox_label'] for one in info['instances']], int),
        )
        found = dict(truth, scores=np.ones(len(truth['labels'])))
        sample = dict(img_path=info['img_path'], ori_shape=(48, 64))
        sample.update(gt_instances=truth, pred_instances=found)
        for metric in metrics:
            metric.dataset_meta = dataset.metainfo
            metric.process(None, [sample])
    frame, video = (metric.evaluate(len(dataset)) for metric in metrics)
    assert frame['frame/mAP@0.5'] == video['video/mAP@0.5'] == 1


def test_jhmdb_serves_detectors_of_clips_and_video_map(jhmdb_files, tmp_path):
    src, args = jhmdb_files
    jhmdb.main(args)
    folder = tmp_path / 'jhmdb/annotations'
    lines = read_ava_boxes(folder / 'train_1.csv')
    # Two frames follow each keyframe.
    assert sorted(set(lines.timestamps.tolist())) == [1, 2, 3, 4]
    classes, tubes = read_tube_file(folder / 'tubes.json')
    tube = tubes['Take__1!_brush_hair_u_nm_np1_fr_goo_1'][0]
    assert classes[tube.label] == 'brush_hair' and tube.frames.tolist() == [*range(5)]
    np.testing.assert_allclose(tube.boxes[2], [0, 10 / 48, 16 / 64, 22 / 48], atol=1e-4)


def test_the_check_of_jhmdb_names_what_is_wrong(jhmdb_files, tmp_path, capsys):
    src, args = jhmdb_files
    assert report_of(jhmdb.main, args, capsys) == (0, 'no problem found\n')
    masks = sorted(src.glob('puppet_mask/*/*/puppet_mask.mat'))
    masks[0].write_bytes(b'not a mat file')
    masks[1].unlink()
    savemat(masks[2], {'part_mask': np.ones((48, 64, 9), np.uint8)})
    savemat(masks[3], {'mask': np.ones((48, 64, 6), np.uint8)})
    (src / 'splits/wave_test_split2.txt').write_text('Wave.avi 3\n')
    (src / 'splits/sit_test_split3.txt').unlink()
    code, text = report_of(jhmdb.main, args, capsys)
    assert code == 1
    for line in (
        f'unreadable: {masks[0]}: ',
        f'missing: {masks[1]}\n',
        f'wrong: {masks[2]}: 9 masks, but 6 images',
        f'wrong: {masks[3]}: it has no part_mask',
        f"wrong: {src}/splits/wave_test_split2.txt: line 1: 'Wave.avi 3'",
        f'missing: {src}/splits/sit_test_split3.txt\n',
    ):
        assert line in text
    assert set(text.splitlines()[-1].split(', ')) == {
        '2 missing',
        '3 wrong',
        '1 unreadable',
    }
    assert jhmdb.main(args) == 1 and not (tmp_path / 'jhmdb').exists()


def test_images_that_are_gone_or_broken_are_named(jhmdb_files, capsys):
    src, args = jhmdb_files
    images = sorted(src.glob('Rename_Images/wave/*/*.png'))
    images[1].write_bytes(images[1].read_bytes()[:60])
    images[2].unlink()
    code, text = report_of(jhmdb.main, args, capsys)
    assert code == 1
    assert f'unreadable: {images[1]}' in text
    assert f'missing: {images[2].parent}: 1 frame(s), numbers 3' in text


def test_the_check_looks_at_the_prepared_data_set_too(jhmdb_files, tmp_path, capsys):
    src, args = jhmdb_files
    jhmdb.main(args)
    capsys.readouterr()
    assert report_of(jhmdb.main, args, capsys) == (0, 'no problem found\n')
    out = tmp_path / 'jhmdb'
    video = 'Take__1!_brush_hair_u_nm_np1_fr_goo_1'
    shutil.rmtree(out / f'rawframes/{video}')
    content = json.loads((out / 'annotations/test_2.json').read_text())
    content['annotations'][0]['bbox'] = [60, 0, 10, 5]
    content['annotations'][1]['category_id'] = 99
    (out / 'annotations/test_2.json').write_text(json.dumps(content))
    (out / 'annotations/labels.pbtxt').write_text('item {\n name: "x"\n id: 1\n}\n')
    with np.load(out / 'annotations/test_3_proposals.npz') as file:
        arrays = dict(file)
    arrays.popitem()
    np.savez(out / 'annotations/test_3_proposals.npz', **arrays)
    code, text = report_of(jhmdb.main, args, capsys)
    assert code == 1
    assert f'missing: {out}/rawframes/{video}/img_00001.png' in text
    assert 'test_2.json: box [60, 0, 10, 5] is not within' in text
    assert 'test_2.json: annotation 2 has no category' in text
    assert 'test_1.csv: action 21 is not in labels.pbtxt' in text
    assert 'test_3_proposals.npz: no proposals for' in text


def test_an_interrupted_conversion_is_continued(jhmdb_files, tmp_path, monkeypatch):
    src, args = jhmdb_files
    action_set = jhmdb.write_action_set.__globals__
    link_frames, done = action_set['link_frames'], []

    def fail_at_third(images, folder):
        done.append(folder)
        if len(done) == 3:
            raise KeyboardInterrupt
        link_frames(images, folder)

    with monkeypatch.context() as patch:
        patch.setitem(action_set, 'link_frames', fail_at_third)
        with pytest.raises(KeyboardInterrupt):
            jhmdb.main(args)
    out = tmp_path / 'jhmdb'
    assert len(list((out / 'rawframes').iterdir())) == 2
    assert not (out / 'annotations').exists()
    before = done[0].lstat().st_mtime_ns
    assert jhmdb.main(args) == 0
    assert done[0].lstat().st_mtime_ns == before
    assert not list(out.rglob('.*'))


# DALY --------------------------------------------------------------------------------


@pytest.fixture
def daly_files(tmp_path):
    """Three videos at 25 frames a second; the second is for testing."""
    src = tmp_path / 'daly_src'
    names = ['Aa0_-bC1dEf.mp4', 'BBBBBBBBBBB.mp4', 'CCCCCCCCCCC.mp4']
    annotations = {}
    for i, name in enumerate(names):
        write_video(src / 'videos' / name, 60)
        keys = [
            {
                'boundingBox': [[0.1 * (i + 1), 0.25, 0.75, 1.0]],
                'frameNumber': number,
                'time': (number - 1) / 25,
                'objects': [],
                'pose': [],
            }
            for number in (11, 21, 36)
        ]
        instance = {'beginTime': 0.2, 'endTime': 2.0, 'flags': {}, 'keyframes': keys}
        annotations[name] = {
            'suggestedClass': 'Phoning',
            'annot': {'Phoning': [instance], 'Drinking': []},
        }
    base = Config.fromfile(CONFIGS / '_base_/datasets/daly.py')
    content = {
        'version': 'daly1.1.0',
        'splits': [[names[1]]],
        'labels': list(base.metainfo.classes),
        'joints': [],
        'objectList': [],
        'annot': annotations,
        'metadata': {n: {'fps': 25.0, 'nbframes_ffmpeg': 60} for n in names},
    }
    (src / 'daly1.1.0.json').write_text(json.dumps(content))
    return src, [str(src), '--out', str(tmp_path / 'daly')]


def test_keyframes_of_daly_are_extracted_by_their_time(daly_files, tmp_path):
    src, args = daly_files
    assert daly.main(args) == 0
    out = tmp_path / 'daly'
    test = frame_infos(coco_dataset(out, 'daly', 'test'))
    assert sorted(test) == [f'BBBBBBBBBBB/img_000{n}.jpg' for n in (11, 21, 36)]
    info = test['BBBBBBBBBBB/img_00021.jpg']
    np.testing.assert_allclose(corners(info), [[0.2, 0.25, 0.75, 1]], atol=1e-4)
    assert info['instances'][0]['bbox_label'] == 7
    for number in (11, 21, 36):
        path = out / f'rawframes/Aa0_-bC1dEf/img_{number:05d}.jpg'
        assert index_of(cv2.imread(str(path))) == number - 1
    assert len(list((out / 'rawframes').rglob('*.jpg'))) == 9
    assert len(frame_infos(coco_dataset(out, 'daly', 'train'))) == 6


def test_all_frames_of_daly_serve_detectors_of_clips(daly_files, tmp_path):
    src, args = daly_files
    assert daly.main(args) == 0
    # The folders have keyframes alone: nothing is mixed.
    with pytest.raises(SystemExit, match='57 frame.* are missing'):
        daly.main([*args, '--all-frames'])
    shutil.rmtree(tmp_path / 'daly')
    assert daly.main([*args, '--all-frames', '--margin', '30']) == 0
    assert len(list((tmp_path / 'daly/rawframes/BBBBBBBBBBB').iterdir())) == 60
    lines = read_ava_boxes(tmp_path / 'daly/annotations/test.csv')
    assert lines.timestamps.tolist() == [11, 21]


def test_videos_of_daly_that_are_gone_are_named(daly_files, tmp_path, capsys):
    src, args = daly_files
    gone = src / 'videos/CCCCCCCCCCC.mp4'
    gone.unlink()
    (src / 'videos/Aa0_-bC1dEf.mp4').write_bytes(b'no video')
    write_video(src / 'videos/BBBBBBBBBBB.mp4', 5)
    code, text = report_of(daly.main, args, capsys)
    assert code == 1
    assert f'missing: {gone}\n' in text
    assert f'unreadable: {src}/videos/Aa0_-bC1dEf.mp4' in text
    assert 'daly1.1.0.json: BBBBBBBBBBB.mp4: a keyframe of Phoning is at 1.40 s' in text
    write_video(src / 'videos/Aa0_-bC1dEf.mp4', 60)
    write_video(src / 'videos/BBBBBBBBBBB.mp4', 60)
    assert daly.main(args) == 1 and not (tmp_path / 'daly').exists()
    assert '--skip-missing' in capsys.readouterr().out
    assert daly.main([*args, '--skip-missing']) == 0
    assert len(frame_infos(coco_dataset(tmp_path / 'daly', 'daly', 'train'))) == 3


def test_a_pickle_is_not_read_but_named(daly_files, capsys):
    src, args = daly_files
    (src / 'daly1.1.0.json').rename(src / 'daly1.1.0.pkl')
    assert daly.main(args) == 1
    text = capsys.readouterr().out
    assert 'make it from daly1.1.0.pkl as docs/datasets/pickles.md says' in text


# UCF101-24 ---------------------------------------------------------------------------


def write_ucf_frames(src):
    clips = ['Basketball/v_Basketball_g01_c01', 'Diving/v_Diving_g02_c01']
    for clip in clips:
        write_images(src / 'rgb-images' / clip, 40, size=(320, 240))
    return clips


def test_the_corrected_annotations_of_ucf101_24_convert(tmp_path):
    src, out = tmp_path / 'src', tmp_path / 'out'
    clips = write_ucf_frames(src)
    kinds = [('num_imgs', 'O'), ('name', 'O'), ('tubes', 'O')]
    parts = [('ef', 'O'), ('sf', 'O'), ('class', 'O'), ('boxes', 'O')]
    annot = np.zeros((1, 2), kinds)
    for i, (clip, label) in enumerate(zip(clips, (1, 6), strict=True)):
        tubes = np.zeros((1, i + 1), parts)
        for k in range(i + 1):
            # A row more than there are frames.
            boxes = np.tile([1 + 32 * k, 1, 160, 120], (21, 1)).astype(np.int16)
            tubes[0, k] = (30, 11, label, boxes)
        annot[0, i] = (40, clip, tubes)
    savemat(src / 'finalAnnots.mat', {'annot': annot})
    (src / 'testlist01.txt').write_text(f'{clips[1]}\n')
    args = [str(src), '--out', str(out), '--margin', '8']
    assert ucf24.main(args) == 0
    classes, tubes = read_tube_file(out / 'annotations/tubes.json')
    assert len(classes) == 24
    two = tubes['v_Diving_g02_c01']
    assert [classes[tube.label] for tube in two] == ['Diving'] * 2
    # Files 11 to 30 are the frames 10 to 29.
    assert two[0].frames.tolist() == [*range(10, 30)]
    np.testing.assert_allclose(two[0].boxes[0], [0, 0, 0.5, 0.5], atol=1e-4)
    np.testing.assert_allclose(two[1].boxes[0], [0.1, 0, 0.6, 0.5], atol=1e-4)
    images = json.loads((out / 'annotations/test.json').read_text())['images']
    assert len(images) == 40
    assert images[6]['file_name'] == 'v_Diving_g02_c01/img_00007.jpg'
    assert ucf24.main([*args, '--check']) == 0


def test_the_ground_truth_file_of_ucf101_24_converts_as_json(tmp_path, capsys):
    src, out = tmp_path / 'src', tmp_path / 'out'
    clips = write_ucf_frames(src)
    tube = [[t, 32, 24, 160, 120] for t in range(5, 25)]
    content = {
        'labels': ucf24.CLASSES,
        'gttubes': {clips[0]: {'0': [tube]}, clips[1]: {'5': [tube, tube[:3]]}},
        'nframes': dict.fromkeys(clips, 40),
        'train_videos': [[clips[1]]],
        'test_videos': [[clips[0]]],
        'resolution': dict.fromkeys(clips, [240, 320]),
    }
    path = src / 'UCF101v2-GT.json'
    path.write_text(json.dumps(content))
    args = [str(src), '--out', str(out), '--margin', '8']
    assert ucf24.main(args) == 0
    lines = read_ava_boxes(out / 'annotations/test.csv')
    assert set(lines.videos) == {'v_Basketball_g01_c01'}
    assert lines.timestamps.tolist() == [6, 11, 16, 21]
    np.testing.assert_allclose(lines.boxes[0], [0.1, 0.1, 0.5, 0.5])
    train = read_ava_boxes(out / 'annotations/train.csv')
    assert set(train.ids.tolist()) == {6} and set(train.persons.tolist()) == {0, 1}
    content['gttubes'][clips[0]] = {'30': [tube]}
    path.write_text(json.dumps(content))
    capsys.readouterr()
    code, text = report_of(ucf24.main, args, capsys)
    assert code == 1 and 'label 30 of 24 classes' in text
    path.unlink()
    (src / 'UCF101v2-GT.pkl').write_bytes(b'')
    code, text = report_of(ucf24.main, args, capsys)
    assert code == 1 and 'docs/datasets/pickles.md' in text


def test_clips_of_ucf101_are_found_in_its_own_folders(tmp_path):
    write_video(tmp_path / 'UCF-101/Diving/v_Diving_g02_c01.avi', 3)
    found = ucf24.find_clip(tmp_path, 'v_Diving_g02_c01')
    assert found == tmp_path / 'UCF-101/Diving/v_Diving_g02_c01.avi'
    assert ucf24.find_clip(tmp_path, 'Diving/v_Diving_g02_c02') is None


# AVA and AVA-Kinetics ----------------------------------------------------------------


def write_ava_annotations(folder, train='-5KQ66BBWC4', val='053oq2xB3oU'):
    folder.mkdir(parents=True)
    for split, video in (('train', train), ('val', val)):
        boxes = [
            f'{video},0902,0.1,0.2,0.5,0.9,12,1',
            f'{video},0903,0.1,0.2,0.5,0.9,80,1',
        ]
        (folder / f'ava_{split}_v2.2.csv').write_text('\n'.join(boxes) + '\n')
        (folder / f'ava_{split}_excluded_timestamps_v2.2.csv').write_text(
            f'{video},0904\n'
        )
        (folder / f'ava_dense_proposals_{split}.FAIR.recall_93.9.pkl').write_bytes(b'')
    items = ''.join(f'item {{\n  name: "{i}"\n  id: {i}\n}}\n' for i in (12, 80))
    (folder / 'ava_action_list_v2.2_for_activitynet_2019.pbtxt').write_text(items)


def small_ava(tmp_path, monkeypatch):
    """A second of AVA has 2 frames, and a film begins at 900 s as ever."""
    monkeypatch.setitem(ava.extract_at_rate.__globals__, 'FPS', 2)
    src = tmp_path / 'ava_src'
    write_ava_annotations(src / 'annotations')
    return src, [str(src), '--out', str(tmp_path / 'ava')]


def test_frames_of_ava_are_linked_and_its_files_too(tmp_path, monkeypatch, capsys):
    src, args = small_ava(tmp_path, monkeypatch)
    for video in ('-5KQ66BBWC4', '053oq2xB3oU'):
        write_images(src / 'rawframes' / video, 10, 'img_{:05d}.jpg')
    assert ava.main(args) == 0
    out = tmp_path / 'ava'
    assert (out / 'rawframes/053oq2xB3oU').resolve() == src / 'rawframes/053oq2xB3oU'
    names = {path.name for path in (out / 'annotations').iterdir()}
    # As mmaction2's config of AVA 2.2, which ours builds on, names them.
    config = Config.fromfile(
        CONFIGS / 'slowonly/slowonly-r50_resnet9-sphereface20_ava22.py'
    )
    dataset = config.train_dataloader.dataset
    wanted = [dataset[key] for key in ('ann_file', 'exclude_file', 'label_file')]
    assert {Path(path).name for path in [*wanted, dataset.proposal_file]} <= names
    capsys.readouterr()
    assert report_of(ava.main, args, capsys) == (0, 'no problem found\n')
    # Second 902 is frame 5, second 903 frame 7.
    frame = src / 'rawframes/053oq2xB3oU/img_00007.jpg'
    frame.write_bytes(b'')
    (src / 'rawframes/-5KQ66BBWC4/img_00002.jpg').unlink()
    for i in range(6, 11):
        (src / f'rawframes/-5KQ66BBWC4/img_{i:05d}.jpg').unlink()
    code, text = report_of(ava.main, args, capsys)
    assert code == 1 and f'unreadable: {frame}' in text
    assert f'{src}/rawframes/-5KQ66BBWC4: 1 frame(s), from 2' in text
    assert f'{src}/rawframes/-5KQ66BBWC4: frame 7 of the annotated second 903' in text


def test_frames_of_ava_are_extracted_at_its_rate(tmp_path, monkeypatch):
    src, args = small_ava(tmp_path, monkeypatch)
    for video in ('-5KQ66BBWC4', '053oq2xB3oU'):
        write_video(src / 'videos_15min' / f'{video}.mkv', 125)
    assert ava.main(args) == 0
    folder = tmp_path / 'ava/rawframes/053oq2xB3oU'
    numbers = [index_of(cv2.imread(str(path))) for path in sorted(folder.iterdir())]
    # Five seconds at 25 frames a second, of which two a second are taken.
    assert numbers == [0, 12, 25, 37, 50, 62, 75, 87, 100, 112]
    assert ava.main([*args, '--check']) == 0


def test_videos_missing_from_ava_can_be_left_out(tmp_path, monkeypatch, capsys):
    src, args = small_ava(tmp_path, monkeypatch)
    path = src / 'annotations/ava_train_v2.2.csv'
    path.write_text(path.read_text() + 'gone_video1,0902,0.1,0.2,0.5,0.9,12,1\n')
    for video in ('-5KQ66BBWC4', '053oq2xB3oU'):
        write_images(src / 'rawframes' / video, 10, 'img_{:05d}.jpg')
    assert ava.main(args) == 1
    assert f'missing: {src}/rawframes/gone_video1' in capsys.readouterr().out
    assert ava.main([*args, '--skip-missing']) == 0
    written = tmp_path / 'ava/annotations/ava_train_v2.2.csv'
    assert set(read_ava_boxes(written).videos) == {'-5KQ66BBWC4'}
    assert 'gone_video1' in path.read_text()


def test_wrong_annotations_of_ava_are_named(tmp_path, monkeypatch, capsys):
    src, args = small_ava(tmp_path, monkeypatch)
    folder = src / 'annotations'
    (folder / 'ava_val_v2.2.csv').write_text('video,0902,0.1\n')
    (folder / 'ava_train_excluded_timestamps_v2.2.csv').unlink()
    code, text = report_of(ava.main, args, capsys)
    assert code == 1
    assert 'ava_val_v2.2.csv, line 1' in text
    assert f'missing: {folder}/ava_train_excluded_timestamps_v2.2.csv' in text


def test_clips_of_kinetics_join_ava(tmp_path, monkeypatch, capsys):
    root, args = small_ava(tmp_path, monkeypatch)
    for video in ('-5KQ66BBWC4', '053oq2xB3oU'):
        write_images(root / 'rawframes' / video, 10, 'img_{:05d}.jpg')
    ava.main(args)
    src, out = tmp_path / 'kinetics', tmp_path / 'ava_kinetics'
    clip = 'a-_bcdEFG12_000123_000133'
    write_video(src / f'videos_train/waving hand/{clip}.mp4', 250)
    (src / 'ava_kinetics_v1_0').mkdir()
    lines = [
        'a-_bcdEFG12,127.0,0.1,0.2,0.5,0.9,12',
        'a-_bcdEFG12,127.0,0.1,0.2,0.5,0.9,80',
        'gone_video_,15.0,0.1,0.2,0.5,0.9,80',
        'nobody_here,15.0',
    ]
    path = src / 'ava_kinetics_v1_0/kinetics_train_v1.0.csv'
    path.write_text('\n'.join(lines) + '\n')
    args = [str(src), '--out', str(out), '--ava', str(tmp_path / 'ava')]
    assert ava_kinetics.main(args) == 1
    text = capsys.readouterr().out
    assert 'gone_video_' in text and 'nobody_here' not in text
    assert ava_kinetics.main([*args, '--skip-missing']) == 0
    merged = read_ava_boxes(out / 'annotations/ava_train_v2.2.csv')
    name = 'a-_bcdEFG12_000125_000129'
    assert merged.videos == ['-5KQ66BBWC4'] * 2 + [name] * 2
    assert merged.timestamps.tolist() == [902, 903, 127, 127]
    folder = out / 'rawframes' / name
    numbers = [index_of(cv2.imread(str(path))) for path in sorted(folder.iterdir())]
    # From second 125, which is 2 s into the clip, to 129.
    assert numbers == [50, 62, 75, 87, 100, 112, 125, 137]
    assert (out / 'rawframes/053oq2xB3oU').is_symlink()
    path.write_text('\n'.join(lines[:2]) + '\n')
    capsys.readouterr()
    assert report_of(ava_kinetics.main, args, capsys) == (0, 'no problem found\n')
    shutil.rmtree(folder)
    assert f'missing: {folder}' in report_of(ava_kinetics.main, args, capsys)[1]


# MultiSports -------------------------------------------------------------------------


def test_multisports_gets_the_annotations_that_mmaction_reads(tmp_path, capsys):
    src, out = tmp_path / 'src', tmp_path / 'out'
    videos = ['football/v_a_c001', 'volleyball/v_b_c001']
    for video in videos:
        write_video(src / f'trainval/{video}.mp4', 20)
    tube = [[t, 12.8, 4.8, 32, 48] for t in range(3, 9)]
    content = {
        'labels': [f'action {i}' for i in range(66)],
        'gttubes': {videos[0]: {'7': [tube]}, videos[1]: {'65': [tube, tube]}},
        'nframes': dict.fromkeys(videos, 20),
        'train_videos': [[videos[0]]],
        'test_videos': [[videos[1]]],
        'resolution': dict.fromkeys(videos, [48, 64]),
    }
    folder = src / 'annotations'
    folder.mkdir()
    (folder / 'multisports_GT.json').write_text(json.dumps(content))
    args = [str(src), '--out', str(out)]
    code, text = report_of(multisports.main, args, capsys)
    assert code == 1 and f'missing: {folder}/multisports_GT.pkl' in text
    (folder / 'multisports_GT.pkl').write_bytes(b'')
    for name in multisports.PROPOSALS:
        np.savez((folder / name).with_suffix('.npz'), a=np.zeros((1, 5)))
    assert multisports.main(args) == 0
    capsys.readouterr()
    assert report_of(multisports.main, args, capsys) == (0, 'no problem found\n')
    init_default_scope('mmaction')
    import mmaction.datasets  # noqa: F401
    from mmaction.registry import DATASETS

    config = Config.fromfile(
        CONFIGS / 'slowonly/slowonly-r50_resnet9-sphereface20_multisports.py'
    )
    dataset = config.train_dataloader.dataset
    for key in ('ann_file', 'proposal_file'):
        dataset[key] = dataset[key].replace('data/multisports', str(out))
    dataset.proposal_file = dataset.proposal_file.replace('.pkl', '.npz')
    dataset.update(data_prefix=dict(img=str(out / 'trainval')), pipeline=[])
    built = DATASETS.build(dataset)
    info = built.get_data_info(0)
    assert len(built) == 6 and info['timestamp'] == 3
    assert Path(info['filename']) == out / 'trainval/football/v_a_c001.mp4'
    np.testing.assert_allclose(info['gt_bboxes'], [[0.2, 0.1, 0.5, 1]])
    assert info['gt_labels'].argmax(1).tolist() == [7]
    (src / 'trainval/volleyball/v_b_c001.mp4').write_bytes(b'')
    code, text = report_of(multisports.main, args, capsys)
    assert code == 1 and 'v_b_c001.mp4' in text


# What they share ---------------------------------------------------------------------


def test_frames_are_found_by_the_time_they_are_shown(tmp_path):
    write_video(tmp_path / 'v.mp4', 60)
    times = frame_times(tmp_path / 'v.mp4')
    np.testing.assert_allclose(times, np.arange(60) / 25, atol=1e-3)
    wanted = np.array([-1, 0, 0.0399, 0.04, 0.0401, 0.99, 9])
    assert sampled_at(times, wanted).tolist() == [0, 0, 1, 1, 1, 24, 59]
    with pytest.raises(ValueError, match='cannot be read'):
        frame_times(Path(__file__))


def test_an_old_avi_file_tells_its_frames_by_their_rate(shared_data):
    path = shared_data / 'videos/clips/test.avi'
    times = frame_times(path)
    with av.open(str(path)) as container:
        count = sum(1 for _ in container.decode(video=0))
    assert len(times) == count
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-3)


def test_coco_has_every_frame_and_refuses_boxes_elsewhere(tmp_path):
    path = tmp_path / 'a.json'
    frames = {'v': {1: 'v/img_00001.jpg', 2: 'v/img_00002.jpg'}}
    box = Annotation('v', 2, (0.25, 0.5, 0.5, 1), 1, 0)
    write_coco(path, frames, {'v': (64, 48)}, [box], ['run'])
    content = json.loads(path.read_text())
    assert [one['file_name'] for one in content['images']] == [*frames['v'].values()]
    (one,) = content['annotations']
    assert one['image_id'] == 2 and one['bbox'] == [16, 24, 16, 24]
    late = Annotation('v', 3, (0, 0, 1, 1), 1, 0)
    with pytest.raises(KeyError, match="frame 3 of video 'v'"):
        write_coco(tmp_path / 'b.json', frames, {'v': (64, 48)}, [late], ['run'])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    'tool',
    [jhmdb, daly, ucf24, ava, ava_kinetics, multisports],
    ids=lambda t: t.__name__,
)
def test_the_help_tells_the_layout(tool, capsys):
    with pytest.raises(SystemExit) as end:
        tool.main(['--help'])
    text = capsys.readouterr().out
    assert end.value.code == 0 and tool.LAYOUT.strip() in text and '--check' in text


def test_what_lies_in_its_place_already_is_checked_once(tmp_path, capsys):
    write_jhmdb(tmp_path / 'src', ['sit'])
    args = [str(tmp_path / 'src'), '--out', str(tmp_path / 'src')]
    assert report_of(jhmdb.main, args, capsys) == (0, 'no problem found\n')


def test_zip_archives_are_no_folders(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / 'splits.zip', 'w') as file:
        file.writestr('x', b'')
    assert jhmdb.main([str(tmp_path / 'splits.zip')]) == 1
    assert 'the folder of the download' in capsys.readouterr().out


def test_stripes_tell_their_number():
    assert [index_of(stripes(i)) for i in (0, 7, 255)] == [0, 7, 255]
