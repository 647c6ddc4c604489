"""Videos as people have them: what they show and sound like is what comes out."""

import json
import os
import signal
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from made_videos import (
    RedSquareDetector,
    anonymizer,
    copy_streams,
    is_red,
    main,
    picture,
    read_frames,
    read_packets,
    read_times,
    write_video,
    write_with_sound,
)

from mmanon.anonymizer.io.video_reader import VideoReader

PICTURES = [picture(t) for t in range(16)]


def anonymize(source, out_dir, **options):
    (outcome,) = anonymizer(**options)(source, out_dir)
    assert outcome.status == 'written', outcome.reason
    assert not any(is_red(frame).any() for frame in read_frames(outcome.out))
    return outcome


def difference(one, two):
    """Mean difference of all pixels right of the faces, as they are seen."""
    pairs = zip(read_frames(one), read_frames(two), strict=True)
    return np.mean([np.abs(a[:, 70:].astype(int) - b[:, 70:]).mean() for a, b in pairs])


# --- Colours --------------------------------------------------------------------------


@pytest.mark.parametrize('container', [None, 'mkv', 'avi', 'webm', 'ts'])
@pytest.mark.parametrize(
    ('name', 'codec', 'pix_fmt'),
    [
        ('a.mp4', 'libx264rgb', 'rgb24'),
        ('a.mkv', 'libx265', 'gbrp'),
        ('b.mkv', 'ffv1', 'bgr0'),
        ('a.mov', 'png', 'rgb24'),
        ('a.avi', 'mjpeg', 'yuvj420p'),
        ('a.mov', 'mjpeg', 'yuvj422p'),
    ],
)
def test_colours_are_the_sources(tmp_path, name, codec, pix_fmt, container):
    options = {'x265-params': 'log-level=none'} if codec == 'libx265' else {}
    source = write_video(
        tmp_path / name, PICTURES[:6], codec, pix_fmt=pix_fmt, options=options
    )
    quick = {'deadline': 'realtime', 'cpu-used': '8'} if container == 'webm' else {}
    outcome = anonymize(
        source, tmp_path / 'out', container=container, encoder_options=quick
    )
    assert difference(source, outcome.out) < 2


def test_rgb_stays_rgb_where_the_encoder_takes_it(tmp_path):
    source = write_video(tmp_path / 'a.mkv', PICTURES, 'ffv1', pix_fmt='bgr0')
    outcome = anonymize(source, tmp_path / 'out', codec='ffv1')
    assert difference(source, outcome.out) == 0


# --- Shape ----------------------------------------------------------------------------


@pytest.mark.parametrize('container', [None, 'mkv', 'avi', 'ts', 'webm'])
@pytest.mark.parametrize('name', ['a.mp4', 'a.mov'])
def test_a_pixel_aspect_that_the_container_alone_tells_is_kept(
    tmp_path, name, container
):
    aspect = Fraction(32, 27)
    quick = {'deadline': 'realtime', 'cpu-used': '8'} if container == 'webm' else {}
    plain = write_video(tmp_path / 'plain.mp4', PICTURES)
    source = copy_streams(plain, tmp_path / name, sample_aspect_ratio=aspect)
    outcome = anonymize(
        source, tmp_path / 'out', container=container, encoder_options=quick
    )
    for path in (source, outcome.out):
        with av.open(str(path)) as opened:
            stream = opened.streams.video[0]
            shown = (stream.sample_aspect_ratio or 1) * stream.width / stream.height
        assert abs(shown / (aspect * 3 / 2) - 1) < 0.01, path
    if container == 'webm':  # whose codec does not know it
        assert any('square' in word for word in outcome.removed)


@pytest.mark.parametrize('container', ['avi', 'ts', 'mkv', 'mp4'])
@pytest.mark.parametrize('turn', [(90, False), (180, False), (270, True), (0, True)])
def test_a_turned_video_comes_out_upright_in_every_container(tmp_path, container, turn):
    source = write_video(
        tmp_path / 'a.mp4',
        PICTURES,
        prepare=lambda _, stream: stream.set_display_rotation(*turn, False),
    )
    outcome = anonymize(source, tmp_path / 'out', container=container)
    readers = [VideoReader(str(path)) for path in (source, outcome.out)]
    before, after = (
        reader.orientation.upright(reader.first.to_ndarray(format='rgb24')).astype(int)
        for reader in readers
    )
    for reader in readers:
        reader.close()
    assert before.shape == after.shape
    assert np.abs(before - after)[~is_red(before)].mean() < 9


