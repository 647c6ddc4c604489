"""Whatever goes wrong with a file is said, and nothing that was there is lost."""

import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import (
    RedSquareDetector,
    is_red,
    main,
    picture,
    read_frames,
    write_video,
)
from PIL import Image

from mmanon.anonymizer import inferencer as anonymizer_inferencer
from mmanon.anonymizer.io.deep_images import encode_deep, read_deep
from mmanon.anonymizer.io.video_reader import VideoReader

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def red_squares_are_faces(monkeypatch):
    monkeypatch.setattr(
        anonymizer_inferencer, 'build_detector', lambda *_: RedSquareDetector()
    )


@pytest.fixture
def data(tmp_path):
    (tmp_path / 'data').mkdir()
    return tmp_path / 'data'


def files(folder):
    found = (path for path in folder.rglob('*') if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def write_photo(path):
    Image.fromarray(picture(0)).save(path)
    return path


def write_clip(path, length=8):
    return write_video(path, [picture(t % 20) for t in range(length)])


# --- Files that are not what they should be -------------------------------------------


def test_damaged_files_are_listed_with_their_reason_and_the_others_done(
    data, tmp_path, capsys
):
    clip, photo = write_clip(data / 'good.mp4'), write_photo(data / 'good.png')
    jpeg = write_photo(tmp_path / 'whole.jpg')
    half = {one: one.read_bytes()[: one.stat().st_size // 2] for one in (clip, jpeg)}
    text = b'Dear Eve, ' * 100
    faults = {
        'truncated.mp4': (half[clip], 'cannot be opened'),
        'truncated.jpg': (half[jpeg], 'cannot be'),
        'truncated.png': (photo.read_bytes()[:-200], 'cannot be decoded'),
        'zero.mp4': (b'', 'is empty'),
        'zero.jpg': (b'', 'is empty'),
        'text.mp4': (text, 'cannot be opened'),
        'text.png': (text, 'is not an image'),
        'clip.jpg': (clip.read_bytes(), 'is not an image'),
    }
    for name, (content, _) in faults.items():
        (data / name).write_bytes(content)
    out = tmp_path / 'out'
    assert main([str(data), '-o', str(out)]) == 1
    said = capsys.readouterr()
    assert f'2 written, 0 skipped, {len(faults)} failed' in said.out
    for name, (content, reason) in faults.items():
        lines = [line for line in said.err.splitlines() if name in line]
        assert any(reason in line for line in lines), (name, lines)
        assert (data / name).read_bytes() == content
    assert files(out) == ['good.mp4', 'good.png']


@pytest.mark.parametrize(
    'name', [os.fsdecode(b'caf\xe9.png'), f'{"x" * 251}.png', f'{"ü" * 125}x.png']
)
def test_any_name_gets_its_output_and_its_report(data, tmp_path, capsys, name):
    write_photo(tmp_path / 'a.png').rename(data / name)
    reports = tmp_path / 'reports'
    assert main([str(data), '-o', str(tmp_path / 'out'), '--report', str(reports)]) == 0
    assert files(tmp_path / 'out') == [name]
    (report,) = reports.iterdir()
    told = json.loads(report.read_text(encoding='utf-8'))
    assert told['faces'] == 1 and told['source'] == str(data / name)


def test_a_report_that_cannot_be_written_leaves_the_output(data, tmp_path, capsys):
    write_photo(data / 'a.png')
    reports = tmp_path / 'reports'
    (reports / 'a.png.json').mkdir(parents=True)
    assert main([str(data), '-o', str(tmp_path / 'out'), '--report', str(reports)]) == 1
    assert files(tmp_path / 'out') == ['a.png']
    said = capsys.readouterr()
    assert '1 written, 0 skipped, 0 failed' in said.out
    assert 'a.png: its report cannot be written' in said.err


def test_a_missing_input_does_not_stop_the_others(data, tmp_path, capsys):
    write_photo(data / 'a.png')
    gone = str(data / 'gone.png')
    assert main([gone, str(data / 'a.png'), '-o', str(tmp_path / 'out')]) == 1
    said = capsys.readouterr()
    assert '1 written, 0 skipped, 1 failed' in said.out
    assert f'{gone}: {gone} does not exist' in said.err


def test_files_left_out_and_files_without_a_face_are_named_at_the_end(
    data, tmp_path, capsys
):
    write_photo(data / 'a.png')
    Image.new('RGB', (96, 64)).save(data / 'empty.png')
    others = [data / f'{name}.dcm' for name in 'abcde']
    for path in others:
        path.touch()
    assert main([str(data), '-o', str(tmp_path / 'out')]) == 0
    said = capsys.readouterr()
    summary = said.out[said.out.index('2 written') :]
    assert all(str(path) in summary for path in others)
    listed = said.err[
        said.err.index('warning: no face was found in 1 of the written files') :
    ]
    assert str(data / 'empty.png') in listed and str(data / 'a.png') not in listed


def test_a_password_is_in_no_message(tmp_path, capsys):
    address = 'rtsp://eve:secret@127.0.0.1:1/door'
    reports = tmp_path / 'reports'
    options = ['-o', str(tmp_path / 'out'), '--report', str(reports)]
    assert main([address, *options]) == 1
    said = capsys.readouterr()
    assert 'secret' not in said.out + said.err and 'rtsp://…@127.0.0.1' in said.err


def test_an_option_that_the_encoder_does_not_know_is_refused(data, tmp_path, capsys):
    write_clip(data / 'a.mp4')
    options = ['-o', str(tmp_path / 'out'), '--encoder-option']
    assert main([str(data), *options, 'foo=1']) == 1
    assert "libx264 does not know the option 'foo'" in capsys.readouterr().err
    assert main([str(data), *options, 'preset=nonsense']) == 1
    assert 'preset=nonsense' in capsys.readouterr().err
    assert files(tmp_path / 'out') == []
    assert main([str(data), *options, 'preset=ultrafast']) == 0


def test_a_video_that_is_piped_in(tmp_path):
    source = write_clip(tmp_path / 'a.ts', 12)
    code = PIPED.format(tests=str(TESTS))
    with source.open('rb') as piped:
        done = subprocess.run(
            [sys.executable, '-c', code, '-', '-o', str(tmp_path / 'out')],
            stdin=piped,
            capture_output=True,
            text=True,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
    assert done.returncode == 0, done.stderr
    (out,) = (tmp_path / 'out').iterdir()
    frames = read_frames(out)
    assert len(frames) == 12 and not any(is_red(frame).any() for frame in frames)


PIPED = """
import sys
sys.path.insert(0, {tests!r})
from made_videos import RedSquareDetector, main
from mmanon.anonymizer import inferencer

inferencer.build_detector = lambda *_: RedSquareDetector()
sys.exit(main(sys.argv[1:]))
"""


# --- Unusual images -------------------------------------------------------------------


def anonymized(path, out_dir, *options):
    assert main([str(path), '-o', str(out_dir), *options]) == 0
    return out_dir / path.name


def test_an_image_that_pillow_takes_for_an_attack(tmp_path, monkeypatch):
    # From twice its limit on Pillow refuses; the limit is 89 million.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 500_000)
    huge = np.full((1000, 1800), 90, np.uint8)
    huge[700:730, 200:230] = 220
    Image.fromarray(huge).save(tmp_path / 'huge.jpg')
    boxes = tmp_path / 'boxes.json'
    boxes.write_text('{"huge.jpg": [[200, 700, 230, 730]]}')
    out = anonymized(tmp_path / 'huge.jpg', tmp_path / 'out', '--boxes', str(boxes))
    assert Image.MAX_IMAGE_PIXELS == 500_000
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
    with Image.open(out) as result:
        assert (result.mode, result.size) == ('L', (1800, 1000))
        place = np.asarray(result.crop((180, 680, 250, 750)))
    assert np.abs(place[25:45, 25:45].astype(int) - 127).max() < 8
    assert abs(int(place[10, 10]) - 90) < 3


def test_an_image_of_one_pixel(tmp_path):
    Image.new('RGB', (1, 1), (9, 8, 7)).save(tmp_path / 'one.png')
    out = anonymized(tmp_path / 'one.png', tmp_path / 'out')
    assert Image.open(out).getpixel((0, 0)) == (9, 8, 7)


def test_an_animated_gif(tmp_path):
    frames = [Image.fromarray(picture(t)) for t in range(5)]
    frames[0].save(
        tmp_path / 'a.gif', save_all=True, append_images=frames[1:], duration=80
    )
    with Image.open(anonymized(tmp_path / 'a.gif', tmp_path / 'out')) as result:
        assert result.n_frames == 5 and result.info['duration'] == 80
        for number in range(5):
            result.seek(number)
            assert not is_red(np.asarray(result.convert('RGB'))).any()


def test_a_png_of_16_bits(tmp_path):
    deep = picture(0).astype(np.uint16) * 257
    (tmp_path / 'a.png').write_bytes(encode_deep(deep, '.png'))
    out = anonymized(tmp_path / 'a.png', tmp_path / 'out')
    result = read_deep(out)
    assert result.dtype == np.uint16 and np.array_equal(result[:, 60:], deep[:, 60:])
    assert not is_red(result >> 8).any()


@pytest.mark.parametrize('mode', ['L', 'RGBA'])
def test_grey_and_transparent_images(tmp_path, mode):
    image = Image.fromarray(picture(0)).convert(mode)
    image.save(tmp_path / 'a.png')
    boxes = tmp_path / 'boxes.json'
    boxes.write_text('{"a.png": [[8, 20, 24, 36]]}')
    out = anonymized(tmp_path / 'a.png', tmp_path / 'out', '--boxes', str(boxes))
    with Image.open(out) as result:
        assert result.mode == mode
        middle = result.convert('RGB').getpixel((16, 28))
    assert np.abs(np.array(middle) - 127).max() <= 1


def test_a_clip_without_a_face(tmp_path, capsys):
    grey = [np.full((64, 96, 3), 90 + t, np.uint8) for t in range(5)]
    source = write_video(tmp_path / 'a.mkv', grey, 'ffv1', pix_fmt='yuv444p')
    out = anonymized(source, tmp_path / 'out', '--codec', 'ffv1')
    assert np.array_equal(read_frames(source), read_frames(out))


def test_threads_that_decode_never_wait_for_python(tmp_path):
    # Their messages would: whoever frees a decoder holds Python's lock and waits for
    # them. torchvision turns the messages on.
    source = write_clip(tmp_path / 'a.mp4')
    av.logging.set_level(av.logging.ERROR)
    VideoReader(str(source)).close()
    assert av.logging.get_level() is None


# --- Where the output goes ------------------------------------------------------------


@pytest.mark.parametrize('way', ['the same folder', 'a link to it', 'a hard link'])
def test_an_input_is_never_written_over(data, tmp_path, capsys, way):
    photo = write_photo(data / 'photo.png')
    out = data
    if way == 'a link to it':
        out = tmp_path / 'out'
        out.symlink_to(data)
    elif way == 'a hard link':
        out = tmp_path / 'out'
        out.mkdir()
        os.link(photo, out / 'photo.png')
    before = photo.read_bytes()
    assert main([str(photo), '-o', str(out), '--overwrite']) == 1
    assert 'would overwrite it' in capsys.readouterr().err
    assert photo.read_bytes() == before


@pytest.mark.parametrize('option', ['--out-dir', '--report'])
@pytest.mark.parametrize('where', ['a file', '/proc/mmanon'])
def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    data, tmp_path, capsys, monkeypatch, option, where
):
    if where == 'a file':
        where = str(tmp_path / 'file')
        Path(where).touch()
    elif not Path('/proc/self').exists():
        pytest.skip('there is no /proc here')
    work = []
    monkeypatch.setattr(RedSquareDetector, '_detect', lambda *_: work.append(1))
    write_photo(data / 'photo.png')
    folders = {'--out-dir': str(tmp_path / 'out'), option: where}
    options = [word for pair in folders.items() for word in pair]
    assert main([str(data), *options]) == 1
    said = capsys.readouterr().err
    assert where in said and 'cannot be written' in said and not work


def test_a_file_in_place_of_a_folder_fails_what_belongs_there_alone(
    data, tmp_path, capsys
):
    (data / 'deep').mkdir()
    write_photo(data / 'deep/photo.png')
    write_photo(data / 'photo.png')
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'deep').write_text('mine')
    assert main([str(data), '-o', str(out)]) == 1
    said = capsys.readouterr()
    assert '1 written, 0 skipped, 1 failed' in said.out
    assert f'({out / "deep"})' in said.err
    assert files(out) == ['deep', 'photo.png'] and (out / 'deep').read_text() == 'mine'


@contextmanager
def no_file_larger_than(size):
    """What writing sees of a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    'name', ['a.png', 'a.jpg', 'a.tif', 'deep.png', 'a.gif', 'a.mkv', 'a.mp4']
)
def test_a_full_disk_is_told_and_the_output_of_an_earlier_run_is_kept(
    data, tmp_path, capsys, name
):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 99, (128, 192, 3), np.uint8) for _ in range(12)]
    if name.endswith(('.mkv', '.mp4')):
        write_video(data / name, noise)
    elif name == 'deep.png':
        deep = noise[0].astype(np.uint16) * 257
        (data / name).write_bytes(encode_deep(deep, '.png'))
    else:
        first, *others = map(Image.fromarray, noise)
        moving = dict(save_all=True, append_images=others) if 'gif' in name else {}
        first.save(data / name, **moving)
    out = tmp_path / 'out'
    out.mkdir()
    (out / name).write_text('of an earlier run')
    with no_file_larger_than(5_000):
        assert main([str(data), '-o', str(out), '--overwrite']) == 1
    said = capsys.readouterr()
    assert '1 failed' in said.out and 'too large' in said.err.lower()
    assert files(out) == [name] and (out / name).read_text() == 'of an earlier run'


# --- Stopped in the middle ------------------------------------------------------------

RUN = """
import signal, sys, time
sys.path.insert(0, {tests!r})
from made_videos import RedSquareDetector, main
from mmanon.anonymizer import inferencer
from mmanon.anonymizer.io.video_reader import VideoReader

class Stalling(RedSquareDetector):
    left = 30

    def _detect(self, image):
        self.left -= 1
        if self.left == 0:
            print('<hangs>', flush=True)
            time.sleep(3600)
        return super()._detect(image)

inferencer.build_detector = lambda *_: Stalling()
# A shell that starts the tests in the background has Ctrl-C ignored below it.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_with_the_file_it_stopped_at(
    data, tmp_path, capsys, number
):
    write_clip(data / 'a.mp4', 10)
    write_clip(data / 'b.mp4', 40)
    write_clip(data / 'c.mp4', 10)
    out = tmp_path / 'out'
    code = RUN.format(tests=str(TESTS))
    with subprocess.Popen(
        [sys.executable, '-c', code, str(data), '-o', str(out), '--every', '1'],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    ) as process:
        assert any('<hangs>' in line for line in process.stdout)
        process.send_signal(number)
        process.stdout.read()
    whole = [file for file in files(out) if not file.endswith('.part')]
    assert process.returncode != 0 and whole == ['a.mp4']
    first = (out / 'a.mp4').stat().st_mtime_ns
    assert main([str(data), '-o', str(out)]) == 0
    assert '2 written, 1 skipped, 0 failed' in capsys.readouterr().out
    assert (out / 'a.mp4').stat().st_mtime_ns == first
    for name, length in (('a.mp4', 10), ('b.mp4', 40), ('c.mp4', 10)):
        frames = read_frames(out / name)
        assert len(frames) == length and not any(
            is_red(frame).any() for frame in frames
        )


def test_a_camera_that_is_not_there(tmp_path, capsys):
    assert main(['97', '-o', str(tmp_path / 'out')]) == 1
    assert 'camera 97 cannot be opened' in capsys.readouterr().err
    assert files(tmp_path / 'out') == []
