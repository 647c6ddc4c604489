import json
import logging

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from made_videos import is_red, picture, write_video
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from PIL import Image
from tiny import tiny_config, tiny_modifier

from mmanon.actions import ActionDetectionInferencer
from mmanon.anonymizer import DetectionOptions, MaskingOptions
from mmanon.anonymizer.io.sources import InputError, Source
from mmanon.cli.detect_actions import main

LENGTH = 12


def frames_of(path):
    with av.open(str(path)) as container:
        return [
            (one.time, one.to_ndarray(format='rgb24'))
            for one in container.decode(video=0)
        ]


def test_videos_become_anonymized_with_films_a_table_and_a_figure(
    make, clips, tmp_path
):
    masking = MaskingOptions('grey', shape='square')
    inferencer = make(people=tmp_path / 'people.json', step=4, masking=masking)
    out = tmp_path / 'out'
    results = inferencer(clips, out, compare=True, show_progress=False)
    assert [one.status for one in results] == ['written', 'written'], results
    names = {f'{name}{end}' for name in 'ab' for end in ('', '_actions', '_compare')}
    files = {path.name for path in out.iterdir()}
    assert files == {f'{n}.mp4' for n in names} | {'actions.parquet', 'actions.jsonl'}
    first = results[0]
    assert not any(is_red(image).any() for _, image in frames_of(first.out))
    film, both = frames_of(first.film), frames_of(first.comparison)
    assert len(film) == len(both) == LENGTH
    assert [time for time, _ in film] == [time for time, _ in frames_of(first.out)]
    assert both[0][1].shape[1] == 2 * film[0][1].shape[1]
    left = both[0][1][:, : both[0][1].shape[1] // 2]
    # Enlarged five times; lines and words are in colours, too.
    assert is_red(left).sum() > 5000 and is_red(film[0][1]).sum() < 500
    rows = pq.read_table(out / 'actions.parquet').to_pylist()
    assert rows == [json.loads(one) for one in (out / 'actions.jsonl').open()]
    assert {(row['video'], row['shown'], row['frame']) for row in rows} == {
        (video, shown, frame)
        for video in ('a.mp4', 'b.mp4')
        for shown in ('raw', 'anonymized')
        for frame in (0, 4, 8)
    }
    # Three actions of one person in each, none of which is called "no action".
    assert len(rows) == 2 * 2 * 3 * 3
    assert {row['action'] for row in rows} == {'action 1', 'action 2', 'action 3'}
    assert [row['x1'] for row in rows[:3]] == pytest.approx([4, 4, 4], abs=0.01)
    assert {row['track'] for row in rows} == {0}
    # Where every action is named, whatever its score, all are the same.
    assert (first.agreement.raw, first.agreement.share) == (9, 1.0)


def test_people_are_found_by_the_faces_that_are_covered(make, clips, tmp_path):
    (result,) = make(step=6)(clips / 'a.mp4', tmp_path / 'out', film=False)
    assert result.film is None and result.comparison is None
    boxes = {one.frame: one.box for one in result.records}
    # The body of a face of 16 pixels, which moves two a frame and is covered where it
    # was and will be, in a picture of 96 x 64.
    for frame, body in ((0, (0, 13.6, 41.6, 64)), (6, (2.4, 13.6, 53.6, 64))):
        x1, y1, x2, y2 = boxes[frame]
        assert x1 <= body[0] and y1 <= body[1] and x2 >= body[2] and y2 == 64
        assert x2 - x1 <= body[2] - body[0] + 30


def test_only_what_is_sure_is_named_and_people_are_there_all_the_same(
    make, clips, tmp_path
):
    inferencer = make(step=6)
    inferencer.score_thr = 1.0
    (result,) = inferencer(clips / 'a.mp4', tmp_path / 'out', raw=True)
    assert {one.action for one in result.records} == {None}
    assert result.agreement.share is None
    inferencer.score_thr, inferencer.top = 0.0, 1
    (result,) = inferencer(clips / 'a.mp4', tmp_path / 'out', overwrite=True)
    assert len(result.records) == 2 and result.agreement is None


def test_what_is_there_stays_unless_it_is_to_be_made_anew(make, clips, tmp_path):
    inferencer = make(step=6)
    inferencer(clips / 'a.mp4', tmp_path / 'out')
    (again,) = inferencer(clips / 'a.mp4', tmp_path / 'out')
    assert again.status == 'skipped' and 'overwrite' in again.reason


def test_a_part_of_a_video_is_compared_with_that_part(make, clips, tmp_path):
    faces = tmp_path / 'faces.json'
    given = {'a.mp4': {t: [[8, 20, 60, 36]] for t in range(LENGTH)}}
    faces.write_text(json.dumps(given))
    (result,) = make(step=2)(
        clips / 'a.mp4', tmp_path / 'out', raw=True, start=0.2, film=False
    )
    assert result.status == 'written', result.reason
    raw, ours = (
        [(one.frame, one.time) for one in result.records if one.shown == shown]
        for shown in ('raw', 'anonymized')
    )
    assert len(raw) == len(ours) > 0
    assert np.allclose(raw, ours, atol=0.01)
    assert max(raw)[0] < LENGTH - 2


def test_a_checkpoint_of_ours_brings_its_modifier(plain, clips, tmp_path):
    config = tiny_config(plain, tmp_path / 'work')
    config.dump(tmp_path / 'ours.py')
    state = torch.load(plain / 'plain.pth', weights_only=True)['state_dict']
    modifier = MODELS.build(tiny_modifier())
    modifier.record_update()
    ours = {f'detector.{name}': value for name, value in state.items()}
    ours |= {f'modifier.{name}': one for name, one in modifier.state_dict().items()}
    torch.save(dict(state_dict=ours), tmp_path / 'ours.pth')
    inferencer = ActionDetectionInferencer(
        tmp_path / 'ours.py',
        tmp_path / 'ours.pth',
        detection=DetectionOptions(boxes=tmp_path / 'faces.json'),
    )
    compositor = inferencer.anonymizer.faces.compositor
    assert type(compositor.backend.modifier).__name__ == 'ResNetModifier'
    assert compositor.geometry.crop_size == 32
    assert compositor.shape == 'square'  # as the detector has learned
    (result,) = inferencer(clips / 'a.mp4', tmp_path / 'out', film=False)
    assert result.status == 'written', result.reason


def test_a_short_clip_and_one_without_people_are_told_of(make, clips, tmp_path, caplog):
    write_video(clips / 'c.mp4', [picture(t) for t in range(2)])
    (tmp_path / 'faces.json').write_text(json.dumps({'c.mp4': {'0': [], '1': []}}))
    with caplog.at_level(logging.WARNING, 'mmanon'):
        (result,) = make(step=1)(clips / 'c.mp4', tmp_path / 'out')
    assert result.status == 'written' and result.records == []
    assert 'has 2 frames, but the window of the detector spans 3' in caplog.text
    assert 'no person is found in' in caplog.text
    assert len(frames_of(result.film)) == 2


def test_what_cannot_be_done_is_one_sentence_of_that_input(make, clips, tmp_path):
    Image.fromarray(picture(0)).save(clips / 'p.png')
    inferencer = make(step=6)
    results = inferencer(
        [clips / 'p.png', clips / 'none.mp4', clips / 'a.mp4'], tmp_path / 'out'
    )
    said = {one.source.rpartition('/')[2]: one for one in results}
    assert 'it is an image' in said['p.png'].reason
    assert said['none.mp4'].status == 'failed' and said['a.mp4'].status == 'written'
    live = Source('0', 'camera_0', 'live')
    (result,) = inferencer(live, tmp_path / 'out', raw=True)
    assert result.reason.startswith('of a camera or stream, only the anonymized')
    with pytest.raises(InputError):
        inferencer(tmp_path / 'nothing', tmp_path / 'out')


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(step=0), 'step must be at least 1'),
        (dict(top=0), 'top must be at least 1'),
        (dict(people_thr=2.0), r'people_thr must be in \[0, 1\]'),
        (dict(people='mmdet::x.py'), 'needs its checkpoint: give it as people_weights'),
        (dict(people='none.json'), 'people none.json: there is no such file'),
        (dict(device='gpu'), "device must be 'cpu'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, wrong, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        make(**wrong)


def test_a_detector_of_mmdet_looks_for_people(make, clips, tmp_path, caplog):
    path = 'configs/mini/faster-rcnn_mini.py'
    config = Config.fromfile(path)
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(config.model, _scope_='mmdet'))
    torch.save(model.state_dict(), tmp_path / 'people.pth')
    with caplog.at_level(logging.WARNING, 'mmanon'):
        inferencer = make(
            people=path, people_weights=tmp_path / 'people.pth', people_thr=0.0, step=6
        )
    assert 'has no class called person' in caplog.text
    (result,) = inferencer(clips / 'a.mp4', tmp_path / 'out', film=False)
    assert result.status == 'written', result.reason
    assert all(np.isfinite(one.box).all() for one in result.records)


