"""The page in a process of its own, whose detector finds red squares."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent

SERVE = """
import sys
sys.path[:0] = [{tests!r}, {here!r}]

def watch(event, given):
    if event == 'socket.connect':
        called = given[1][0] if isinstance(given[1], tuple) else 'localhost'
    elif event == 'socket.getaddrinfo':
        called = given[0]
    else:
        return
    called = called.decode() if isinstance(called, bytes) else str(called)
    if called not in ('127.0.0.1', 'localhost', '::1', 'None'):
        print('CALLED', called, flush=True)

sys.addaudithook(watch)
import by_colour, made_videos, pytest, test_app
from mmanon.anonymizer import face_finding, inferencer
from mmanon.cli import app

inferencer.build_detector = lambda *_: made_videos.RedSquareDetector()
face_finding.build_detector = lambda *_: test_app.SquareWithLandmarks()
by_colour.recognize_colours(pytest.MonkeyPatch().setattr)
sys.exit(app.main(sys.argv[1:]))
"""


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return str(one.getsockname()[1])


class Server:
    """The page in a process of its own; ``said`` is what it printed, at its end."""

    def __init__(self, folder, *options):
        self.temp = folder / 'tmp'
        self.temp.mkdir()
        self.log = folder / 'server.log'
        code = SERVE.format(tests=str(HERE), here=str(HERE / 'test_tools'))
        with open(self.log, 'w') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-c', code, '--port', free_port(), *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'TMPDIR': str(self.temp), 'OMP_NUM_THREADS': '1'},
            )
        try:
            self.url = self._wait_for_address()
        except BaseException:
            self.process.kill()
            raise

    def _wait_for_address(self):
        until = time.monotonic() + 300
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r'http://\S+', self.log.read_text())
            if found:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f'the page did not come: {self.log.read_text()}')

    def files(self):
        """What it keeps."""
        kept = []
        # Unlike Path.rglob, os.walk does not mind folders that go while it looks.
        for folder, _, names in os.walk(self.temp):
            for one in (Path(folder, name) for name in names):
                # Gradio leaves an empty file until the end for each that is given.
                with contextlib.suppress(FileNotFoundError):
                    if 'mmanon-app-' in str(one) and one.stat().st_size:
                        kept.append(one)
        return kept

    def wait_until_nothing_is_kept(self):
        until = time.monotonic() + 60
        while self.files():
            assert time.monotonic() < until, self.files()
            time.sleep(0.1)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        return self.log.read_text()
