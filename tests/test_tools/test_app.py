import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from browser import open_browser
from by_colour import recognize_colours
from made_videos import (
    RedSquareDetector,
    is_red,
    picture,
    read_frames,
    read_packets,
    write_video,
)
from page_server import Server
from PIL import Image

from mmanon.anonymizer import (
    AnonymizationResult,
    AnonymizerInferencer,
    MaskingOptions,
    inferencer,
)
from mmanon.anonymizer.backends.base import build_backend
from mmanon.anonymizer.leak_audit import Audit
from mmanon.anonymizer.mask_planner import FaceMask, FramePlan
from mmanon.app import (
    METHODS,
    KeptFiles,
    PeopleNamer,
    methods_here,
    named_methods,
    own_method,
)
from mmanon.app.previews import make_preview
from mmanon.app.words import how_sure, what_the_audit_found, what_was_done
from mmanon.cli import app as app_command

TESTS = Path(__file__).parents[1]


class SquareWithLandmarks(RedSquareDetector):
    """Finds the square of any strong colour, with landmarks."""

    def _detect(self, image):
        spread = image.max(2).astype(int) - image.min(2)
        ys, xs = np.nonzero(spread > 100)
        if not len(xs):
            return np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], float)
        places = np.array(
            [[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]]
        )
        return box[None], np.ones(1), (box[:2] + places * (box[2:] - box[:2]))[None]


