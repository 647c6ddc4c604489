import json

import cv2
import mmengine
import numpy as np
import pytest
from converting import index_of, load_tool, write_video
from mmengine.registry import init_default_scope

from mmanon.datasets.formats.ava_reader import read_tube_file
from mmanon.datasets.formats.ava_writer import (
    DATASET_SETTINGS,
    Annotation,
    extract_frames,
    write_annotations,
)
from mmanon.structures.face_table import Faces, FaceTableWriter

ucf24, single_person = load_tool('ucf101_24.py'), load_tool('single_person.py')


@pytest.fixture
def clips(tmp_path):
    src = tmp_path / 'src'
    for name in ('v_Jump_g01_c01', 'v_Run_g02_c01'):
        write_video(src / f'{name}.mp4', 60)
    tube = dict(start_frame=10, end_frame=50)
    boxes = [[8 * (t % 5), 24, 320 if t == 20 else 160, 250] for t in range(10, 50)]
    clip = dict(annotation_width=320, annotation_height=240)
    tubes = {
        'classes': ['Jump', 'Run'],
        'clips': {
            'v_Jump_g01_c01': dict(
                clip,
                tubes=[
                    dict(tube, label='Jump', boxes=boxes),
                    dict(
                        label='Jump',
                        start_frame=20,
                        end_frame=21,
                        boxes=[[200, 0, 260, 60]],
                    ),
                ],
            ),
            'v_Run_g02_c01': dict(clip, tubes=[dict(tube, label='Run', boxes=boxes)]),
        },
    }
    (src / 'tubes.json').write_text(json.dumps(tubes))
    return src


def build_ava(out, split, **more):
    init_default_scope('mmaction')
    import mmaction.datasets  # noqa: F401
    from mmaction.registry import DATASETS

    pipeline = [
        dict(type='SampleAVAFrames', clip_len=4, frame_interval=2, test_mode=True),
        dict(type='RawFrameDecode'),
    ]
    return DATASETS.build(
        dict(
            type='AVADataset',
            ann_file=str(out / f'annotations/{split}.csv'),
            label_file=str(out / 'annotations/labels.pbtxt'),
            pipeline=pipeline,
            data_prefix=dict(img=str(out / 'rawframes')),
            num_classes=3,
            test_mode=True,
            **DATASET_SETTINGS,
            **more,
        )
    )


def test_tubes_become_a_data_set_that_mmaction_loads(clips, tmp_path):
    out = tmp_path / 'out'
    args = [str(clips), '--out', str(out), '--test', '*_g02_*']
    assert ucf24.main([*args, '--every', '5', '--margin', '8']) == 0
    train, test = build_ava(out, 'train'), build_ava(out, 'test')
    keys = [train.get_data_info(i)['img_key'] for i in range(len(train))]
    # frames 10, 15, … of the tube (its end excluded) are the files 11, 16, …
    assert keys == [f'v_Jump_g01_c01,{n:04}' for n in range(11, 51, 5)]
    assert {test.get_data_info(i)['video_id'] for i in range(8)} == {'v_Run_g02_c01'}
    two = train.get_data_info(2)
    np.testing.assert_allclose(
        two['gt_bboxes'], [[0, 0.1, 1, 1], [0.625, 0, 0.8125, 0.25]], atol=1e-4
    )
    assert two['gt_labels'].argmax(1).tolist() == [1, 1]
    assert test.get_data_info(0)['gt_labels'].argmax(1).tolist() == [2]
    with open(out / 'annotations/labels.pbtxt') as file:
        from mmaction.evaluation import read_labelmap

        assert read_labelmap(file)[0] == [
            {'id': 1, 'name': 'Jump'},
            {'id': 2, 'name': 'Run'},
        ]


def test_the_middle_frame_of_a_clip_is_the_annotated_one(clips, tmp_path):
    out = tmp_path / 'out'
    args = [str(clips), '--out', str(out), '--test', '*_g02_*', '--margin', '8']
    ucf24.main(args)
    train = build_ava(out, 'train')
    for i in range(len(train)):
        results = train[i]
        number = results['timestamp']
        assert results['frame_inds'][2] == number
        # index = number - 1 in the video
        assert index_of(results['imgs'][2]) == number - 1
        assert results['frame_inds'].min() >= 1


