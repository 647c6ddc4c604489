"""Clips of one's own, from files to a tested checkpoint."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from converting import load_tool, write_images
from made_videos import RedSquareDetector, picture, write_video
from mmengine.config import Config
from tiny import tiny_discriminator, tiny_modifier, write_tiny_faces

from mmanon.cli import export_checkpoint, test, train
from mmanon.cli.main import main as mmanon
from mmanon.datasets.face_table_builder import FaceSearch, build_face_table
from mmanon.datasets.formats.ava_reader import read_ava_boxes, read_label_map
from mmanon.datasets.preparation.own_clips import read_own_clips, split_clips
from mmanon.datasets.preparation.problems import Problems
from mmanon.face_detectors.build import FACE_DETECTORS

own_clips = load_tool('own_clips.py')
ROOT = Path(__file__).parents[2]
HEADER = 'clip,time,x1,y1,x2,y2,action,person\n'
FRAMES, RATE = 24, 25
SLOWFAST = (
    'mmaction::detection/slowfast/'
    'slowfast_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py'
)


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """Eight clips, one in a folder, of 96 x 64 pixels."""
    root = tmp_path_factory.mktemp('own') / 'clips'
    for number in range(8):
        name = f'clip{number}.mp4' if number else 'kitchen/clip0.mp4'
        images = [picture(t, scene=number) for t in range(FRAMES)]
        write_video(root / name, images, rate=RATE)
    return root


def table_of(tmp_path, *lines, header=HEADER):
    path = tmp_path / 'boxes.csv'
    path.write_text(header + ''.join(f'{line}\n' for line in lines))
    return path


def every_clip(tmp_path):
    lines = []
    for number in range(8):
        for t in (2, 7, 12):
            x = 4 + 2 * t
            action = ('walk', 'wave')[number % 2]
            lines.append(
                f'clip{number}.mp4,{t / RATE:.3f},{x},8,{x + 30},60,{action},anna'
            )
    return table_of(tmp_path, *lines)


def problems_of(clips, table, **kwargs):
    problems = Problems()
    read_own_clips(clips, table, problems, **kwargs)
    return str(problems)


# From files to a result.


def test_own_clips_are_prepared_trained_on_tested_and_taken_apart(
    clips, tmp_path, monkeypatch, capsys
):
    """The commands of docs/own_clips.md, with small networks and a made-up detector."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['mmanon'])
    write_tiny_faces(tmp_path / 'data' / 'people')
    table = every_clip(tmp_path)
    with pytest.raises(SystemExit) as ended:
        mmanon(['convert', 'own-clips', str(clips), '--boxes', str(table)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert 'next: mmanon detect-faces data/own/rawframes' in said
    assert 'mmanon train data/own/own.py' in said
    monkeypatch.setitem(FACE_DETECTORS, 'RedSquareDetector', RedSquareDetector)
    search = FaceSearch(dict(type='RedSquareDetector'))
    build_face_table(Path('data/own/rawframes'), Path('data/own/faces.parquet'), search)

    # What is small here.
    (tmp_path / 'config.py').write_text(f"""
_base_ = 'data/own/own.py'
custom_hooks = [
    dict(
        _base_.custom_hooks[0],
        modifier={tiny_modifier()!r},
        discriminator={tiny_discriminator(None)!r},
        crop_size=32,
        faces=dict(batch_size=4, dataset=dict(
            type='mmanon.FaceIdentityDataset', data_root=_base_.people)),
        phases=dict(warm_up=1),
    ),
]
model = dict(
    backbone=dict(base_channels=4), roi_head=dict(bbox_head=dict(in_channels=16))
)
train_cfg = dict(max_epochs=1)
""")
    train.main(['config.py', '--no-validate', '--weights-only'])
    checkpoint = 'work_dirs/config/epoch_1.pth'
    test.main(['config.py', checkpoint, '--out', 'metrics.json'])
    metrics = json.loads(Path('metrics.json').read_text())
    assert 0 <= metrics['mAP/overall'] <= 1
    export_checkpoint.main([checkpoint, '--modifier', 'modifier.pth'])
    assert Path('modifier.pth').is_file()


def test_the_config_written_is_the_template_with_the_data_sets_values(clips, tmp_path):
    out = tmp_path / 'it'
    args = [str(clips), '--boxes', str(every_clip(tmp_path)), '--out', str(out)]
    assert own_clips.main([*args, '--people', 'some/people']) == 0
    config = Config.fromfile(out / 'it.py')
    template = Config.fromfile(ROOT / 'configs/templates/own_clips.py')
    assert (config.data_root, config.people) == (str(out), 'some/people')
    assert config.num_classes == config.model.roi_head.bbox_head.num_classes == 3
    assert config.train_dataloader.dataset.ann_file == f'{out}/annotations/train.csv'
    assert config.custom_hooks[0].faces.dataset.data_root == 'some/people'
    assert config.train_pipeline == template.train_pipeline


def test_another_detector_brings_its_model_pipelines_and_schedule(
    clips, tmp_path, capsys
):
    out = tmp_path / 'it'
    args = [str(clips), '--boxes', str(every_clip(tmp_path)), '--out', str(out)]
    with pytest.raises(SystemExit, match='no keyframe with 32 frames after it'):
        own_clips.main([*args, '--detector', SLOWFAST])
    assert own_clips.main([*args, '--margin', '8', '--detector', SLOWFAST]) == 0
    config = Config.fromfile(out / 'it.py')
    theirs = Config.fromstring(f'_base_ = [{SLOWFAST!r}]', '.py')
    assert config.model.backbone == theirs.model.backbone
    assert config.model.roi_head.bbox_head.num_classes == 3
    assert config.optim_wrapper == theirs.optim_wrapper
    for loader in (config.train_dataloader, config.val_dataloader):
        assert loader.dataset.pipeline[0].clip_len == 32
    assert config.train_dataloader.dataset.ann_file == f'{out}/annotations/train.csv'
    # One's own changes stay.
    (out / 'it.py').write_text('mine = 1\n')
    assert own_clips.main([*args, '--margin', '8', '--detector', SLOWFAST]) == 0
    assert 'it.py is kept, without mmaction::' in capsys.readouterr().out
    assert (out / 'it.py').read_text() == 'mine = 1\n'


@pytest.mark.parametrize(
    'name, said',
    [
        ('mmaction::detection/slowfast/none.py', 'none.py" does not exist'),
        ('mmaction::_base_/default_runtime.py', 'needs SampleAVAFrames'),
        ('mmanon::_base_/anonymizers/mini.py', 'has custom_hooks'),
    ],
)
def test_a_detector_that_does_not_fit_is_named(clips, tmp_path, capsys, name, said):
    args = [str(clips), '--boxes', str(every_clip(tmp_path)), '--detector', name]
    with pytest.raises(SystemExit):
        own_clips.main(args)
    assert said in capsys.readouterr().err


def test_what_is_written_is_what_the_table_says(clips, tmp_path, capsys):
    out = tmp_path / 'out'
    args = [str(clips), '--boxes', str(every_clip(tmp_path)), '--out', str(out)]
    assert own_clips.main([*args, '--margin', '13']) == 0
    # 24 frames of which the 13th has 11 behind it.
    assert '8 boxes left out: fewer than 13 frames follow' in capsys.readouterr().out
    names = read_label_map(out / 'annotations/labels.pbtxt')
    assert names == {1: 'walk', 2: 'wave'}
    boxes = read_ava_boxes(out / 'annotations/test.csv')
    # Every fourth clip by name: clip4 and kitchen/clip0.
    assert boxes.videos == ['clip4', 'clip4', 'kitchen/clip0', 'kitchen/clip0']
    assert boxes.timestamps.tolist() == [3, 8, 3, 8]
    wanted = [[8 / 96, 8 / 64, 38 / 96, 60 / 64], [18 / 96, 8 / 64, 48 / 96, 60 / 64]]
    assert np.allclose(boxes.boxes[:2], wanted, atol=1e-4)
    assert boxes.persons.tolist() == [0] * 4
    assert own_clips.main([*args, '--check']) == 0


# The table.


def test_frames_and_fractions_are_taken_as_well(clips, tmp_path):
    table = table_of(
        tmp_path,
        'clip1;0;0.1;0.2;0.5;0.9;walk',
        'clip1;0;0.1;0.2;0.5;0.9;wave',
        'clip1;0;0.6;0.2;0.9;0.9;walk',
        'clip2;5;0.1;0.2;0.5;0.9;walk',
        header='\ufeffClip;Frame;x1;y1;x2;y2;action\n',
    )
    data = read_own_clips(clips, table, problems := Problems())
    assert not problems
    found = [(one.video, one.frame, one.label, one.person) for one in data.annotations]
    # Files count from 1. One box at one moment is one person.
    assert found == [
        ('clip1', 1, 1, 0),
        ('clip1', 1, 2, 0),
        ('clip1', 1, 1, 1),
        ('clip2', 6, 1, 0),
    ]
    assert data.annotations[0].box == (0.1, 0.2, 0.5, 0.9)


def test_folders_of_images_are_clips_by_the_numbers_of_their_files(tmp_path):
    for name in ('a', 'b'):
        write_images(tmp_path / 'clips' / name, 9, 'frame_{:03d}.jpg')
    table = table_of(
        tmp_path,
        'a,3,16,12,48,36,walk',
        'b,10,16,12,48,36,walk',
        header='clip,frame,x1,y1,x2,y2,action\n',
    )
    data = read_own_clips(tmp_path / 'clips', table, problems := Problems())
    assert 'line 3: there is no image number 10' in str(problems)
    (annotation,) = data.annotations
    assert (annotation.frame, annotation.box) == (3, (0.25, 0.25, 0.75, 0.75))
    table = table_of(tmp_path, 'a,0.1,16,12,48,36,walk,anna')
    assert 'have no times: give `frame`' in problems_of(tmp_path / 'clips', table)


@pytest.mark.parametrize(
    'line, said',
    [
        ('clip1,9,1,1,9,9,walk,', 'line 2: time 9: the clip ends at 0.92 seconds'),
        (
            'clip1,0,9,1,1,9,walk,',
            'line 2: the box (9.0, 1.0, 1.0, 9.0) is not x1',
        ),
        ('clip1,0,1,1,9,nine,walk,', "line 2: 'clip1,0,1,1,9,nine,walk,' is not clip,"),
        ('clip1,0,1,1,9,9,,', "line 2: 'clip1,0,1,1,9,9,,' is not clip, time"),
        ('clip1,0,1', "line 2: 'clip1,0,1' is not clip, time"),
        ('clp1,0,1,1,9,9,walk,', 'missing: clp1: '),
    ],
)
def test_a_line_that_is_wrong_is_named(clips, tmp_path, line, said):
    table = table_of(tmp_path, line, 'clip2,0,1,1,9,9,walk,', 'clip3,0,1,1,9,9,walk,')
    assert said in problems_of(clips, table)


def test_a_name_that_two_clips_have_needs_its_folder(clips, tmp_path):
    both = tmp_path / 'clips'
    shutil.copytree(clips, both)
    shutil.copy(clips / 'kitchen/clip0.mp4', both / 'clip0.mp4')
    table = table_of(tmp_path, 'clip0,0,1,1,9,9,walk,', 'kitchen/clip0,0,1,1,9,9,walk,')
    assert 'clip0 may be' in problems_of(both, table)


def test_a_table_of_other_columns_is_refused(clips, tmp_path):
    table = table_of(tmp_path, 'clip1,1,2', header='clip,x1,action\n')
    said = problems_of(clips, table)
    assert 'but time or frame, y1, x2, y2 is missing' in said
    assert 'the table of boxes and actions' in problems_of(clips, tmp_path / 'no.csv')
    assert 'no valid lines' in problems_of(clips, table_of(tmp_path))


def test_there_is_a_clip_to_train_on_and_one_to_test_on():
    names = [f'c{i}' for i in range(9)]
    assert split_clips(names)['test'] == ['c3', 'c7']
    assert split_clips(names[:2]) == {'train': ['c0'], 'test': ['c1']}
    assert split_clips(names, ['c[12]'])['test'] == ['c1', 'c2']
    for few, test_clips in ((['c0'], []), (names, ['c*']), (names, ['x'])):
        with pytest.raises(ValueError, match='each needs at least one'):
            split_clips(few, test_clips)