def photograph(colour):
    image = np.full((60, 60, 3), 110, np.uint8)
    image[10:50, 10:50] = colour
    return image


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Photographs of two: Red, who is in the clips, and <b>Blue."""
    folder = tmp_path_factory.mktemp('people')
    for name, colour in (('Red', (220, 30, 30)), ('<b>Blue', (30, 30, 220))):
        (folder / name).mkdir()
        Image.fromarray(photograph(colour)).save(folder / name / '1.png')
    return folder


# --- In a browser ---------------------------------------------------------------------


@pytest.fixture(scope='module')
def server(tmp_path_factory, people):
    pytest.importorskip('gradio', reason='the page needs mmanon[app]')
    server = Server(
        tmp_path_factory.mktemp('server'),
        *('--recognizer', 'any', '--people', str(people), '--max-size', '0.3'),
    )
    yield server
    server.process.kill()


@contextmanager
def on_the_page(server, folder):
    with open_browser(folder) as browser:
        browser.open(server.url)
        browser.wait_for("!!document.querySelector('#upload input[type=file]')")
        yield browser


WORDS = "document.querySelector('#words textarea').value"
FOUND = "(document.querySelector('#found textarea')?.value ?? '')"


def text_of(selector):
    return f"(document.querySelector('{selector}')?.innerText ?? '')"


def test_a_clip_is_given_seen_and_taken_away(server, tmp_path):
    source = write_video(
        tmp_path / 'clip.mp4', [picture(t) for t in range(12)], audio=True
    )
    with on_the_page(server, tmp_path) as browser:
        browser.choose_file('#upload input[type=file]', source)
        browser.wait_for("document.querySelector('#before-video video')?.videoWidth")
        browser.click('#start')
        browser.wait_for("document.querySelector('#after-video video')?.videoWidth")
        assert '12 faces covered in 12 frames' in browser.run(WORDS)
        assert 'lowest score of a face is 0.90' in browser.run(WORDS)
        browser.click('#download')
        saved = browser.saved_file('.mp4')
        assert saved.name == 'clip_anonymized.mp4'
        frames = read_frames(saved)
        assert len(frames) == 12 and not any(is_red(frame).any() for frame in frames)
        assert read_packets(saved) == read_packets(source)

        browser.click('button[role=tab]:nth-of-type(2)')
        browser.click('#check')
        browser.wait_for(FOUND + ".includes('no leak found')")

        browser.click('button[role=tab]:nth-of-type(3)')
        browser.click('#ask')
        browser.wait_for("!!document.querySelector('#answer table')")
        cells = browser.run(
            "[...document.querySelectorAll('#answer tbody tr:first-child .guesses b')]"
            '.map((one) => one.textContent)'
        )
        assert cells == ['Red', 'nobody']
        assert '<b>Blue' in browser.run(text_of('#answer'))

        assert server.files()
        browser.open('about:blank')
        server.wait_until_nothing_is_kept()
        assert browser.problems == []
        elsewhere = [
            request
            for request in browser.requests
            if not request.startswith((server.url, 'data:', 'blob:', 'about:'))
        ]
        assert elsewhere == []


def test_what_cannot_be_done_is_said_and_nothing_is_kept(server, tmp_path):
    text = tmp_path / 'text.mp4'
    text.write_text('Dear Eve, ' * 100)
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    large = tmp_path / 'large.png'
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    Image.fromarray(noise).save(large)
    assert large.stat().st_size > 300_000
    with on_the_page(server, tmp_path) as browser:
        browser.click('#start')
        browser.wait_for(
            text_of('body') + ".includes('Upload an image or video first')"
        )
        browser.choose_file('#upload input[type=file]', text)
        browser.wait_for(WORDS + ".startsWith('text.mp4 cannot be opened')")
        browser.open(server.url)
        browser.wait_for("!!document.querySelector('#upload input[type=file]')")
        browser.choose_file('#upload input[type=file]', empty)
        browser.wait_for(WORDS + " == 'The file is empty.'")
        browser.open(server.url)
        browser.wait_for("!!document.querySelector('#upload input[type=file]')")
        browser.choose_file('#upload input[type=file]', large)
        browser.wait_for(text_of('body') + ".includes('exceed the maximum')")
        # Nor does the server take it from somebody who does not use the page.
        assert upload(server, large.read_bytes()) == 413
        browser.open('about:blank')
        server.wait_until_nothing_is_kept()


def upload(server, content):
    """The status of an upload by hand."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n'
    request = urllib.request.Request(
        f'{server.url}gradio_api/upload',
        head + b'\r\n' + content + b'\r\n--x--\r\n',
        {'Content-Type': 'multipart/form-data; boundary=x'},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_where_no_face_is_found_the_page_warns(server, tmp_path):
    Image.fromarray(np.full((64, 96, 3), 90, np.uint8)).save(tmp_path / 'grey.png')
    with on_the_page(server, tmp_path) as browser:
        browser.choose_file('#upload input[type=file]', tmp_path / 'grey.png')
        browser.wait_for("document.querySelector('#before-image img')?.naturalWidth")
        browser.click('#start')
        browser.wait_for(text_of('body') + ".includes('No face was found')")


def test_it_listens_here_alone_calls_nobody_and_leaves_nothing(server, tmp_path):
    # Must be the last: it ends the server.
    assert server.url.startswith('http://127.0.0.1:')
    Image.fromarray(picture(0)).save(tmp_path / 'photo.png')
    with on_the_page(server, tmp_path) as browser:
        browser.choose_file('#upload input[type=file]', tmp_path / 'photo.png')
        browser.wait_for("document.querySelector('#before-image img')?.naturalWidth")
        assert server.files()
        said = server.end()
    assert 'CALLED' not in said
    assert not list(server.temp.glob('mmanon-app-*'))


# --- Files are deleted ----------------------------------------------------------------


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    with KeptFiles(minutes=60) as kept:
        yield kept


def given(kept, session, name):
    """A file as Gradio stores an upload."""
    path = kept.folder / 'hash' / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    kept.note(session, path)
    return path


def test_a_sessions_files_go_when_it_ends_but_not_those_of_another(kept):
    mine, shared = given(kept, 'eve', 'mine.png'), given(kept, 'eve', 'shared.png')
    kept.note('bob', shared)
    with kept.working('eve') as folder:
        (folder / 'made.png').touch()
    kept.forget('eve')
    assert not mine.exists() and not folder.exists() and shared.exists()
    kept.forget('bob')
    assert not shared.exists() and not shared.parent.exists()


def test_what_is_made_for_a_session_that_has_ended_goes_too(kept):
    given(kept, 'eve', 'mine.png')
    with kept.working('eve') as folder:
        kept.forget('eve')
        (folder / 'made.png').touch()
    assert [path.name for path in kept.folder.rglob('*')] == ['lock']


def test_unused_files_go_even_if_nobody_noted_them(kept):
    old, new = given(kept, 'eve', 'old.png'), given(kept, 'bob', 'new.png')
    partly = kept.folder / 'tmp_of_an_upload_that_broke_off'
    partly.touch()
    long_ago = time.time() - 3601
    for one in (old, partly):
        os.utime(one, (long_ago, long_ago))
    kept.delete_unused()
    assert not old.exists() and not partly.exists() and new.exists()


def test_files_that_are_being_worked_on_are_not_unused(kept):
    old = given(kept, 'eve', 'old.png')
    with kept.working('eve'):
        os.utime(old, (0, 0))
        kept.delete_unused()
        assert old.exists()


def test_others_cannot_read_the_folder_and_it_goes_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    with KeptFiles(minutes=1) as kept:
        given(kept, 'eve', 'a.png')
        assert kept.folder.stat().st_mode & 0o077 == 0
        # Another page that starts meanwhile leaves it alone.
        with KeptFiles(minutes=1):
            assert (kept.folder / 'hash/a.png').exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_page_has_left_goes_when_the_next_one_starts(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    left = tmp_path / 'mmanon-app-left'
    left.mkdir()
    (left / 'lock').touch()
    (left / 'face.png').touch()
    with KeptFiles(minutes=1):
        assert not left.exists()


# --- What is offered ------------------------------------------------------------------


def drawn(method, strength, face):
    if not method.needs_no_pytorch:
        pytest.importorskip('torch', reason='drawn by PyTorch')
    backend, _ = build_backend(**method.inferencer_arguments(strength))
    return backend.modify(face, [0])[0]


@pytest.mark.parametrize('method', METHODS, ids=lambda one: one.name)
def test_each_step_of_a_method_keeps_less_of_a_face(method):
    random = np.random.default_rng(0)
    colours = [Image.fromarray(part) for part in random.random((3, 8, 8), np.float32)]
    face = np.stack([part.resize((128, 128), Image.BICUBIC) for part in colours])
    face = (2 * face - 1).clip(-1, 1)[None]
    left = [
        np.corrcoef(face.ravel(), drawn(method, strength, face).ravel())[0, 1]
        for strength in (range(1, 6) if method.values else [1])
    ]
    if method.values:
        assert all(a > b for a, b in zip(left, left[1:], strict=False)), left
        assert len({method.describe(number) for number in range(1, 6)}) == 5
    with pytest.raises(ValueError, match='strength'):
        method.inferencer_arguments(6)


def test_without_pytorch_what_needs_none_is_offered(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    offered = [method.name for method in methods_here()]
    assert offered == ['Solid mask', 'Mosaic', 'Blur']


def test_a_modifier_of_ones_own_is_offered(tmp_path):
    pytest.importorskip('mmengine', reason='which reads configs')
    config = tmp_path / 'mine.py'
    config.write_text("modifier = dict(type='PixelateModifier', blocks=2)\n")
    backend, _ = build_backend(**own_method(config).inferencer_arguments(3))
    assert backend.modifier.blocks == 2


def test_a_modifier_that_has_a_name_is_offered_with_its_key_and_seed(stranger):
    assert own_method(stranger).learned and own_method('a/m.onnx').learned
    assert not own_method('blur').learned and not any(one.learned for one in METHODS)
    method = next(one for one in named_methods() if one.modifier == stranger)
    said = method.inferencer_arguments(3, 'frame', 7)
    assert said['masking'] == MaskingOptions(key_per='frame', seed=7)
    assert AnonymizerInferencer(**said).faces.compositor.key_per == 'frame'


def photo_by(page, kept, method, key_per='track', seed=''):
    """The pixels that the page makes of a photograph."""
    photo = kept.folder / 'photo.png'
    # As large as learned modifiers draw.
    Image.fromarray(picture(0).repeat(3, 0).repeat(3, 1)).save(photo)
    request = SimpleNamespace(session_hash='eve')
    from mmanon.app.page import _Done

    *_, done = page._anonymize(_Done(photo), method, 3, key_per, seed, request)
    return np.array(Image.open(done.anonymized)).astype(int)


def test_the_page_draws_by_the_seed_that_it_is_given_and_else_by_none(
    stranger, kept, monkeypatch
):
    gradio = pytest.importorskip('gradio', reason='the page needs mmanon[app]')
    from mmanon.app.page import Page

    monkeypatch.setattr(inferencer, 'build_detector', lambda *_: RedSquareDetector())
    learned, *_ = methods = (*named_methods(), *METHODS)
    page = Page(kept, AnonymizerInferencer, methods)
    shown = {one.elem_id: one for one in page.build().blocks.values()}
    assert shown['key-per'].visible and shown['seed'].visible
    strength, *keys = page._describe('Blur', 3)
    assert strength['interactive'] and not any(one['visible'] for one in keys)

    first = photo_by(page, kept, learned.name, seed='5')
    assert np.array_equal(photo_by(page, kept, learned.name, seed=' 5'), first)
    one, other = (photo_by(page, kept, learned.name) for _ in range(2))
    assert (one != first).any() and (one != other).any()
    with pytest.raises(gradio.Error, match='whole number'):
        photo_by(page, kept, learned.name, seed='five')


# --- What it says ---------------------------------------------------------------------


def result_of(*frames):
    """A result of frames, each with the confidences of its faces; 0 is not seen."""
    result = AnonymizationResult('a.mp4', 'written')
    for scores in frames:
        masks = [FaceMask(np.zeros(4), 0, score > 0, score) for score in scores]
        result.count(FramePlan(None, False, masks))
    return result


def test_after_a_job_it_says_how_sure_the_masks_are_and_where_to_check():
    result = result_of([0.9], [0.0], [0.41, 0.8])
    assert '4 faces covered in 3 frames, 1 of them along a track' in what_was_done(
        result
    )
    said = how_sure(result)
    assert 'lowest score of a face is 0.41, in frame 2' in said
    assert '1 covers follow a track through frames' in said
    assert 'Does a face still show?' in said
    nobody = result_of([], [])
    assert 'No face was found' in what_was_done(nobody)
    assert 'No detector finds every face' in how_sure(nobody)


def test_an_audit_without_a_recognizer_says_what_it_did_not_ask():
    audit = Audit('a.mp4', 'b.mp4', None, frames=5)
    said = what_the_audit_found(audit, every=3)
    assert 'no open face found' in said and 'One frame in 3' in said
    assert 'did not check whether changed faces are still recognized' in said
    audit.threshold = 0.3
    said = what_the_audit_found(audit, every=1)
    assert (
        'no leak found' in said
        and 'did not check' not in said
        and 'One frame in' not in said
    )


# --- Who is it? -----------------------------------------------------------------------


@pytest.fixture
def namer(monkeypatch):
    recognize_colours(monkeypatch.setattr)

    def make(people):
        return PeopleNamer(people, SquareWithLandmarks(), object(), 0.9)

    return make


def test_people_are_named_before_and_after(namer, people, tmp_path):
    Image.fromarray(photograph((215, 35, 35))).save(tmp_path / 'before.png')
    for colour, name, same in (
        ((35, 35, 215), '<b>Blue', True),
        ((35, 215, 35), 'Red', False),
    ):
        Image.fromarray(photograph(colour)).save(tmp_path / 'after.png')
        image = np.array(Image.open(tmp_path / 'after.png'))
        image[20:30, 20:30] += 20  # of one colour nobody is named
        Image.fromarray(image).save(tmp_path / 'after.png')
        (seen,) = namer(people).look(
            tmp_path / 'before.png', tmp_path / 'after.png', frames=1
        )
        before, after = seen.guesses_before[0], seen.guesses_after[0]
        assert (before.name, before.same) == ('Red', True) and before.cosine > 0.95
        assert after.same == same and (not same or after.name == name)
        assert seen.before.shape == (112, 112, 3) and seen.seconds is None


def test_frames_all_over_a_video_are_looked_at(namer, people, tmp_path):
    source = write_video(tmp_path / 'a.mp4', [picture(t) for t in range(24)])
    seen = namer(people).look(source, source, frames=24)
    times = [searched.seconds for searched in seen]
    assert len(times) == 6 and times == sorted(times)
    assert times[0] < 0.2 and times[-1] > 0.75


def test_people_without_photographs_are_told(namer, tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        namer(tmp_path / 'nowhere')
    (tmp_path / 'Ann').mkdir()
    with pytest.raises(ValueError, match='with the name of that person'):
        namer(tmp_path)


# --- What a browser can show ----------------------------------------------------------


def test_what_browsers_do_not_play_gets_a_preview(tmp_path):
    pictures = [picture(t, (97, 63)) for t in range(8)]
    source = write_video(tmp_path / 'a.avi', pictures, 'mpeg4')
    made = make_preview(source, tmp_path)
    assert made.name == 'a_preview.webm'
    frames = read_frames(made)
    assert len(frames) == 8 and frames[0].shape == (63, 97, 3)
    assert np.abs(frames[5].astype(int) - pictures[5]).mean() < 20
    with av.open(str(made)) as container:
        assert container.streams.video[0].codec_context.name == 'vp9'
    plain = write_video(tmp_path / 'b.mp4', [picture(t) for t in range(3)])
    assert make_preview(plain, tmp_path) == plain


def test_large_images_and_rare_kinds_get_a_preview(tmp_path):
    Image.new('L', (3000, 10), 77).save(tmp_path / 'wide.png')
    Image.new('RGB', (9, 8), (9, 90, 200)).save(tmp_path / 'rare.tif')
    Image.new('RGB', (9, 8)).save(tmp_path / 'plain.jpg')
    wide, rare, plain = (
        make_preview(tmp_path / name, tmp_path)
        for name in ('wide.png', 'rare.tif', 'plain.jpg')
    )
    assert Image.open(wide).size == (2000, 7) and wide != tmp_path / 'wide.png'
    assert Image.open(rare).getpixel((4, 4)) == (9, 90, 200)
    assert plain == tmp_path / 'plain.jpg'


# --- The command ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (['--people', 'somewhere'], 'belong together'),
        (['--weights', 'w.pth'], '--modifier'),
        (['--max-size', '0'], '--max-size'),
    ],
)
def test_options_that_do_not_go_together_are_refused(wrong, said, capsys):
    with pytest.raises(SystemExit):
        app_command.main(wrong)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (['--modifier', 'nowhere.onnx'], 'does not exist'),
        (['--keep', '0'], 'minutes'),
        (['--detector', 'yunet'], 'ONNX'),
    ],
)
def test_what_is_wrong_is_told_before_the_page_is_served(
    wrong, said, capsys, tmp_path, monkeypatch
):
    pytest.importorskip('gradio', reason='the page needs mmanon[app]')
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    assert app_command.main(wrong) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_gradio_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert app_command.main([]) == 2
    assert 'pip install "mmanon[app]"' in capsys.readouterr().err