@pytest.mark.parametrize('pix_fmt', ['yuv422p', 'yuv420p10le'])
def test_unusual_pixels_are_turned_too(tmp_path, pix_fmt):
    source = write_video(
        tmp_path / 'a.mkv',
        PICTURES,
        'ffv1',
        pix_fmt=pix_fmt,
        prepare=lambda _, stream: stream.set_display_rotation(90, False, False),
    )
    outcome = anonymize(source, tmp_path / 'out', container='ts')
    assert read_frames(outcome.out)[0].shape == (96, 64, 3)


def test_a_picture_that_changes_its_size_is_letterboxed_and_said(tmp_path, capsys):
    wide = write_video(tmp_path / 'wide.ts', PICTURES[:8])
    high = [np.ascontiguousarray(picture(t, (64, 96))) for t in range(4, 12)]
    high = write_video(tmp_path / 'high.ts', high)
    source = tmp_path / 'turned.ts'
    source.write_bytes(wide.read_bytes() + high.read_bytes())
    outcome = anonymize(source, tmp_path / 'out')
    assert any('96x64 to 64x96' in word for word in outcome.problems)
    frames = read_frames(outcome.out)
    assert len(frames) == 16 and {frame.shape for frame in frames} == {(64, 96, 3)}
    last = frames[-1]
    assert last[:, :24].max() < 40 and last[:, -24:].max() < 40  # black beside it
    assert last[:, 30:66].std() > 15
    times = read_times(outcome.out)
    assert np.allclose(np.diff(np.array(times, float)), 0.04, atol=0.001)


def test_boxes_are_not_used_for_a_picture_that_changes_its_size(tmp_path):
    wide = write_video(tmp_path / 'wide.ts', PICTURES[:8])
    high = write_video(tmp_path / 'high.ts', [picture(4, (64, 96))] * 8)
    source = tmp_path / 'turned.ts'
    source.write_bytes(wide.read_bytes() + high.read_bytes())
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(
        json.dumps({'turned.ts': {t: [[4, 16, 48, 40]] for t in range(16)}})
    )
    (outcome,) = anonymizer(boxes=boxes)(source, tmp_path / 'out')
    assert outcome.status == 'failed' and 'changes the size' in outcome.reason


# --- Time -----------------------------------------------------------------------------


@pytest.mark.parametrize(('name', 'sound'), [('a.ts', 'aac'), ('a.mpg', 'mp2')])
def test_joined_files_are_shown_one_after_the_other(tmp_path, name, sound):
    codec = 'mpeg2video' if name == 'a.mpg' else 'libx264'
    part = write_with_sound(tmp_path / name, PICTURES, codec, sound, sound_rate=48000)
    source = tmp_path / f'joined_{name}'
    source.write_bytes(part.read_bytes() * 2)
    outcome = anonymize(source, tmp_path / 'out')
    assert outcome.frames == 32 and any('joined' in word for word in outcome.problems)
    steps = np.diff(np.array(read_times(outcome.out), float))
    assert np.allclose(steps, 0.04, atol=0.002)
    sounds = [float(when) for _, when in read_packets(outcome.out)]
    # As long as the picture, and never back.
    assert 1.1 < sounds[-1] - sounds[0] < 1.35 and (np.diff(sounds) > 0).all()


def test_joined_pictures_without_sound_keep_their_rate(tmp_path):
    part = write_video(tmp_path / 'a.ts', PICTURES)
    source = tmp_path / 'joined.ts'
    source.write_bytes(part.read_bytes() * 3)
    outcome = anonymize(source, tmp_path / 'out')
    steps = np.diff(np.array(read_times(outcome.out), float))
    assert len(steps) == 47 and np.allclose(steps, 0.04, atol=0.002)


def test_a_jump_in_time_is_closed(tmp_path):
    stamps = [3600 * t + (90000 * 500 if t >= 8 else 0) for t in range(16)]
    source = write_video(
        tmp_path / 'a.ts',
        PICTURES,
        stamps=stamps,
        time_base=Fraction(1, 90000),
        options={'bf': '0'},
    )
    outcome = anonymize(source, tmp_path / 'out')
    times = read_times(outcome.out)
    assert np.allclose(np.diff(np.array(times, float)), 0.04, atol=0.001)
    assert any('jumps' in word for word in outcome.problems)


