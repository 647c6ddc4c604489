from fractions import Fraction

import numpy as np
import pytest
from by_colour import recognize_colours
from made_videos import (
    RED,
    RedSquareDetector,
    anonymizer,
    copy_streams,
    is_red,
    picture,
    write_video,
)
from PIL import Image

from mmanon.anonymizer import AnonymizerInferencer
from mmanon.anonymizer.face_finding import build_detector
from mmanon.anonymizer.io.frames import upright_frames
from mmanon.anonymizer.io.independent import independent_frames
from mmanon.anonymizer.io.sources import InputError
from mmanon.anonymizer.leak_audit import FaceAuditor
from mmanon.anonymizer.recognizer import build_recognizer, threshold_at_far
from mmanon.utils.orientation import Orientation

MARKS = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.3, 0.7], [0.7, 0.7]])
GREY = (127, 127, 127)


class WithMarks(RedSquareDetector):
    """The red square, with landmarks in it."""

    def _detect(self, image):
        boxes, scores, _ = super()._detect(image)
        corners, sides = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
        return boxes, scores, corners[:, None] + MARKS * sides[:, None]


@pytest.fixture(autouse=True)
def colours_are_recognized(monkeypatch):
    recognize_colours(monkeypatch.setattr)


def repainted(image, colour):
    image = image.copy()
    image[is_red(image)] = colour
    return image


@pytest.fixture
def audit(tmp_path):
    """Audits ten frames whose red squares were painted in these colours."""

    def run(colours, every=1, recognizer=None, threshold=None, **detector):
        original = [picture(t) for t in range(10)]
        made = [repainted(*one) for one in zip(original, colours, strict=True)]
        lossless = dict(codec='ffv1', pix_fmt='yuv444p')
        paths = [
            write_video(tmp_path / name, pictures, **lossless)
            for name, pictures in (('a.mkv', original), ('b.mkv', made))
        ]
        auditor = FaceAuditor(WithMarks(**detector), recognizer, threshold)
        return auditor.compare(*paths, every=every)

    return run


def test_covered_faces_do_not_leak(audit):
    found = audit([GREY] * 10, recognizer=object(), threshold=0.9)
    assert (found.leaks, found.findings, found.frames, found.faces) == (0, [], 10, 10)
    assert 'no leak found' in found.as_text()


def test_without_a_recognizer_only_open_faces_are_found_and_it_does_not_say_more(audit):
    still_red = np.tile([(200, 10, 10), (180, 40, 40)], (128, 1))
    found = audit([still_red] * 5 + [RED] + [GREY] * 4)
    assert [(finding.kind, finding.frame) for finding in found.findings] == [
        ('uncovered', 5)
    ]
    assert found.findings[0].cosine is None
    text = audit([GREY] * 10).as_text()
    assert 'no open face found' in text and 'no leak' not in text


def test_the_one_frame_that_was_forgotten_is_named(audit):
    colours = [GREY] * 6 + [RED] + [GREY] * 3
    found = audit(colours, recognizer=object(), threshold=0.9)
    (finding,) = found.findings
    assert (finding.kind, finding.frame, finding.leaks) == ('uncovered', 6, True)
    assert finding.seconds == 0.24 and finding.open == 1 and finding.cosine > 0.99
    x1, y1, x2, y2 = finding.box
    assert (x2 - x1, y2 - y1) == (16, 16) and x1 == 20
    assert '1 LEAKS' in found.as_text() and '6–6' in found.as_text()


def test_a_redrawn_face_that_is_still_recognized_leaks(audit):
    still_red = np.tile([(200, 10, 10), (180, 40, 40)], (128, 1))
    found = audit([still_red] * 10, recognizer=object(), threshold=0.9)
    assert {finding.kind for finding in found.findings} == {'matched'}
    assert found.leaks == 10


def test_a_redrawn_face_of_somebody_else_does_not(audit):
    found = audit([(30, 220, 30)] * 10, recognizer=object(), threshold=0.9)
    assert found.findings == []


def test_what_may_be_no_face_is_to_be_looked_at_and_is_no_leak(audit):
    found = audit([RED] * 10, unsure=range(20))
    assert {finding.kind for finding in found.findings} == {
        'unsure'
    } and found.leaks == 0
    assert len(found.findings) == 10


def test_a_face_that_shows_only_afterwards_is_found_there(audit):
    # The detector is asked of the original and of the other file in turn.
    found = audit([RED] * 10, blind=range(0, 20, 2))
    assert {finding.found_in for finding in found.findings} == {'anonymized'}
    assert found.leaks == 10