def test_proposals_are_the_annotated_boxes(clips, tmp_path):
    out = tmp_path / 'out'
    ucf24.main([str(clips), '--out', str(out), '--test', '*_g02_*', '--margin', '8'])
    with np.load(out / 'annotations/train_proposals.npz') as file:
        assert file['v_Jump_g01_c01,0011'].shape == (1, 5)
        np.testing.assert_allclose(
            file['v_Jump_g01_c01,0021'][1], [0.625, 0, 0.8125, 0.25, 1]
        )
        assert len(file.files) == 8
    assert not list(out.rglob('*.tmp'))


def test_keyframes_keep_away_from_the_end(clips, tmp_path):
    out = tmp_path / 'out'
    ucf24.main([str(clips), '--out', str(out), '--test', '*_g02_*', '--margin', '30'])
    keys = (out / 'annotations/train.csv').read_text().splitlines()
    assert max(int(line.split(',')[1]) for line in keys) == 26


def test_wrong_sources_are_named(clips, tmp_path, capsys):
    out = ['--out', str(tmp_path / 'out')]
    with pytest.raises(SystemExit, match='test split is empty'):
        ucf24.main([str(clips), *out, '--test', 'nothing'])
    (clips / 'v_Run_g02_c01.mp4').unlink()
    assert ucf24.main([str(clips), *out, '--test', '*_g02_*']) == 1
    assert f'missing: {clips / "v_Run_g02_c01"}' in capsys.readouterr().out
    assert ucf24.main([str(tmp_path), *out, '--test', '*_g02_*']) == 1
    assert f'missing: {tmp_path / "tubes.json"}' in capsys.readouterr().out
    assert ucf24.main([str(tmp_path / 'nowhere'), *out]) == 1
    assert f'missing: {tmp_path / "nowhere"}' in capsys.readouterr().out


@pytest.fixture
def signers(tmp_path):
    src = tmp_path / 'signs'
    for name in ('book', 'eat'):
        write_video(src / f'{name}.mp4', 60)
    return src


def test_a_clip_of_one_person_gets_the_given_box(signers, tmp_path):
    out = tmp_path / 'out'
    args = [str(signers), '--out', str(out), '--margin', '6', '--every', '4']
    single_person.main([*args, '--box', '0.1', '0', '0.9', '1'])
    train, test = build_ava(out, 'train'), build_ava(out, 'test')
    for dataset, low, high in [(train, 1, 39), (test, 46, 54)]:
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
        numbers = [info['timestamp'] for info in infos]
        assert low <= min(numbers) and max(numbers) <= high
        assert {info['video_id'] for info in infos} == {'book', 'eat'}
        for info in infos:
            assert info['gt_bboxes'].tolist() == [[0.1, 0, 0.9, 1]]
            label = ['book', 'eat'].index(info['video_id']) + 1
            assert info['gt_labels'].argmax(1).tolist() == [label]


def test_a_clip_of_one_person_gets_a_box_from_the_largest_face(signers, tmp_path):
    table = tmp_path / 'faces.parquet'
    with FaceTableWriter(table, 'given') as writer:
        for video in ('book', 'eat'):
            for frame in range(3):
                boxes = np.float32([[0, 0, 0.05, 0.05], [0.45, 0.2, 0.55, 0.4]])
                writer.add(
                    video,
                    frame,
                    Faces(
                        boxes,
                        np.ones(2, np.float32),
                        np.full((2, 5, 2), np.nan, np.float32),
                        np.zeros(2, np.int32),
                    ),
                )
    out = tmp_path / 'out'
    args = [str(signers), '--out', str(out), '--margin', '6', '--faces', str(table)]
    single_person.main(args)
    line = (out / 'annotations/train.csv').read_text().splitlines()[0]
    assert line == 'book,0001,0.2500,0.0800,0.7500,1.0000,1,0'


