"""A headless Chromium for tests, spoken to in the DevTools protocol through pipes."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
_FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
    '--window-size=1100,1400',
    '--remote-debugging-pipe',
)
_SECONDS = 180.0  # on a machine that has much else to do


@contextmanager
def open_browser(folder: Path, *flags: str) -> Iterator['Browser']:
    """Start Chromium, or skip the test where there is none.

    Args:
        folder: For its profile, and for what pages save: ``folder / 'saved'``.
        flags: More of Chromium's.
    """
    program = os.environ.get('mmanon_BROWSER')
    program = program or next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(
            f'no browser: none of {", ".join(NAMES)} is installed (Debian: chromium); '
            'name one by mmanon_BROWSER'
        )
    # Chromium reads commands from file descriptor 3 and answers on 4.
    (commands, to_browser), (from_browser, answers) = os.pipe(), os.pipe()
    shell = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
    arguments = [
        *_FLAGS,
        *flags,
        f'--user-data-dir={folder / "profile"}',
        'about:blank',
    ]
    with open(folder / 'browser.log', 'w') as log:
        process = subprocess.Popen(
            ['bash', '-c', shell, program, *arguments],
            pass_fds=(commands, answers),
            stdout=log,
            stderr=log,
        )
    os.close(commands)
    os.close(answers)
    try:
        yield Browser(to_browser, from_browser, folder)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to_browser)
        os.close(from_browser)


class Browser:
    """One page of Chromium.

    Attributes:
        saved: Folder of what pages save.
        problems: Errors of scripts, and what the page's policy refused.
        requests: Addresses that the page asked for.
    """

    def __init__(self, to_browser: int, from_browser: int, folder: Path) -> None:
        self.saved = folder / 'saved'
        self.saved.mkdir()
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._to, self._from = to_browser, from_browser
        self._unread = b''
        self._count = 0
        self._is_loaded = False
        self._session: str | None = None
        targets = self._call('Target.getTargets')['targetInfos']
        page = next(one['targetId'] for one in targets if one['type'] == 'page')
        self._call(
            'Browser.setDownloadBehavior',
            behavior='allow',
            downloadPath=str(self.saved),
        )
        attached = self._call('Target.attachToTarget', targetId=page, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._call(f'{domain}.enable')

    def open(self, page: Path | str) -> None:
        """Load a page from a file or an address, with all of its pictures."""
        self._is_loaded = False
        address = page if isinstance(page, str) else page.resolve().as_uri()
        self._call('Page.navigate', url=address)
        while not self._is_loaded:
            message = self._read()
            self._note(message.get('method'), message.get('params') or {})

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self._call(
            'Runtime.evaluate', expression=script, returnByValue=True, userGesture=True
        )
        if 'exceptionDetails' in answer:
            raise AssertionError(f'{script}: {answer["exceptionDetails"]}')
        return answer['result'].get('value')

    def wait_for(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        until = time.monotonic() + _SECONDS
        while not self.run(script):
            assert time.monotonic() < until, f'it never came: {script}'
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, once it can be seen."""
        until = time.monotonic() + _SECONDS
        while not (box := self._middle(selector)):
            assert time.monotonic() < until, f'{selector} cannot be seen'
            time.sleep(0.05)
        for kind in ('mousePressed', 'mouseReleased'):
            self._call(
                'Input.dispatchMouseEvent',
                type=kind,
                x=box[0],
                y=box[1],
                button='left',
                clickCount=1,
            )

    def _middle(self, selector: str) -> list[float] | None:
        return self.run(
            f"""(() => {{
              const found = document.querySelector({json.dumps(selector)});
              if (!found) return null;
              found.scrollIntoView({{block: 'center'}});
              const box = found.getBoundingClientRect();
              const at = [box.x + box.width / 2, box.y + box.height / 2];
              return found.contains(document.elementFromPoint(...at)) ? at : null;
            }})()"""
        )

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to an input for files."""
        found = self._call(
            'Runtime.evaluate',
            expression=f'document.querySelector({json.dumps(selector)})',
        )['result']
        assert 'objectId' in found, f'there is no {selector}'
        self._call(
            'DOM.setFileInputFiles',
            files=[str(path.resolve())],
            objectId=found['objectId'],
        )

    def press(self, key: str) -> None:
        """Press a key of the keyboard."""
        for kind in ('keyDown', 'keyUp'):
            self._call('Input.dispatchKeyEvent', type=kind, key=key, text=key)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write a PNG of what is seen, or of the whole page."""
        answer = self._call(
            'Page.captureScreenshot', format='png', captureBeyondViewport=whole
        )
        path.write_bytes(base64.b64decode(answer['data']))

    def saved_file(self, suffix: str = '.json') -> Path:
        """The one file of a kind that the page has saved, when it is whole."""
        until = time.monotonic() + _SECONDS
        while True:
            files = [one for one in self.saved.iterdir() if one.suffix == suffix]
            if files:
                return files[0]
            assert time.monotonic() < until, 'nothing was saved'
            time.sleep(0.05)

    def _call(self, method: str, **arguments: Any) -> dict:
        self._count += 1
        message = dict(id=self._count, method=method, params=arguments)
        if self._session:
            message['sessionId'] = self._session
        os.write(self._to, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._read()
            if answer.get('id') == self._count:
                assert 'error' not in answer, f'{method}: {answer["error"]}'
                return answer['result']
            self._note(answer.get('method'), answer.get('params') or {})

    def _note(self, event: str | None, said: dict) -> None:
        if event == 'Page.loadEventFired':
            self._is_loaded = True
        elif event == 'Runtime.exceptionThrown':
            self.problems.append(str(said['exceptionDetails']))
        elif event == 'Log.entryAdded' and said['entry']['level'] == 'error':
            self.problems.append(said['entry']['text'])
        elif event == 'Network.requestWillBeSent':
            self.requests.append(said['request']['url'])

    def _read(self) -> dict:
        while b'\0' not in self._unread:
            ready, _, _ = select.select([self._from], [], [], _SECONDS)
            assert ready, 'the browser does not answer'
            read = os.read(self._from, 1 << 20)
            assert read, 'the browser has ended'
            self._unread += read
        message, _, self._unread = self._unread.partition(b'\0')
        return json.loads(message)