@pytest.mark.parametrize('container', ['mkv', 'mp4'])
def test_a_repeated_time_of_sound_costs_at_most_its_packet(tmp_path, container):
    plain = write_with_sound(tmp_path / 'plain.mkv', PICTURES, sound_rate=48000)
    sounds = []

    def repeat(packet):
        if packet.stream.type == 'audio':
            if len(sounds) == 10:
                packet.pts = packet.dts = sounds[-1]
            sounds.append(packet.pts)
        return packet

    source = copy_streams(plain, tmp_path / 'a.mkv', repeat)
    outcome = anonymize(source, tmp_path / 'out', container=container)
    assert outcome.frames == 16
    before, after = read_packets(plain), read_packets(outcome.out)
    assert len(after) >= len(before) - 1
    assert abs(after[-1][1] - before[-1][1]) < 0.03


SPARSE = [0, *range(200, 215)], [*range(15), 220], [*range(7), *range(200, 209)]


@pytest.mark.parametrize('ticks', SPARSE)
@pytest.mark.parametrize('name', ['a.mp4', 'a.mov', 'a.mkv', 'a.ts'])
def test_long_pauses_with_reordered_frames_are_as_long_as_they_were(
    tmp_path, name, ticks
):
    source = write_video(
        tmp_path / name,
        PICTURES,
        stamps=[512 * tick for tick in ticks],
        time_base=Fraction(1, 12800),
        options={'bf': '3'},
    )
    outcome = anonymize(source, tmp_path / 'out')
    assert outcome.problems == []
    assert read_times(outcome.out) == read_times(source)
    with av.open(str(outcome.out)) as container:
        shown = container.duration / av.time_base
    assert abs(shown - (ticks[-1] + 1 - ticks[0]) / 25) < 0.05


