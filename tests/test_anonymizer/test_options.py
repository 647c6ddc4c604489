import subprocess
import sys

import numpy as np
import pytest
from made_videos import RedSquareDetector, is_red, picture

from mmanon.anonymizer import (
    AnonymizerInferencer,
    DetectionOptions,
    EncodingOptions,
    MaskingOptions,
    PeopleOptions,
    group_options,
)


def test_options_are_sorted_by_their_group():
    groups = group_options(
        hold=3, shape='ellipse', only='a', recognizer='b', device='x'
    )
    assert groups == dict(
        detection=DetectionOptions(hold=3),
        people=PeopleOptions(only='a', recognizer='b'),
        masking=MaskingOptions(shape='ellipse'),
        device='x',
    )
    assert group_options(codec='ffv1') == dict(encoding=EncodingOptions(codec='ffv1'))


def test_an_option_that_is_not_there_is_told_with_what_may_be_meant():
    with pytest.raises(TypeError, match='featherr.*did you mean `feather`'):
        group_options(featherr=0.1)


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(score_thr=1.5), 'score_thr'),
        (dict(every=0), 'every must be at least 1'),
        (dict(key_per='day'), 'key_per must be one of track, video, frame'),
        (dict(preset='quick'), 'there is no preset .quick.: there are careful'),
        (dict(boxes='a.json', scale=0.5), 'cannot be combined with boxes'),
        (dict(allowlist='a', only='b', recognizer='c'), 'exclude each other'),
        (dict(allowlist='a'), 'need a recognizer'),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_built(wrong, said):
    with pytest.raises(ValueError, match=said):
        group_options(**wrong)


def test_a_preset_holds_where_no_option_is_given():
    careful = group_options('careful', hold=3, mask_scale=1.5)
    assert careful['detection'] == DetectionOptions(every=1, score_thr=0.55, hold=3)
    assert careful['masking'].mask_scale == 1.5
    assert group_options('balanced') == {}
    assert group_options('fast')['detection'].every == 10
    # Given boxes are not looked for.
    assert group_options('fast', boxes='a.json')['detection'].boxes == 'a.json'


def test_looks_are_rare_only_where_faces_are_followed_and_nobody_is_told_apart():
    for options, people, interval in [
        ({}, False, 5),
        (dict(hold=2), False, 5),
        ({}, True, 1),
        (dict(detector='yunet'), False, 5),
        (dict(detector=RedSquareDetector()), False, 1),
        (dict(boxes='a.json'), False, 1),
        (dict(every=7), True, 7),
    ]:
        assert DetectionOptions(**options).keyframe_interval(people) == interval


def test_a_track_that_is_never_sure_is_believed_by_the_thorough_search_only():
    assert DetectionOptions('thorough').frames_to_believe() == 5
    assert (
        DetectionOptions('thorough', look_ahead=4, hold=2).frames_to_believe() is None
    )
    assert DetectionOptions().frames_to_believe() is None
    assert DetectionOptions(minimum_consecutive_frames=9).frames_to_believe() == 9


def test_options_given_one_by_one_still_work_and_warn():
    with pytest.warns(DeprecationWarning, match='detection=DetectionOptions'):
        old = AnonymizerInferencer(
            detector=RedSquareDetector(), persist=4, shape='square', modifier='grey'
        )
    assert old.faces.planner.minimum_consecutive_frames == 4
    assert old.faces.compositor.shape == 'square'
    (result,) = old(picture(0))
    assert not is_red(result.image).any()


def test_an_option_is_not_given_one_by_one_and_in_its_group(recwarn):
    detection = DetectionOptions(RedSquareDetector())
    with pytest.raises(ValueError, match='belong to detection'):
        AnonymizerInferencer(detection=detection, hold=3)
    with pytest.raises(ValueError, match='modifier is given twice'):
        AnonymizerInferencer('a.onnx', masking=MaskingOptions('b.onnx'))
    with pytest.raises(TypeError, match='detectr'):
        AnonymizerInferencer(detectr='mtcnn')


def test_groups_do_not_warn(recwarn):
    inferencer = AnonymizerInferencer(
        detection=DetectionOptions(RedSquareDetector()), masking=MaskingOptions()
    )
    (result,) = inferencer(picture(0))
    assert result.faces == 1 and np.array_equal(result.image[50:], picture(0)[50:])
    assert not [
        warning for warning in recwarn.list if warning.category is DeprecationWarning
    ]


@pytest.mark.parametrize('command', ['anonymize', 'audit', 'app', 'anonymize_on_ray'])
def test_help_is_there_before_anything_large_is_loaded(command):
    code = (
        'import sys\n'
        f'from mmanon.cli.{command} import main\n'
        'try:\n    main(["--help"])\nexcept SystemExit:\n    pass\n'
        'large = {"numpy", "av", "onnxruntime", "PIL", "torch", "gradio", "ray"}\n'
        'assert not large & set(sys.modules), large & set(sys.modules)\n'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'usage' in done.stdout
