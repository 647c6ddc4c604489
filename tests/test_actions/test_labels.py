import logging

import pytest

from mmanon.actions.labels import action_names

MAP = 'item {\n  name: "sit"\n  id: 1\n}\nitem {\n  name: "talk"\n  id: 3\n}\n'


@pytest.fixture
def label_map(tmp_path):
    path = tmp_path / 'actions.pbtxt'
    path.write_text(MAP)
    return path


def test_names_come_from_the_label_map_of_the_config(label_map):
    names = action_names(dict(label_file=str(label_map)), 4)
    assert names == ['action 0', 'sit', 'action 2', 'talk']


def test_custom_classes_are_counted_anew(label_map):
    dataset = dict(label_file=str(label_map), custom_classes=[3, 1])
    assert action_names(dataset, 3) == ['action 0', 'talk', 'sit']


def test_classes_of_single_frames_are_counted_from_0():
    assert action_names(dict(metainfo=dict(classes=('eat', 'wave'))), 2) == [
        *('eat', 'wave')
    ]


def test_a_file_of_ones_own_takes_their_place(tmp_path, label_map):
    own = tmp_path / 'own.txt'
    own.write_text('run\n\njump\n')
    dataset = dict(label_file=str(label_map))
    assert action_names(dataset, 3, own) == ['action 0', 'run', 'jump']
    with pytest.raises(FileNotFoundError, match='labels .*none.txt do not exist'):
        action_names(dataset, 3, tmp_path / 'none.txt')


def test_without_names_there_are_numbers_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING, 'mmanon'):
        names = action_names(dict(label_file='not/there.pbtxt'), 2)
    assert names == ['action 0', 'action 1']
    assert 'not/there.pbtxt' in caplog.text and 'labels' in caplog.text
