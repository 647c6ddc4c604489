"""The tab that covers a browser's camera: in a real browser, whose camera is a clip."""

import re
import time
from types import SimpleNamespace

import av
import numpy as np
import pytest
from browser import open_browser
from made_videos import anonymizer, is_red, picture, read_frames
from page_server import Server

from mmanon.app.kept_files import KeptFiles
from mmanon.utils.inline_images import decode_image_url

pytest.importorskip('gradio', reason='the page needs mmanon[app]')
TOLD = "(document.querySelector('#live-words textarea')?.value ?? '')"
SHOWN = "document.querySelector('#live img')?.src"
ALLOW = '#camera [title="grant webcam access"] button'
RECORD = '#camera .capture-button'
SAID = "(document.querySelector('#camera-said')?.innerText ?? '')"


@pytest.fixture(scope='module')
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp('server'))
    yield server
    server.process.kill()


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """What the camera sees: a red square that moves over grey."""
    path = tmp_path_factory.mktemp('clip') / 'camera.y4m'
    with av.open(str(path), 'w', format='yuv4mpegpipe') as container:
        stream = container.add_stream('wrapped_avframe', 20)
        stream.width, stream.height, stream.pix_fmt = 320, 240, 'yuv420p'
        for t in range(40):
            image = np.full((240, 320, 3), 110, np.uint8)
            image[90:150, 20 + 4 * t : 80 + 4 * t] = (220, 30, 30)
            frame = av.VideoFrame.from_ndarray(image, 'rgb24')
            container.mux(stream.encode(frame.reformat(format='yuv420p')))
        container.mux(stream.encode())
    return path


def camera_flags(clip, *more):
    return (
        '--use-fake-device-for-media-stream',
        f'--use-file-for-fake-video-capture={clip}',
        *more,
    )


def open_tab(browser, server):
    browser.open(server.url)
    browser.wait_for("document.querySelectorAll('button[role=tab]').length == 4")
    browser.click('button[role=tab]:nth-of-type(4)')


def allow(browser, until):
    """Press what asks for the camera until something has come of it.

    It may be there before it does anything.
    """
    ends = time.monotonic() + 60
    while not browser.run(until):
        assert time.monotonic() < ends, f'it never came: {until}'
        browser.run(f"document.querySelector('{ALLOW}')?.click()")
        time.sleep(1)


def start(browser):
    """Allow the camera and let it run."""
    allow(browser, f"!!document.querySelector('{RECORD}')")
    browser.click(RECORD)


def is_covered(image):
    """Whether an ellipse lies over the square, of which only corners are left."""
    return is_red(image).sum() < 0.25 * 60 * 60


def watched(browser):
    """A picture that came back, and what was told of it."""
    browser.wait_for(f'!!{SHOWN}')
    return decode_image_url(browser.run(SHOWN)), browser.run(TOLD)


def test_the_camera_is_covered_while_it_runs_and_nothing_is_kept(
    server, clip, tmp_path
):
    flags = camera_flags(clip, '--use-fake-ui-for-media-stream')
    with open_browser(tmp_path, *flags) as browser:
        open_tab(browser, server)
        start(browser)
        seen = set()
        while len(seen) < 6:
            image, told = watched(browser)
            assert image.shape == (240, 320, 3) and is_covered(image)
            seen.add(image.tobytes())
        # Two where the clip begins again: a face is held where it was.
        assert re.match(r'[12] faces?; [\d.]+ frames per second; \d+ ms ', told)
        # Another method while it runs: squares of the colours that are there.
        browser.click('#live-how input')
        browser.run(
            "[...document.querySelectorAll('#live-how [role=option]')]"
            ".find((one) => one.innerText.includes('Mosaic'))"
            ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
        )
        browser.wait_for(
            "document.querySelector('#live-how input').value.includes('Mosaic')"
        )
        browser.wait_for(f"{SHOWN} != '{browser.run(SHOWN)}'")
        assert server.files() == []
        assert browser.problems == []
        elsewhere = [
            request
            for request in browser.requests
            if not request.startswith((server.url, 'data:', 'blob:', 'about:'))
        ]
        assert elsewhere == []


def test_two_visitors_are_covered_at_a_time(server, clip, tmp_path):
    flags = camera_flags(clip, '--use-fake-ui-for-media-stream')
    for name in 'ab':
        (tmp_path / name).mkdir()
    with (
        open_browser(tmp_path / 'a', *flags) as one,
        open_browser(tmp_path / 'b', *flags) as other,
    ):
        for browser in (one, other):
            open_tab(browser, server)
            start(browser)
        for browser in (one, other, one):
            before = browser.run(SHOWN)
            browser.wait_for(f'{SHOWN} && {SHOWN} != {before!r}'.replace('None', '""'))
            assert is_covered(watched(browser)[0])