def test_the_command_says_what_it_found(plain, clips, tmp_path, capsys):
    people = str(tmp_path / 'people.json')
    argv = [str(plain / 'plain.py'), str(plain / 'plain.pth'), str(clips / 'a.mp4')]
    options = ['--people', people, '--raw', '--score-thr', '0', '--no-film']
    assert main([*argv, '-o', str(tmp_path / 'out'), *options]) == 0
    said = capsys.readouterr().out
    assert '1 people; action 1, action 2, action 3' in said
    assert '100% agreement: ' in said and 'actions.jsonl' in said
    argv[1] = str(plain / 'annotations' / 'clips.csv')
    assert main([*argv, '-o', str(tmp_path / 'out')]) == 1
    assert 'holds no weights of PyTorch' in capsys.readouterr().err


def test_a_clip_of_ucf101_is_anonymized_compared_and_drawn(
    plain, shared_data, tmp_path, capsys
):
    folder = shared_data / 'videos' / 'ucf24'
    name = 'v_SalsaSpin_g03_c01'
    known = json.loads((folder / 'tubes.json').read_text())['clips'][name]
    scale = np.tile([known['width'] / 320, known['height'] / 240], 2)
    people = {str(frame): [] for frame in range(known['num_frames'])}
    for tube in known['tubes']:
        for frame, box in enumerate(tube['boxes'], tube['start_frame']):
            people[str(frame)].append((np.array(box) * scale).tolist())
    (tmp_path / 'people.json').write_text(json.dumps({f'{name}.mp4': people}))
    argv = [str(plain / 'plain.py'), str(plain / 'plain.pth'), str(folder / name)]
    argv[-1] += '.mp4'
    argv += ['-o', str(tmp_path / 'out'), '--people', str(tmp_path / 'people.json')]
    argv += ['--compare', '--end', '0.6', '--score-thr', '0', '--step', '5']
    assert main(argv) == 0
    assert 'agreement' in capsys.readouterr().out
    seen = pq.read_table(tmp_path / 'out' / 'actions.parquet').to_pylist()
    assert {(one['shown'], one['frame'], one['track']) for one in seen} == {
        (shown, frame, track)
        for shown in ('raw', 'anonymized')
        for frame in (0, 5, 10)
        for track in (0, 1)
    }
    assert len(frames_of(tmp_path / 'out' / f'{name}_compare.mp4')) == 15