# --- Sound ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'codec', 'sound', 'rate', 'bits'),
    [
        ('a.wmv', 'wmv2', 'wmav2', 44100, 64000),
        ('a.wmv', 'wmv1', 'wmav1', 44100, 64000),
        ('a.3gp', 'mpeg4', 'libopencore_amrnb', 8000, 12200),
        ('a.flv', 'flv', 'nellymoser', 16000, None),
        ('a.flv', 'flv', 'adpcm_swf', 22050, None),
        ('a.avi', 'mpeg4', 'adpcm_ms', 16000, None),
        ('a.avi', 'mpeg4', 'adpcm_ima_wav', 16000, None),
    ],
)
def test_sound_that_cannot_be_copied_is_encoded_anew_and_said(
    tmp_path, name, codec, sound, rate, bits
):
    source = write_with_sound(
        tmp_path / name, PICTURES, codec, sound, sound_rate=rate, bit_rate=bits
    )
    outcome = anonymize(source, tmp_path / 'out')
    assert any('encoded again' in word for word in outcome.removed)
    with av.open(str(outcome.out)) as container:
        wave = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        )
        seconds = len(wave) / container.streams.audio[0].codec_context.sample_rate
    wave = wave / 32768 if wave.dtype == np.int16 else wave
    assert 0.5 < seconds < 0.9
    middle = wave[len(wave) // 3 : len(wave) // 2]
    assert 0.1 < middle.std() < 0.3  # the tone, as loud as it was


@pytest.mark.parametrize('sound', ['ac3', 'libmp3lame', 'pcm_s16le', 'mp2'])
def test_sound_in_avi_keeps_its_times(tmp_path, sound):
    source = write_with_sound(
        tmp_path / 'a.avi', PICTURES, 'mpeg4', sound, sound_rate=48000
    )
    outcome = anonymize(source, tmp_path / 'out')
    before, after = read_packets(source), read_packets(outcome.out)
    assert [data for data, _ in after] == [data for data, _ in before]
    assert np.allclose(
        [float(when) for _, when in after], [float(when) for _, when in before]
    )


# --- Damage ---------------------------------------------------------------------------

KINDS = [
    *(('a.mkv', 'libx264'), ('a.flv', 'flv'), ('a.mpg', 'mpeg2video')),
    *(('a.ts', 'libx264'), ('a.webm', 'libvpx-vp9'), ('a.wmv', 'wmv2')),
]


@pytest.mark.parametrize('damage', ['cut', 'hole'])
@pytest.mark.parametrize(('name', 'codec'), KINDS)
def test_damage_is_said_and_what_is_readable_written(tmp_path, name, codec, damage):
    options = {'g': '5'}
    if name == 'a.webm':
        options |= {'deadline': 'realtime', 'cpu-used': '8'}
    images = [picture(t % 16, (288, 192)) for t in range(48)]
    source = write_video(tmp_path / name, images, codec, options=options)
    whole = source.read_bytes()
    middle = len(whole) // 2
    if damage == 'cut':
        whole = whole[: len(whole) * 2 // 3 // 188 * 188 + 91]
    else:
        whole = whole[:middle] + bytes(9000) + whole[middle + 9000 :]
    source.write_bytes(whole)
    outcome = anonymize(source, tmp_path / 'out')
    assert 5 < outcome.frames < 48
    said = ' '.join(outcome.problems)
    assert any(word in said for word in ('missing', 'damage')), outcome.problems


def test_a_pause_is_no_damage(tmp_path):
    source = write_video(
        tmp_path / 'a.mkv',
        PICTURES,
        stamps=[t if t < 8 else t + 100 for t in range(16)],
    )
    assert anonymize(source, tmp_path / 'out').problems == []


# --- Names ----------------------------------------------------------------------------


def test_a_name_with_a_colon_is_no_address(tmp_path, monkeypatch):
    (tmp_path / 'films').mkdir()
    write_video(tmp_path / 'a.mp4', PICTURES).rename(tmp_path / 'films/12:30:15.mp4')
    monkeypatch.chdir(tmp_path / 'films')
    for given, out in (('12:30:15.mp4', '../one'), ('.', '../two')):
        anonymize(given, out)
    monkeypatch.chdir(tmp_path)
    anonymize('films', '.')  # what is written beside has a colon, too
    assert (tmp_path / '12:30:15.mp4').is_file()


# --- Streams --------------------------------------------------------------------------


@pytest.mark.parametrize('b_frames', ['0', '3'])
def test_frames_held_back_when_a_stream_is_stopped_have_their_time(tmp_path, b_frames):
    source = write_video(tmp_path / 'a.ts', PICTURES, options={'bf': b_frames})
    packets = 0

    def stopped():
        nonlocal packets
        packets += 1
        return packets > 12

    reader = VideoReader(f'file:{source}', live=True, stopped=stopped)
    times = [frame.time for frame in reader]
    reader.close()
    assert len(times) > 6 and None not in times
    # One before the last may be lost, which the last needs.
    assert np.allclose(np.diff(times)[:-1], 0.04)


def test_what_was_seen_of_a_stream_is_kept_whatever_ends_it(tmp_path, monkeypatch):
    source = write_video(
        tmp_path / 'a.ts', [picture(t % 16) for t in range(48)], options={'bf': '3'}
    )
    read = VideoReader._decode
    decoded = 0

    def decode(self, packet, running):
        nonlocal decoded
        decoded += 1
        if decoded > 40:
            raise TypeError('what nobody has thought of')
        yield from read(self, packet, running)

    monkeypatch.setattr(VideoReader, '_decode', decode)
    (outcome,) = anonymizer(look_ahead=2, hold=1, every=1)(
        f'file://{source}', tmp_path / 'out'
    )
    assert outcome.status == 'written', outcome.reason
    assert any('ends early' in word for word in outcome.problems)
    assert 10 < len(read_frames(outcome.out)) <= outcome.frames < 48


def test_ctrl_c_keeps_what_was_seen_of_a_pipe(tmp_path, monkeypatch, capsys):
    """A pipe that falls silent, as a camera's address does, and then Ctrl-C."""
    monkeypatch.setattr(
        'mmanon.anonymizer.inferencer.build_detector', lambda *_: RedSquareDetector()
    )
    # It jumps back twice, before the same background.
    images = [picture(t % 16) for t in range(48)]
    source = write_video(tmp_path / 'a.ts', images, options={'bf': '2'})
    os.mkfifo(tmp_path / 'pipe')

    def send():
        with open(tmp_path / 'pipe', 'wb', buffering=0) as pipe:
            pipe.write(source.read_bytes())
            time.sleep(0.5)
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        address = f'file://{tmp_path / "pipe"}'
        assert main([address, '-o', str(tmp_path / 'out')]) == 0
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    (out,) = (tmp_path / 'out').iterdir()
    frames = read_frames(out)
    assert len(frames) > 10 and not any(is_red(frame).any() for frame in frames)