def test_a_face_of_which_a_part_was_left_open_is_to_be_looked_at(tmp_path):
    old = picture(0)
    new = repainted(old, GREY)
    rows = np.flatnonzero(is_red(old).any(1))[-6:]
    new[rows] = old[rows]
    for name, image in (('a.png', old), ('b.png', new)):
        Image.fromarray(image).save(tmp_path / name)
    # Blind to the second picture: the open part is a square as well.
    auditor = FaceAuditor(WithMarks(blind=[1]))
    (finding,) = auditor.compare(tmp_path / 'a.png', tmp_path / 'b.png').findings
    assert finding.kind == 'unsure' and 0.15 < finding.open < 0.5
    assert finding.seconds is None


@pytest.mark.parametrize('kind', ['upside down', 'negative', 'another scene'])
def test_an_output_that_shows_something_else_is_no_clean_one(tmp_path, kind):
    old = picture(0)
    new = {
        'upside down': old[::-1],
        'negative': 255 - old,
        'another scene': picture(0, scene=1),
    }[kind]
    for name, image in (('a.png', old), ('b.png', new)):
        Image.fromarray(np.ascontiguousarray(image)).save(tmp_path / name)
    # It knows no face that stands on its head.
    auditor = FaceAuditor(WithMarks(blind=[0, 1]))
    found = auditor.compare(tmp_path / 'a.png', tmp_path / 'b.png')
    assert [one.kind for one in found.findings] == ['another picture']
    assert found.leaks == 1 and 'another picture' in found.as_text()


def test_a_cover_is_a_finding_where_no_face_is_found_at_all(audit):
    found = audit([GREY] * 10, blind=range(20))
    (finding,) = found.findings
    assert (finding.kind, finding.leaks) == ('unexplained', False)
    x1, y1, x2, y2 = finding.box
    assert x1 <= 8 and y1 <= 20 and x2 >= 24 and y2 >= 36
    assert 'without a face in the whole original' in found.as_text()


def test_a_picture_that_is_masked_whole_is_clean(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / 'a.png')
    Image.new('RGB', (96, 64), GREY).save(tmp_path / 'b.png')
    found = FaceAuditor(WithMarks()).compare(tmp_path / 'a.png', tmp_path / 'b.png')
    assert found.findings == []


@pytest.mark.parametrize(
    'turn',
    [(90, False), (180, False), (270, False), (0, True), (90, True), (270, True)],
)
def test_the_audit_turns_videos_by_itself(tmp_path, turn):
    path = write_video(
        tmp_path / 'a.mp4',
        [picture(0)] * 3,
        prepare=lambda _, stream: stream.set_display_rotation(*turn, False),
    )
    ours = [frame.image for frame in upright_frames(path)]
    theirs = [frame.image for frame in independent_frames(path)]
    assert np.array_equal(ours, theirs)


def test_the_audit_does_not_read_as_the_anonymizer_does(tmp_path, monkeypatch):
    for name, image in (('a', picture(0)), ('b', repainted(picture(0), GREY))):
        write_video(tmp_path / f'{name}.mkv', [image] * 3)
        Image.fromarray(image).save(tmp_path / f'{name}.png')
    # A fault in what both share: a video, and a TIFF, are read upside down.
    monkeypatch.setattr(Orientation, 'upright', lambda self, image: image[::-1].copy())
    auditor = FaceAuditor(WithMarks())
    assert auditor.compare(tmp_path / 'a.mkv', tmp_path / 'b.mkv').leaks == 0
    assert auditor.compare(tmp_path / 'a.mkv', tmp_path / 'a.mkv').leaks == 3
    with pytest.raises(InputError, match='two decoders'):
        auditor.compare(tmp_path / 'a.png', tmp_path / 'b.png')


def test_an_original_that_changes_its_size_or_pixels_is_compared(tmp_path):
    wide = write_video(tmp_path / 'wide.ts', [picture(t) for t in range(4)])
    high = [np.ascontiguousarray(picture(t, (64, 96))) for t in range(4)]
    high = write_video(tmp_path / 'high.ts', high)
    turned = tmp_path / 'turned.ts'
    turned.write_bytes(wide.read_bytes() + high.read_bytes())
    plain = write_video(tmp_path / 'plain.mp4', [picture(t) for t in range(4)])
    odd = copy_streams(plain, tmp_path / 'odd.mp4', sample_aspect_ratio=Fraction(4, 3))
    quick = {'deadline': 'realtime', 'cpu-used': '8'}
    square = anonymizer(container='webm', encoder_options=quick)
    for source, inferencer in ((turned, anonymizer()), (odd, square)):
        (outcome,) = inferencer(source, tmp_path / 'out')
        found = FaceAuditor(WithMarks()).compare(source, outcome.out)
        assert (found.leaks, found.frames) == (0, outcome.frames), found.as_text()


