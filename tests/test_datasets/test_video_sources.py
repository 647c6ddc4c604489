import av
import cv2
import numpy as np
import pytest
from made_videos import picture, write_video

from mmanon.datasets.video_sources import (
    SourceError,
    VideoReading,
    VideoSource,
    find_video_sources,
)
from mmanon.structures import VideoInfo


def write_frames(folder, numbers, name='img_{:05}.jpg'):
    folder.mkdir(parents=True, exist_ok=True)
    for t, number in enumerate(numbers):
        image = cv2.cvtColor(picture(t), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / name.format(number)), image)


@pytest.fixture
def data(tmp_path):
    root = tmp_path / 'data'
    write_frames(root / 'a/one', [1, 2, 3, 5])
    write_frames(root / 'two', range(2), 'two_{:03}.png')
    write_frames(root / 'two', range(2), 'flow_x_{:03}.png')
    write_video(root / 'a/clip.mkv', [picture(t) for t in range(6)])
    return root


def names(root):
    return [source.name for source in find_video_sources(root)[0]]


def read(path, interval=1):
    reading = VideoReading(VideoSource('v', path, 0), interval)
    return reading, [number for number, _ in reading.frames()]


def test_videos_are_files_and_folders_of_numbered_images(data):
    sources, left_out = find_video_sources(data)
    assert left_out == []
    assert [(source.name, source.num_frames) for source in sources] == [
        ('a/clip', 6),
        ('a/one', 4),
        ('two', 2),
    ]


def test_images_beside_videos_are_no_frames(data):
    for folder in (data, data / 'a', data / 'about'):
        write_frames(folder, [1], 'thumb.jpg')
    write_frames(data / 'a', [7], 'cover_{}.jpg')
    sources, left_out = find_video_sources(data)
    assert [source.name for source in sources] == ['a/clip', 'a/one', 'two']
    assert len(left_out) == 3
    for line in (f'{data}: 1 (thumb.jpg', f'{data / "a"}: 2 (', f'{data / "about"}: 1'):
        assert any(line in said for said in left_out)


def test_what_begins_with_a_dot_is_no_data(data):
    write_frames(data / '.three.part', [1])
    write_frames(data / 'a/one', [9], '._img_{:05}.jpg')
    (data / 'a/._clip.avi').write_bytes(b'Mac OS X')
    assert names(data) == ['a/clip', 'a/one', 'two']
    assert read(data / 'a/one')[1] == [1, 2, 3, 5]


def test_two_videos_of_one_name_are_refused(data):
    write_video(data / 'two.avi', [picture(0)], 'mpeg4')
    with pytest.raises(ValueError, match='share the name .two. in the table'):
        find_video_sources(data)


def test_a_folder_without_videos_is_refused(data, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='holds neither video files nor folders of'):
        find_video_sources(tmp_path / 'empty')
    with pytest.raises(ValueError, match='is itself a folder of images'):
        find_video_sources(data / 'two')


def test_every_nth_frame_and_the_last_are_read(data):
    assert read(data / 'a/clip.mkv', 4)[1] == [0, 4, 5]
    assert read(data / 'a/clip.mkv', 5)[1] == [0, 5]
    assert read(data / 'a/one', 2)[1] == [1, 3, 5]


def test_what_a_video_is_is_known_when_it_was_read(data):
    assert read(data / 'a/clip.mkv', 4)[0].info == VideoInfo('file', 96, 64, 6)
    assert read(data / 'a/one')[0].info == VideoInfo('folder', 96, 64, 4)


def test_frames_of_several_sizes_have_no_shape(data):
    path = data / 'two/two_002.png'
    cv2.imwrite(str(path), np.zeros((90, 90, 3), np.uint8))
    assert read(data / 'two')[0].info == VideoInfo('folder', None, None, 3)


@pytest.mark.parametrize(
    ('turn', 'mirrored', 'turned'),
    [
        (0, False, 'no'),
        (0, True, 'other'),
        (90, False, 'quarter'),
        (90, True, 'other'),
        (180, False, 'other'),
        (270, False, 'quarter'),
        (5, False, 'no'),
    ],
)
def test_a_mirrored_video_is_told_from_a_turned_one(tmp_path, turn, mirrored, turned):
    path = write_video(
        tmp_path / 'v.mp4',
        [picture(t) for t in range(2)],
        prepare=lambda _, stream: stream.set_display_rotation(turn, mirrored, False),
    )
    reading, frames = read(path)
    assert frames == [0, 1] and reading.info.turned == turned
    shape = (64, 96) if turned == 'quarter' else (96, 64)
    if turn != 90 or not mirrored:
        assert (reading.info.width, reading.info.height) == shape


def test_tags_that_are_not_utf8_are_passed_over(tmp_path):
    path = write_video(
        tmp_path / 'v.avi',
        [picture(0)],
        'mpeg4',
        prepare=lambda container, _: container.metadata.update(title='Gruesse'),
    )
    path.write_bytes(path.read_bytes().replace(b'Gruesse', b'Gr\xfc\xdfe..'))
    with pytest.raises(UnicodeDecodeError), av.open(str(path)):
        pass
    assert read(path)[1] == [0]
    assert names(tmp_path) == ['v']


def test_an_image_that_cannot_be_read_is_passed_over_and_named(data):
    (data / 'a/one/img_00002.jpg').write_bytes(b'broken')
    reading, frames = read(data / 'a/one')
    assert frames == [1, 3, 5] and reading.info.num_frames == 4
    assert len(reading.failures) == 1 and 'img_00002.jpg' in reading.failures[0]


def test_what_cannot_be_read_further_says_why(data):
    (data / 'broken.mp4').write_bytes(b'broken')
    with pytest.raises(SourceError, match='decoding ends after 0 frames'):
        read(data / 'broken.mp4')

    write_frames(data / 'same', [1], 'x_{:02}.png')
    write_frames(data / 'same', [1], 'y_{:02}.png')
    with pytest.raises(SourceError, match='x_01.png and y_01.png have the same number'):
        read(data / 'same')
    write_frames(data / 'unnumbered', [1], 'x_{:02}.png')
    write_frames(data / 'unnumbered', [1], 'cover.png')
    with pytest.raises(SourceError, match='cover.png does not end with a number'):
        read(data / 'unnumbered')
