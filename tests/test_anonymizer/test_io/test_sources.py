import os
import re

import pytest

from mmanon.anonymizer.io.sources import (
    InputError,
    Source,
    find_sources,
    without_password,
)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / 'data'
    for name in ('a.jpg', 'deep/b.MP4', 'deep/er/c.png', 'notes.doc', '.hidden.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def names(inputs, out_dir=None):
    return [(one.name, one.kind) for one in find_sources(inputs, out_dir)[0]]


def test_a_folder_is_searched_with_all_folders_in_it(tree):
    assert names(tree) == [
        ('a.jpg', 'image'),
        ('deep/b.MP4', 'video'),
        ('deep/er/c.png', 'image'),
    ]
    others = find_sources(tree)[1]
    assert any(one.endswith('notes.doc') for one in others)


def test_outputs_within_the_folder_are_not_anonymized_again(tree):
    assert names(tree, tree / 'deep') == [('a.jpg', 'image')]


def test_files_patterns_and_lists(tree, tmp_path):
    assert names(tree / 'deep/b.MP4') == [('b.MP4', 'video')]
    assert names(str(tree / '**/*.[pM]*')) == [
        ('deep/b.MP4', 'video'),
        ('deep/er/c.png', 'image'),
    ]
    listed = tree / 'list.txt'
    listed.write_text('# mine\na.jpg\n\ndeep/er/c.png\nrtsp://eve:secret@host/door\n')
    found = names(listed)
    assert found[:2] == [('a.jpg', 'image'), ('deep/er/c.png', 'image')]
    assert found[2][1] == 'live' and found[2][0].startswith('host_door-')
    assert 'secret' not in found[2][0]


def test_cameras_and_streams_are_live():
    for one in (0, '1', 'http://host/cam.mjpg'):
        ((name, kind),) = names(one)
        assert kind == 'live' and name.endswith('.mp4')


@pytest.mark.parametrize('wrong', ['nowhere.mp4', 'nothing/*.mp4', 'a.doc', 'no.txt'])
def test_what_is_not_there_is_said(tmp_path, wrong):
    (tmp_path / 'a.doc').touch()
    (tmp_path / 'no.txt').write_text('# nothing\n')
    with pytest.raises(InputError, match=wrong.replace('*', r'\*')):
        find_sources(str(tmp_path / wrong))


def test_kinds_of_video_that_are_not_written_become_matroska(tmp_path):
    assert Source('', 'd/a.wmv', 'video').output(tmp_path) == tmp_path / 'd/a.mkv'
    assert Source('', 'd/a.MOV', 'video').output(tmp_path) == tmp_path / 'd/a.MOV'
    assert Source('', 'a.mp4', 'video').output(tmp_path, 'mkv') == tmp_path / 'a.mkv'


# --- Lists ----------------------------------------------------------------------------


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_a_list_may_begin_with_a_mark_of_its_encoding(tree, encoding):
    (tree / 'list.txt').write_text('a.jpg\ndeep/b.MP4\n', encoding=encoding)
    assert names(tree / 'list.txt') == [('a.jpg', 'image'), ('deep/b.MP4', 'video')]


def test_what_a_line_of_a_list_names_is_looked_up_before_it_is_interpreted(tree):
    (tree / '2024').mkdir()
    (tree / '2024/d.jpg').touch()
    (tree / '#1.jpg').touch()
    (tree / 'blank .jpg').touch()
    listed = tree / 'list.txt'
    listed.write_text('2024\n#1.jpg\n# no file\n  blank .jpg\n')
    assert [name for name, _ in names(listed)] == ['2024/d.jpg', '#1.jpg', 'blank .jpg']


def test_a_missing_line_or_input_is_listed_and_the_others_are_found(tree):
    listed = tree / 'list.txt'
    listed.write_text('a.jpg\ngone.jpg\nnotes.doc\ndeep/b.MP4\n')
    found = find_sources([listed, tree / 'nowhere.mp4', tree / 'deep'])
    assert [one.name for one in found.sources] == [
        *('a.jpg', 'deep/b.MP4', 'b.MP4', 'er/c.png')
    ]
    assert [name for name, _ in found.missing] == [
        *('gone.jpg', 'notes.doc', str(tree / 'nowhere.mp4'))
    ]
    assert 'gone.jpg does not exist' in found.missing[0][1]


def test_names_of_any_bytes_may_be_listed(tree):
    name = os.fsdecode(b'caf\xe9.jpg')
    (tree / name).touch()
    (tree / 'list.txt').write_bytes(b'caf\xe9.jpg\n')
    assert names(tree / 'list.txt') == [(name, 'image')]


# --- Patterns -------------------------------------------------------------------------


@pytest.mark.parametrize('pattern', ['**/*.png', '*/er/*.png'])
def test_outputs_below_a_pattern_are_not_anonymized_again(tree, pattern):
    out = tree / 'anon'
    (out / 'er').mkdir(parents=True)
    (out / 'er/c.png').touch()
    found = find_sources(str(tree / pattern), out)
    assert [one.name for one in found.sources] == ['deep/er/c.png']
    # Whoever names the folder itself means it.
    assert names(str(out / '**/*.png'), out) == [('er/c.png', 'image')]


def test_numbered_images_are_found_in_their_order(tree):
    for number in (1, 2, 10, 100000):
        (tree / f'frame_{number:05d}.png').touch()
    (tree / 'frame_1.png').touch()
    assert [name for name, _ in names(tree / 'frame_%05d.png')] == [
        'frame_00001.png',
        'frame_00002.png',
        'frame_00010.png',
        'frame_100000.png',
    ]
    with pytest.raises(InputError, match='matches no file'):
        find_sources(str(tree / 'shot_%03d.png'))
    (tree / '100%d.png').touch()  # a file of that very name
    assert names(tree / '100%d.png') == [('100%d.png', 'image')]


# --- Streams and kinds ----------------------------------------------------------------


def test_what_is_piped_in_is_a_stream():
    ((name, kind),) = names('-')
    assert kind == 'live' and re.fullmatch(r'stdin-[\d-]+\.mp4', name)


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('rtsp://eve:secret@host/door', 'rtsp://…@host/door'),
        ('rtsp://eve:se@cret@host/door is gone', 'rtsp://…@host/door is gone'),
        ('http://host/a@b.mjpg', 'http://host/a@b.mjpg'),
        ('mail@host', 'mail@host'),
    ],
)
def test_passwords_are_not_shown(text, shown):
    assert without_password(text) == shown


def test_kinds_that_ffmpeg_reads_are_videos_and_hidden_files_nothing(tree):
    for name in ('a.mxf', 'b.3g2', 'c.ogv', 'd.VOB', 'x.dcm', '.DS_Store'):
        (tree / name).touch()
    found = find_sources(tree)
    assert {'a.mxf', 'b.3g2', 'c.ogv', 'd.VOB'} <= {one.name for one in found.sources}
    assert sorted(os.path.basename(name) for name in found.others) == [
        'notes.doc',
        'x.dcm',
    ]