def test_frames_may_be_left_out(audit):
    found = audit([RED] * 10, every=4)
    assert [finding.frame for finding in found.findings] == [
        0,
        4,
        8,
    ] and found.frames == 3


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    long = write_video(tmp_path / 'long.mkv', [picture(t) for t in range(6)])
    short = write_video(tmp_path / 'short.mkv', [picture(t) for t in range(5)])
    small = write_video(tmp_path / 'small.mkv', [picture(0, (48, 32))] * 6)
    auditor = FaceAuditor(WithMarks())
    with pytest.raises(InputError, match='fewer frames'):
        auditor.compare(long, short)
    with pytest.raises(InputError, match='48x32'):
        auditor.compare(long, small)


def test_a_frame_that_cannot_be_examined_is_no_clean_frame(audit):
    with pytest.raises(InputError, match='frame 3 .* could not be examined'):
        audit([GREY] * 10, raising=[6])


def test_a_mask_of_one_colour_is_nobody_whatever_the_recognizer_says(
    tmp_path, monkeypatch
):
    everybody = np.array([1.0, 0.0])
    recognize_colours(monkeypatch.setattr, lambda *_: everybody)
    old = picture(0)
    stripes = repainted(old, GREY)
    rows = np.flatnonzero(is_red(old).any(1))
    stripes[rows[::2]] = np.where(is_red(old)[rows[::2], :, None], 20, old[rows[::2]])
    made = {'a': old, 'grey': repainted(old, GREY), 'stripes': stripes}
    for name, image in made.items():
        Image.fromarray(image).save(tmp_path / f'{name}.png')
    auditor = FaceAuditor(WithMarks(), object(), threshold=0.9)
    found = {
        name: auditor.compare(tmp_path / 'a.png', tmp_path / f'{name}.png').leaks
        for name in ('grey', 'stripes')
    }
    assert found == {'grey': 0, 'stripes': 1}


@pytest.mark.parametrize(
    'wrong', [dict(threshold=2), dict(sure=-1), dict(unchanged=-1)]
)
def test_numbers_out_of_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match='must'):
        FaceAuditor(WithMarks(), object(), **{'threshold': 0.3, **wrong})
    with pytest.raises(ValueError, match='belong together'):
        FaceAuditor(WithMarks(), threshold=0.3)


def test_the_threshold_is_where_so_few_pairs_of_two_people_are_alike(tmp_path):
    # All are red enough to be found; alike by how much blue there is with it.
    for person, blue in enumerate(range(0, 100, 10)):
        (tmp_path / str(person)).mkdir()
        for photo in range(2):
            face = repainted(picture(0), (250, 10, blue))
            Image.fromarray(face).save(tmp_path / f'{person}/{photo}.png')
    colours = np.array([[250, 10, blue] for blue in range(0, 100, 10)] * 2) / 127.5 - 1
    units = colours / np.linalg.norm(colours, axis=1, keepdims=True)
    other = np.triu(np.arange(20)[:, None] % 10 != np.arange(20) % 10)
    alike = (units @ units.T)[other]
    for far in (0.05, 0.2):
        threshold = threshold_at_far(tmp_path, WithMarks(), object(), far)
        assert (alike >= threshold + 1e-6).mean() <= far
        # Eight pairs of photographs are equally alike: the next step is too many.
        assert (alike >= threshold - 1e-3).mean() > far
    with pytest.raises(ValueError, match='needs 1000'):
        threshold_at_far(tmp_path, WithMarks(), object(), 0.001)


def test_a_photograph_leaks_until_it_is_anonymized(shared_data, tmp_path, monkeypatch):
    pytest.importorskip('torch', reason='recognizers are networks of PyTorch')
    monkeypatch.undo()
    photo = shared_data / 'faces/lfw10/Colin_Powell/Colin_Powell_0001.jpg'
    AnonymizerInferencer()(photo, tmp_path)
    recognizer = build_recognizer(shared_data / 'weights/mobilefacenet_ms1m.pt')
    weights = shared_data / 'weights/yunet_n_320_320.onnx'
    auditor = FaceAuditor(build_detector('thorough', weights), recognizer, 0.3)
    assert auditor.compare(photo, tmp_path / photo.name).leaks == 0
    assert auditor.compare(photo, photo).leaks == 1