def test_frames_are_extracted_once_and_completely(signers, tmp_path):
    folder = tmp_path / 'frames/book'
    assert extract_frames(signers / 'book.mp4', folder) == 60
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f'img_{n:05}.jpg' for n in range(1, 61)]
    image = cv2.imread(str(folder / 'img_00031.jpg'))
    assert index_of(image) == 30
    before = (folder / names[0]).stat().st_mtime_ns
    assert extract_frames(signers / 'book.mp4', folder) == 60
    assert (folder / names[0]).stat().st_mtime_ns == before
    (signers / 'bad.mp4').write_bytes(b'bad')
    with pytest.raises(ValueError, match='bad.mp4'):
        extract_frames(signers / 'bad.mp4', tmp_path / 'frames/bad')
    assert [p.name for p in (tmp_path / 'frames').iterdir()] == ['book']


@pytest.mark.parametrize('turn', [90, 180, 270])
def test_frames_are_extracted_upright(tmp_path, turn):
    path = tmp_path / 'turned.mp4'
    write_video(path, 20, turn)
    extract_frames(path, tmp_path / 'frames')
    image = cv2.imread(str(tmp_path / 'frames/img_00020.jpg'))
    assert image.shape == (48, 64, 3) and index_of(image) == 19


def test_what_a_killed_extraction_left_is_removed(signers, tmp_path):
    (tmp_path / 'frames/.book.part').mkdir(parents=True)
    (tmp_path / 'frames/.book.part/img_00099.jpg').touch()
    assert extract_frames(signers / 'book.mp4', tmp_path / 'frames/book') == 60
    assert [path.name for path in (tmp_path / 'frames').iterdir()] == ['book']
    assert len(list((tmp_path / 'frames/book').iterdir())) == 60


def test_a_video_with_tags_that_are_not_utf8_is_extracted(tmp_path):
    path = tmp_path / 'tagged.mp4'
    write_video(path, 3, metadata={'title': 'Gruesse'})
    path.write_bytes(path.read_bytes().replace(b'Gruesse', b'Gr\xfc\xdfe..'))
    assert extract_frames(path, tmp_path / 'frames') == 3


def test_impossible_annotations_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'v', frame 3.*box"):
        Annotation('v', 3, (0.5, 0, 0.4, 1), 1, 0)
    with pytest.raises(ValueError, match='99999'):
        Annotation('v', 100000, (0, 0, 1, 1), 1, 0)
    with pytest.raises(ValueError, match='comma'):
        Annotation('v,w', 3, (0, 0, 1, 1), 1, 0)
    with pytest.raises(ValueError, match='label 2'):
        write_annotations(
            tmp_path, 'train', [Annotation('v', 3, (0, 0, 1, 1), 2, 0)], ['a']
        )
    with pytest.raises(ValueError, match='no annotations'):
        write_annotations(tmp_path, 'train', [], ['a'])


def test_the_shared_clips_convert(shared_data, tmp_path):
    src = shared_data / 'videos/ucf24'
    tubes = json.loads((src / 'tubes.json').read_text())
    name = 'v_CliffDiving_g03_c01'
    found = ucf24.read_tubes(name, tubes['clips'][name], tubes['classes'])
    tube = tubes['clips'][name]['tubes'][0]
    assert len(found) == sum(
        t['end_frame'] - t['start_frame'] for t in tubes['clips'][name]['tubes']
    )
    assert found[0].frame == tube['start_frame'] + 1
    np.testing.assert_allclose(
        found[0].box, np.clip(np.array(tube['boxes'][0]) / [320, 240, 320, 240], 0, 1)
    )
    assert mmengine.is_list_of(found, Annotation)
    out = tmp_path / 'out'
    few = tmp_path / 'few'
    few.mkdir()
    names = ['v_Basketball_g01_c02', name]
    tubes['clips'] = {one: tubes['clips'][one] for one in names}
    for one in tubes['clips']:
        (few / f'{one}.mp4').symlink_to(src / f'{one}.mp4')
    (few / 'tubes.json').write_text(json.dumps(tubes))
    args = [str(few), '--out', str(out), '--test', names[0], '--margin', '8']
    assert ucf24.main(args) == 0
    classes, written = read_tube_file(out / 'annotations/tubes.json')
    given = read_tube_file(few / 'tubes.json')[1]
    assert set(written) == set(given)
    for video, those in given.items():
        for one, other in zip(those, written[video], strict=True):
            assert (one.label, *one.frames) == (other.label, *other.frames)
            np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-4)
    assert ucf24.main([*args, '--check']) == 0
