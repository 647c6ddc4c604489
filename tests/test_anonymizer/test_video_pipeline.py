import json
from fractions import Fraction
from itertools import pairwise
from threading import Lock

import av
import numpy as np
import pytest
from made_videos import (
    RedSquareDetector,
    anonymizer,
    is_red,
    picture,
    read_frames,
    read_packets,
    read_times,
    write_video,
)

from mmanon.anonymizer import DetectionOptions, video_pipeline

LENGTH = 20


@pytest.fixture
def pictures():
    return [picture(t) for t in range(LENGTH)]


def anonymize(source, out_dir, found_by=None, start=None, end=None, every=1, **kwargs):
    if found_by is not None:
        kwargs['detector'] = found_by
    if every is not None and 'boxes' not in kwargs:
        kwargs['every'] = every
    inferencer = anonymizer(**kwargs)
    (outcome,) = inferencer(source, out_dir, start=start, end=end)
    assert outcome.status == 'written', outcome.reason
    assert [path.name for path in out_dir.iterdir()] == [outcome.out.name]
    return outcome


def leaked(path):
    return sum(int(is_red(frame).sum()) for frame in read_frames(path))


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv', 'a.mov', 'a.avi', 'a.ts', 'a.webm'])
def test_frames_times_and_size_are_the_sources(tmp_path, pictures, name):
    options = {'deadline': 'realtime', 'cpu-used': '8'} if 'webm' in name else {}
    codec = {'a.avi': 'mpeg4', 'a.webm': 'libvpx-vp9'}.get(name, 'libx264')
    source = write_video(tmp_path / name, pictures, codec, options=options)
    assert leaked(source)
    outcome = anonymize(source, tmp_path / 'out', encoder_options=options)
    assert outcome.out.name == name
    frames = read_frames(outcome.out)
    assert len(frames) == outcome.frames == LENGTH
    assert frames[0].shape == (64, 96, 3)
    assert read_times(outcome.out) == read_times(source)
    assert leaked(outcome.out) == 0
    with av.open(str(source)) as one, av.open(str(outcome.out)) as two:
        assert abs(one.duration - two.duration) <= av.time_base / 25


def test_frames_that_a_blinking_detector_misses_are_covered(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures)
    blind = RedSquareDetector(blind=[0, 1, 4, 5, 6, 7, 12, 19], unsure=[13, 14])
    outcome = anonymize(source, tmp_path / 'out', blind)
    assert leaked(outcome.out) == 0
    assert (outcome.faces, outcome.filled, outcome.whole) == (20, 8, 0)


def test_a_face_that_is_never_sure_is_covered_where_it_persists(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures)
    covered, open_ = (
        anonymize(
            source, tmp_path / name, RedSquareDetector(unsure=range(LENGTH)), **kwargs
        )
        for name, kwargs in (
            ('covered', dict(minimum_consecutive_frames=5)),
            ('open', {}),
        )
    )
    assert leaked(covered.out) == 0
    assert leaked(open_.out) > 0


def test_the_thorough_search_follows_what_persists():
    assert DetectionOptions('thorough').frames_to_believe() == 5
    assert DetectionOptions().frames_to_believe() is None


@pytest.mark.parametrize('every', [None, 2, 4, 9])
def test_faces_looked_for_in_each_nth_frame_are_covered_in_all(tmp_path, every):
    images = [picture(t, (600, 408)) for t in range(LENGTH)]
    source = write_video(tmp_path / 'a.mp4', images)
    outcome = anonymize(source, tmp_path / 'out', every=every)
    assert leaked(outcome.out) == 0
    assert outcome.faces == LENGTH
    assert outcome.filled > LENGTH / 3 if every else outcome.filled == 0


def test_faces_are_found_in_a_smaller_picture(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures)
    outcome = anonymize(source, tmp_path / 'out', scale=0.5)
    assert leaked(outcome.out) == 0 and outcome.filled == 0


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(every=0), 'every'),
        (dict(scale=0), 'scale'),
        (dict(scale=0.5, boxes='boxes.json'), 'boxes'),
    ],
)
def test_what_would_show_a_face_or_make_no_sense_is_refused(tmp_path, wrong, said):
    (tmp_path / 'boxes.json').write_text('{}')
    if 'boxes' in wrong:
        wrong = {**wrong, 'boxes': tmp_path / 'boxes.json'}
    with pytest.raises(ValueError, match=said):
        anonymizer(**wrong)


