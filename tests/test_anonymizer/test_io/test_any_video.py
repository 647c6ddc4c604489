"""Whatever FFmpeg writes comes out as it was, but for the face.

A hundred cases are drawn, the same each time; ``MMANON_CASES=5000`` draws others.
"""

import json
import os

import numpy as np
import pytest

pytest.importorskip('hypothesis', reason='it draws the cases')

import av
from any_video import BOX, LENGTH, cases, look, upright_size, write
from hypothesis import HealthCheck, given, reject, settings
from made_videos import anonymizer

_CASES = os.environ.get('MMANON_CASES')


@settings(
    max_examples=int(_CASES or 100),
    derandomize=_CASES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(case=cases())
def test_any_video_comes_out_as_it_was(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp('case')
    source = folder / f'a.{case.container}'
    try:
        write(case, source)
        before = look(source)
    except (av.FFmpegError, ValueError):
        reject()  # FFmpeg does not write, or read, it
    packed = source.read_bytes()
    given = {str(t): [BOX] for t in range(len(before.frames))}
    boxes = folder / 'boxes.json'
    boxes.write_text(json.dumps({source.name: given}))
    webm = case.container == 'webm' and case.output is None
    quick = {'deadline': 'realtime', 'cpu-used': '8'} if webm else {}
    (outcome,) = anonymizer(
        boxes=boxes, container=case.output, encoder_options=quick, feather=0
    )(source, folder / 'out')
    # Nothing is lost, and nothing half written.
    assert {path.name for path in folder.iterdir()} <= {source.name, boxes.name, 'out'}
    assert source.read_bytes() == packed
    if outcome.status == 'failed':
        # One sentence, of what the chosen kind of file does not hold.
        assert case.text and case.output and 'mkv' in outcome.reason, outcome.reason
        return
    after = look(outcome.out)
    said = ' '.join(outcome.removed + outcome.problems)
    assert len(after.frames) == len(before.frames) == outcome.frames
    check_times(case, before, after, outcome)
    assert abs(after.shape / before.shape - 1) < 0.02
    check_pictures(case, before, after)
    if 'encoded again' in said:
        assert before.sounds and after.sounds
    else:
        if case.sound and case.sound.startswith('pcm'):  # pieces of any length
            one, two = (
                b''.join(data for data, _ in seen.sounds) for seen in (before, after)
            )
            assert one == two
            return
        # In transport streams each packet of AAC gets a header.
        for (one, _), (two, _) in zip(before.sounds, after.sounds, strict=True):
            assert one == two or one.endswith(two) or two.endswith(one)
        check_sounds(before, after, outcome)
    assert [data for data, _ in after.texts] == [data for data, _ in before.texts]
    assert not outcome.problems, outcome.problems


def check_times(case, before, after, outcome):
    old, new = (np.array(one.times) - one.times[0] for one in (before, after))
    if outcome.out.suffix == '.avi':
        if len(set(case.steps)) > 1:
            return  # it counts frames
        # A late beginning becomes a first frame that is shown for longer.
        assert np.allclose(np.diff(new)[1:], np.diff(old)[1:], atol=0.002)
        return
    # To the millisecond that Matroska has, of the source or of the output.
    assert np.abs(new - old).max() < 0.0015, (old, new)
    frame = float(case.steps[-1] / case.rate)
    sound = 0.2 if before.sounds else 0.0
    shown = after.times[-1] + frame
    least = min(before.seconds, shown - after.times[0])
    assert least - 0.05 < after.seconds + frame, (before.seconds, after.seconds)
    assert after.seconds < shown + frame + sound + 0.05, after.seconds


def check_pictures(case, before, after):
    width, height = upright_size(case)
    for one, two in zip(before.frames, after.frames, strict=True):
        if one.shape != two.shape:  # pixels that became square
            assert one.shape[0] == two.shape[0] or one.shape[1] == two.shape[1]
            continue
        change = np.abs(one.astype(int) - two)
        x1, y1, x2, y2 = BOX
        far = max(x2, y2) + 12
        # Right of the cover and below it. Encoders lag behind colours that creep.
        assert change[:, far:].mean() < 5 and change[far:].mean() < 5, (
            change[:, far:].mean(),
            change[far:].mean(),
        )
        face = two[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2]
        assert np.abs(face.astype(int) - 127).mean() < 8, face.mean((0, 1))
    assert len(after.frames) == LENGTH or len(before.frames) != LENGTH


def check_sounds(before, after, outcome):
    if not before.sounds:
        return
    old = np.array([when for _, when in before.sounds]) - before.times[0]
    new = np.array([when for _, when in after.sounds]) - after.times[0]
    # In AVI sound begins where the picture does.
    loose = 0.05 if outcome.out.suffix == '.avi' else 0.003
    assert np.abs(new - old).max() < loose, (old[:4], new[:4])
