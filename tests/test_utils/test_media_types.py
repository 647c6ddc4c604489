from mmanon.utils.media_types import (
    IMAGES,
    VIDEOS,
    files_in,
    is_hidden,
    is_image,
    is_video,
    without_video_suffix,
)


def test_a_file_is_known_by_the_end_of_its_name():
    assert is_image('a/b.JPG') and is_image('b.pgm') and not is_image('b.mp4')
    assert is_video('a.b.MP4') and is_video('x.m2ts') and not is_video('x.jpg')
    assert not is_image('jpg') and not is_video('a.mp4/b')
    assert not IMAGES & VIDEOS


def test_the_files_of_a_kind_come_in_order_without_hidden_ones(tmp_path):
    for name in ('b.png', 'a.jpg', '.c.png', 'd.mp4', 'e'):
        tmp_path.joinpath(name).touch()
    tmp_path.joinpath('deeper').mkdir()
    tmp_path.joinpath('deeper', 'f.png').touch()
    assert [path.name for path in files_in(tmp_path, IMAGES)] == ['a.jpg', 'b.png']
    assert [path.name for path in files_in(tmp_path, VIDEOS)] == ['d.mp4']


def test_what_begins_with_a_dot_is_hidden():
    assert is_hidden('a/.b.png') and not is_hidden('.a/b.png')


def test_only_the_end_of_a_video_goes():
    assert without_video_suffix('day.2/clip.MP4') == 'day.2/clip'
    for name in ('day.2', 'clip', 'a.b', 'x.jpg'):
        assert without_video_suffix(name) == name