def test_a_recording_that_is_switched_on_and_a_camera_that_goes_away(
    server, clip, tmp_path
):
    flags = camera_flags(clip, '--use-fake-ui-for-media-stream')
    with open_browser(tmp_path, *flags) as browser:
        open_tab(browser, server)
        start(browser)
        watched(browser)
        assert server.files() == []
        browser.click('#live-keep input')
        browser.wait_for(f'/recording: [1-9]/.test({TOLD})')
        # What a browser does when the camera is unplugged.
        browser.run(
            "(() => { const [track] = document.querySelector('#camera video')"
            '.srcObject.getVideoTracks(); track.stop();'
            "track.dispatchEvent(new Event('ended')); })()"
        )
        browser.wait_for(f"{SAID}.includes('The camera has stopped')")
        assert is_covered(watched(browser)[0])
        browser.click('#live-keep input')
        browser.wait_for("document.querySelector('#live-download')?.disabled === false")
        browser.click('#live-download')
        kept = read_frames(browser.saved_file('.mp4'))
        assert len(kept) > 3 and all(is_covered(frame) for frame in kept)
        assert browser.problems == []
    server.wait_until_nothing_is_kept()


def test_a_camera_that_is_refused_shows_nothing(server, clip, tmp_path):
    with open_browser(
        tmp_path, *camera_flags(clip, '--deny-permission-prompts')
    ) as one:
        open_tab(one, server)
        allow(one, f"{SAID}.includes('may not use the camera')")
        assert not one.run(SHOWN) and one.problems == []


# --- What the server does -------------------------------------------------------------


@pytest.fixture
def tab():
    from mmanon.app.camera import CameraTab
    from mmanon.app.methods import METHODS

    made = []

    def make(**told):
        made.append(told)
        return anonymizer(modifier=told['modifier'])

    tab = CameraTab({one.name: one for one in METHODS[:2]}, make)
    tab.made = made
    return tab


def put(tab, image, session='a', method='Solid mask', strength=3):
    request = SimpleNamespace(session_hash=session)
    return tab.cover(image, method, strength, 'track', '', request)


def test_each_visitor_has_a_state_of_their_own_until_they_leave(tab):
    for t in range(4):
        put(tab, picture(t))
    put(tab, picture(0), 'b')
    assert len(tab.made) == 2 and set(tab._running) == {'a', 'b'}
    tab.leave('a')
    tab.leave('a')  # twice does no harm
    assert set(tab._running) == {'b'}


def test_settings_that_change_are_taken_at_once(tab):
    for t in range(3):
        html, told = put(tab, picture(t))
    assert html.startswith('<img') and told.startswith('1 face; ')
    put(tab, picture(3), method='Mosaic', strength=1)
    put(tab, picture(4), method='Mosaic', strength=1)
    assert [one['modifier'] for one in tab.made[1:]] == [
        dict(type='mmanon.PixelateModifier', blocks=16)
    ]


def test_frames_are_kept_while_that_is_switched_on_and_only_covered(tab, tmp_path):
    request = SimpleNamespace(session_hash='a')
    with KeptFiles(1) as kept:
        tab._kept = kept

        def files():
            return [one for one in kept.folder.rglob('*.mp4*') if one.is_file()]

        for t in range(3):
            put(tab, picture(t))
        assert files() == []
        assert tab._switch(True, request)['value'] is None
        for t in range(3, 8):
            _, told = put(tab, picture(t))
        assert re.fullmatch(r'1 face; .*\nrecording: \d s', told)
        made = tab._switch(False, request)['value']
        put(tab, picture(8))
        frames = read_frames(made)
        assert len(frames) == 5 and not any(is_red(one).any() for one in frames)
        # Of a visitor who leaves meanwhile nothing is kept.
        tab._switch(True, request)
        for t in range(9, 40):
            put(tab, picture(t % 8))
        assert len(files()) == 2
        kept.forget('a')  # a file of the first tab is given away
        assert len(files()) == 2
        tab.leave('a')
        assert files() == []


def test_no_picture_is_no_answer(tab):
    import gradio as gr

    assert put(tab, None) == (gr.skip(), gr.skip()) and tab.made == []
    # The first frames wait for those behind them.
    assert put(tab, picture(0)) == (gr.skip(), gr.skip())


def test_actions_stand_beside_where_a_detector_was_given(tab):
    given, forgotten = [], []

    class Watcher:
        seen = (SimpleNamespace(track=3, action='drink', score=0.42),)

        def put(self, image, masks):
            given.append((image.shape, len(masks), is_red(image).any()))

        def __del__(self):
            forgotten.append(True)

    tab._make_watcher = Watcher
    for t in range(4):
        _, told = put(tab, picture(t))
    assert told.splitlines()[1:] == ['person 3: drink 42%']
    assert len(given) == 2 and given[0][:2] == ((64, 96, 3), 1)
    tab.leave('a')
    assert forgotten == [True]