def test_a_frame_that_cannot_be_examined_is_covered_whole(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures)
    outcome = anonymize(source, tmp_path / 'out', RedSquareDetector(raising=[3]))
    assert outcome.whole == 1
    frames = read_frames(outcome.out)
    assert np.abs(frames[3].astype(int) - 127).max() < 12
    assert frames[2].std() > 20


def test_variable_frame_rate_and_late_start_are_kept(tmp_path, pictures):
    stamps = np.cumsum([7, *([1, 3, 2, 9] * 5)[: LENGTH - 1]]).tolist()
    time_base = Fraction(1, 600)
    for name in ('a.mp4', 'a.mkv'):
        source = write_video(
            tmp_path / name,
            pictures,
            stamps=[20 * t for t in stamps],
            time_base=time_base,
        )
        out = anonymize(source, tmp_path / f'out_{name}').out
        assert len({b - a for a, b in pairwise(read_times(source))}) > 2
        assert read_times(out) == read_times(source)


def test_b_frames_do_not_disorder_the_output(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures, options={'bf': '3'})
    with av.open(str(source)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [packet.pts for packet in packets] != sorted(
            packet.pts for packet in packets
        )
    out = anonymize(source, tmp_path / 'out').out
    assert read_times(out) == read_times(source)
    for before, after in zip(pictures, read_frames(out), strict=True):
        assert np.abs(before[40:].astype(int) - after[40:]).mean() < 8


@pytest.mark.parametrize(
    'turn',
    [
        (90, False, False),
        (180, False, False),
        (270, False, False),
        (0, True, False),
        (90, True, False),
    ],
)
def test_rotation_is_kept_and_faces_are_looked_for_upright(tmp_path, turn):
    pictures = [picture(t) for t in range(6)]
    source = write_video(
        tmp_path / 'a.mp4',
        pictures,
        prepare=lambda _, stream: stream.set_display_rotation(*turn),
    )
    shapes = []

    class Watched(RedSquareDetector):
        def _detect(self, image):
            shapes.append(image.shape[:2])
            return super()._detect(image)

    outcome = anonymize(source, tmp_path / 'out', Watched())
    assert set(shapes) == {(96, 64) if turn[0] in (90, 270) else (64, 96)}
    assert leaked(outcome.out) == 0
    frames = read_frames(outcome.out)
    # Not only gone, but covered where it was, in the stored picture.
    assert np.abs(frames[5][22:34, 20:32].astype(int) - 127).max() < 20
    assert np.abs(frames[5][:, 60:].astype(int) - pictures[5][:, 60:]).mean() < 8

    def matrix(path):
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            return bytes(frame.side_data['DISPLAYMATRIX'])

    assert matrix(outcome.out) == matrix(source)


def test_pixel_aspect_and_colour_description_are_kept(tmp_path, pictures):
    def describe(_, stream):
        context = stream.codec_context
        context.sample_aspect_ratio = Fraction(16, 15)
        context.color_range, context.colorspace = 2, 1
        context.color_primaries, context.color_trc = 1, 1

    source = write_video(tmp_path / 'a.mp4', pictures, prepare=describe)
    out = anonymize(source, tmp_path / 'out').out
    for path in (source, out):
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            assert context.sample_aspect_ratio == Fraction(16, 15)
            assert (context.color_range, context.colorspace) == (2, 1)
            assert (context.color_primaries, context.color_trc) == (1, 1)


@pytest.mark.parametrize('pix_fmt', ['yuv420p', 'yuv444p', 'yuv422p10le', 'gray'])
def test_outside_the_cover_every_pixel_is_the_sources(tmp_path, pictures, pix_fmt):
    source = write_video(tmp_path / 'a.mkv', pictures, 'ffv1', pix_fmt=pix_fmt)
    found_by = RedSquareDetector()
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(
        json.dumps({'a.mkv': {t: [[30, 20, 46, 36]] for t in range(LENGTH)}})
    )
    out = anonymize(source, tmp_path / 'out', found_by, boxes=boxes, codec='ffv1').out
    with av.open(str(source)) as one, av.open(str(out)) as two:
        for a, b in zip(one.decode(video=0), two.decode(video=0), strict=True):
            assert a.format.name == b.format.name == pix_fmt
            a = a.reformat(format='yuv444p16le').to_ndarray()
            b = b.reformat(format='yuv444p16le').to_ndarray()
            assert np.array_equal(a[:, :20], b[:, :20])
            assert np.array_equal(a[:, 60:], b[:, 60:])
            assert not np.array_equal(a[20:36, 30:46], b[20:36, 30:46])


def test_odd_sides_are_kept(tmp_path):
    pictures = [picture(t, (97, 63)) for t in range(8)]
    source = write_video(tmp_path / 'a.avi', pictures, 'mpeg4')
    for container in ('avi', 'mp4'):
        out = anonymize(source, tmp_path / container, container=container).out
        assert {frame.shape for frame in read_frames(out)} == {(63, 97, 3)}
        assert leaked(out) == 0


def test_sound_is_copied_bit_by_bit_or_left_out(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures, audio=True)
    out = anonymize(source, tmp_path / 'out').out
    assert len(read_packets(source)) > 5
    assert read_packets(out) == read_packets(source)
    outcome = anonymize(source, tmp_path / 'silent', copy_audio=False)
    with av.open(str(outcome.out)) as container:
        assert not container.streams.audio
    assert any('audio' in word for word in outcome.removed)


def with_subtitles(tmp_path, pictures):
    text = tmp_path / 'a.srt'
    text.write_text('1\n00:00:00,100 --> 00:00:00,500\nHallo\n\n')
    plain = write_video(tmp_path / 'plain.mp4', pictures)
    source = tmp_path / 'a.mkv'
    with av.open(str(source), 'w') as out:
        inputs = [av.open(str(plain)), av.open(str(text))]
        copies = [
            out.add_stream_from_template(one.streams[0], opaque=True) for one in inputs
        ]
        copies[1].metadata['language'] = 'deu'
        for one, stream in zip(inputs, copies, strict=True):
            for packet in one.demux(one.streams[0]):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
            one.close()
    return source


def test_subtitles_are_copied(tmp_path, pictures):
    source = with_subtitles(tmp_path, pictures)
    out = anonymize(source, tmp_path / 'out').out
    assert read_packets(out, 'subtitles') == read_packets(source, 'subtitles')
    with av.open(str(out)) as container:
        assert container.streams.subtitles[0].language == 'deu'


def test_tags_that_tell_place_and_maker_are_removed_and_named(tmp_path, pictures):
    def tag(container, _):
        container.metadata.update(
            location='+48.8577+002.295/', title='At home', comment='with Eve'
        )

    source = write_video(tmp_path / 'a.mp4', pictures, prepare=tag)
    outcome = anonymize(source, tmp_path / 'out')
    with av.open(str(outcome.out)) as container:
        assert not {'location', 'title', 'comment'} & set(container.metadata)
    assert b'+48.8577' not in outcome.out.read_bytes()
    for word in ('location', 'At home', 'with Eve'):
        assert any(word in one for one in outcome.removed)
    kept = anonymize(source, tmp_path / 'kept', keep_metadata=True)
    with av.open(str(kept.out)) as container:
        assert container.metadata['title'] == 'At home'


def test_start_and_end_cut_picture_and_sound_alike(tmp_path):
    pictures = [picture(t % 20) for t in range(60)]
    source = write_video(tmp_path / 'a.mp4', pictures, audio=True)
    out = anonymize(source, tmp_path / 'out', start=0.8, end=1.6).out
    assert read_times(out) == [Fraction(t, 25) for t in range(20)]
    sounds = dict(read_packets(source))
    kept = read_packets(out)
    assert kept and all(sounds[data] - when == Fraction(4, 5) for data, when in kept)
    assert kept[0][1] < 0.065 and 0.7 < kept[-1][1] < 0.8


def test_of_a_broken_tail_what_can_be_read_is_written(tmp_path):
    pictures = [picture(t % 20) for t in range(50)]
    source = write_video(tmp_path / 'a.mkv', pictures, options={'g': '5'})
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    outcome = anonymize(source, tmp_path / 'out')
    assert 20 < outcome.frames < 50
    assert len(read_frames(outcome.out)) == outcome.frames
    whole = write_video(
        tmp_path / 'b.mp4',
        pictures,
        options={'g': '5'},
        prepare=lambda container, _: container.container_options.update(
            movflags='faststart'
        ),
    )
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    outcome = anonymize(whole, tmp_path / 'out_b')
    assert 0 < outcome.frames < 50
    assert any('of 50 frames' in word for word in outcome.problems)


def test_codec_quality_and_container_are_chosen(tmp_path, pictures):
    source = write_video(tmp_path / 'a.mp4', pictures)
    sizes = []
    for quality in (10, 40):
        out = anonymize(
            source,
            tmp_path / str(quality),
            container='mkv',
            codec='libx265',
            quality=quality,
            encoder_options={'preset': 'ultrafast'},
        ).out
        assert out.name == 'a.mkv'
        with av.open(str(out)) as container:
            assert container.format.name.startswith('matroska')
            assert container.streams.video[0].codec_context.name == 'hevc'
        sizes.append(out.stat().st_size)
    assert sizes[0] > 1.2 * sizes[1]


def test_what_does_not_go_together_is_said(tmp_path, pictures):
    source = with_subtitles(tmp_path, pictures)
    inferencer = anonymizer(container='avi')
    (outcome,) = inferencer(source, tmp_path / 'out')
    assert outcome.status == 'failed' and 'mkv' in outcome.reason
    assert not list((tmp_path / 'out').iterdir())
    inferencer = anonymizer(container='exe')
    (outcome,) = inferencer(source, tmp_path / 'out')
    assert 'exe' in outcome.reason


def test_memory_does_not_grow_with_the_length(tmp_path, monkeypatch):
    """No more frames are alive than the look-ahead and the codecs hold."""
    pictures = [picture(t % 20) for t in range(200)]
    source = write_video(tmp_path / 'a.mp4', pictures)
    waiting, most, lock = 0, 0, Lock()
    read, draw = video_pipeline.picture_of, video_pipeline.composite_frames

    def counted(change):
        nonlocal waiting, most
        with lock:
            waiting += change
            most = max(most, waiting)

    def picture_of(*args):
        counted(1)
        return read(*args)

    def composite_frames(plans, *args):
        counted(-len(plans))
        return draw(plans, *args)

    monkeypatch.setattr(video_pipeline, 'picture_of', picture_of)
    monkeypatch.setattr(video_pipeline, 'composite_frames', composite_frames)
    outcome = anonymize(source, tmp_path / 'out', look_ahead=10)
    assert outcome.frames == 200 and waiting == 0
    # Ten known beyond the one decided on, and those between the threads.
    assert 10 < most <= 40, most


@pytest.mark.parametrize('clip', ['test.avi', 'applausing.mp4', 'demo.mp4'])
def test_real_clips_keep_frames_times_and_sound(shared_data, tmp_path, clip):
    source = shared_data / 'videos' / 'clips' / clip
    boxes = tmp_path / 'boxes.json'
    with av.open(str(source)) as container:
        count = sum(1 for _ in container.decode(video=0))
    boxes.write_text(
        json.dumps({clip: {t: [[90, 60, 130, 110]] for t in range(count)}})
    )
    options = {} if clip.endswith('avi') else {'preset': 'ultrafast'}
    outcome = anonymize(source, tmp_path / 'out', boxes=boxes, encoder_options=options)
    assert outcome.frames == count == len(read_frames(outcome.out))
    assert read_times(outcome.out) == read_times(source)
    with av.open(str(source)) as one, av.open(str(outcome.out)) as two:
        rate = one.streams.video[0].average_rate
        assert abs(one.duration - two.duration) <= av.time_base / rate
        if not one.streams.audio:
            return
    assert read_packets(outcome.out) == read_packets(source)
