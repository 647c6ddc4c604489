import pytest

from mmanon.anonymizer.io.sources import InputError, Source, find_sources


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
