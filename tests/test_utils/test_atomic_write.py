import os

import pytest

from mmanon.utils.atomic_write import (
    WholeFile,
    folder_written_whole,
    restore_folder,
    write_whole,
    written_whole,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed_at(monkeypatch, target):
    """Let nothing be moved to ``target``, as if the process were killed there."""
    replace = os.replace

    def move(source, place):
        if place == target:
            raise KeyboardInterrupt
        replace(source, place)

    monkeypatch.setattr(os, 'replace', move)


# Files


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with written_whole(path) as beside:
        beside.write_text('half')
        assert not path.exists() and beside.parent == path.parent
    assert path.read_text() == 'half' and names(path.parent) == ['a.txt']


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('before')
    with pytest.raises(RuntimeError), written_whole(path) as beside:
        beside.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'before' and names(tmp_path) == ['a.txt']


def test_two_writers_of_a_file_do_not_meet(tmp_path):
    path = tmp_path / 'a.txt'
    with written_whole(path) as first, written_whole(path) as second:
        first.write_text('1')
        second.write_text('2')
    assert path.read_text() == '1' and names(tmp_path) == ['a.txt']


def test_a_name_of_any_length_and_script_can_be_written(tmp_path):
    path = tmp_path / ('é' * 120 + '.json')
    write_whole(path, '{}')
    assert names(tmp_path) == [path.name]


def test_text_is_written_as_utf8_with_its_own_line_ends(tmp_path):
    write_whole(tmp_path / 'a', 'é\r\n')
    assert (tmp_path / 'a').read_bytes() == 'é\r\n'.encode()
    write_whole(tmp_path / 'a', b'\xff')
    assert (tmp_path / 'a').read_bytes() == b'\xff'


def test_what_was_killed_before_is_written_over_by_one_who_is_alone(tmp_path):
    path = tmp_path / 'a.txt'
    WholeFile(path, alone=True).beside.write_text('of a killed process')
    file = WholeFile(path, alone=True)
    file.beside.write_text('whole')
    file.finish()
    file.discard()
    assert path.read_text() == 'whole' and names(tmp_path) == ['a.txt']


# Folders


def fill(folder, text):
    with folder_written_whole(folder) as part:
        (part / text).touch()


def test_a_folder_appears_when_it_is_whole(tmp_path):
    folder = tmp_path / 'new' / 'a'
    with folder_written_whole(folder) as part:
        (part / 'b').touch()
        assert not folder.exists()
    assert names(folder) == ['b'] and names(folder.parent) == ['a']


def test_a_folder_that_is_there_is_replaced(tmp_path):
    folder = tmp_path / 'a'
    fill(folder, 'old')
    fill(folder, 'new')
    assert names(folder) == ['new'] and names(tmp_path) == ['a']


def test_an_error_leaves_the_folder_that_was_there(tmp_path):
    folder = tmp_path / 'a'
    fill(folder, 'old')
    with pytest.raises(RuntimeError), folder_written_whole(folder) as part:
        (part / 'new').touch()
        raise RuntimeError
    assert names(folder) == ['old'] and names(tmp_path) == ['a']


def test_what_a_killed_process_put_into_a_folder_is_gone(tmp_path):
    part = tmp_path / '.a.part'
    part.mkdir()
    (part / 'half').touch()
    fill(tmp_path / 'a', 'whole')
    assert names(tmp_path / 'a') == ['whole'] and names(tmp_path) == ['a']


def test_a_folder_comes_back_when_its_replacement_was_killed(tmp_path, monkeypatch):
    folder = tmp_path / 'a'
    fill(folder, 'old')
    with monkeypatch.context() as patched:
        killed_at(patched, folder)
        with pytest.raises(KeyboardInterrupt):
            fill(folder, 'new')
    assert not folder.exists()
    restore_folder(folder)
    assert names(folder) == ['old'] and names(tmp_path) == ['a']


def test_the_replaced_folder_does_not_come_back(tmp_path, monkeypatch):
    folder = tmp_path / 'a'
    fill(folder, 'old')
    with monkeypatch.context() as patched:
        killed_at(patched, tmp_path / '.a.part')  # the new one is in its place
        with pytest.raises(KeyboardInterrupt):
            fill(folder, 'new')
    restore_folder(folder)
    assert names(folder) == ['new'] and names(tmp_path) == ['a']
