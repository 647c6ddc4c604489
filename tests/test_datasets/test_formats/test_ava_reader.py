import json

import numpy as np
import pytest

from mmanon.datasets.formats.ava_reader import (
    person_tubes,
    read_ava_boxes,
    read_tube_file,
    usual_step,
)


def test_a_person_who_stops_and_begins_again_has_two_tubes(tmp_path):
    lines = [
        *(f'a,{t:04},0,0,0.5,1,1,7' for t in (1, 6, 11, 21, 26)),
        'a,0016,0.5,0,1,1,1,8',  # person 7 misses this one
        'a,0046,0,0,0.5,1,1,7',  # far from the others, though nobody was annotated
        'a,0001,0,0,0.5,1,2,7',
    ]
    path = tmp_path / 'boxes.csv'
    path.write_text('\n'.join(lines) + '\n')
    boxes = read_ava_boxes(path)
    tubes = person_tubes(boxes, boxes.ids - 1)
    assert [(t.label, t.frames.tolist()) for t in tubes] == [
        (0, [1, 6, 11]),
        (0, [21, 26]),
        (0, [46]),
        (0, [16]),
        (1, [1]),
    ]
    wide = person_tubes(boxes, boxes.ids - 1, max_gap=20)
    assert [21, 26, 46] in [t.frames.tolist() for t in wide]
    path.write_text('a,1,0,0,0.5,1,1,7\na,1,0,0,0.4,1,1,7\n')
    with pytest.raises(ValueError, match="video 'a', timestamp 1: person 7 has two"):
        person_tubes(read_ava_boxes(path), np.zeros(2, int))
    path.write_text('a,1,0,0,0.5,1,1\n')
    with pytest.raises(ValueError, match='need the number of the person'):
        person_tubes(read_ava_boxes(path), np.zeros(1, int))


def test_the_usual_step():
    assert usual_step([{1, 6, 11}, [3, 8, 100]]) == 5
    assert usual_step([{1, 2, 7}]) == 1  # as common, and less
    assert usual_step([{4}, []]) == 1


def write_tubes(path, **clips):
    """Clips of 100 by 50 pixels, each a list of (label, start_frame, boxes)."""
    content = {
        'classes': ['Jump', 'Run', 'Sit'],
        'clips': {
            name: dict(
                annotation_width=100,
                annotation_height=50,
                tubes=[
                    dict(
                        label=label,
                        start_frame=start,
                        end_frame=start + len(boxes),
                        boxes=boxes,
                    )
                    for label, start, boxes in tubes
                ],
            )
            for name, tubes in clips.items()
        },
    }
    path.write_text(json.dumps(content))
    return str(path)


def moving(count, speed=1):
    return [[speed * t, 10, 20 + speed * t, 40] for t in range(count)]


def test_tubes_are_read(tmp_path):
    # In the third frame nothing of the box is inside.
    boxes = [[-10, 0, 50, 50], [0, 0, 120, 25], [100, 0, 120, 25], [0, 0, 10, 5]]
    path = write_tubes(tmp_path / 'tubes.json', a=[('Run', 4, boxes)], b=[])
    classes, tubes = read_tube_file(path)
    assert classes == ['Jump', 'Run', 'Sit'] and tubes['b'] == []
    [one] = tubes['a']
    assert (one.video, one.label, one.frames.tolist()) == ('a', 1, [4, 5, 7])
    np.testing.assert_allclose(
        one.boxes, [[0, 0, 0.5, 1], [0, 0, 1, 0.5], [0, 0, 0.1, 0.1]]
    )


def test_wrong_tube_files_are_named(tmp_path):
    path = tmp_path / 'tubes.json'
    with pytest.raises(FileNotFoundError, match='tubes.json, the file of tubes'):
        read_tube_file(path)
    for text in ('not json', '[]', '{"classes": []}'):
        path.write_text(text)
        with pytest.raises(ValueError, match='tubes.json is not a file of tubes'):
            read_tube_file(path)
    write_tubes(path, a=[('Swim', 0, moving(3))])
    with pytest.raises(ValueError, match="video 'a'.*'Swim' is not one of the classes"):
        read_tube_file(path)
    write_tubes(path, a=[('Run', 0, moving(3))])
    path.write_text(path.read_text().replace('"end_frame": 3', '"end_frame": 4'))
    with pytest.raises(ValueError, match="video 'a'.*from frame 0 to 4 has 3 boxes"):
        read_tube_file(path)
