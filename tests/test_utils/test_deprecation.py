import argparse

import pytest

from mmanon.utils.deprecation import (
    RenamedOption,
    renamed_arguments,
    renamed_attributes,
)


@renamed_arguments(patience='lost_track_buffer')
def follow(lost_track_buffer=30, sure=0.5):
    return lost_track_buffer, sure


def test_an_old_keyword_warns_and_does_what_it_did():
    with pytest.warns(
        DeprecationWarning, match='patience was renamed to lost_track_buffer'
    ):
        assert follow(patience=5) == (5, 0.5)


def test_new_keywords_do_not_warn(recwarn):
    assert follow(4, sure=0.1) == (4, 0.1) and follow() == (30, 0.5)
    assert not recwarn.list


def test_an_argument_is_not_given_by_both_its_names():
    with pytest.raises(TypeError, match='give only'):
        follow(patience=5, lost_track_buffer=6)


def test_a_name_that_leads_nowhere_is_refused_when_it_is_written():
    with pytest.raises(ValueError, match='has no argument'):
        renamed_arguments(patience='buffer')(follow)


def test_an_old_attribute_warns_and_is_the_new_one():
    @renamed_attributes(likeness='similarity')
    class Face:
        def similarity(self, other):
            return other

    with pytest.warns(
        DeprecationWarning, match='Face.likeness was renamed to Face.similarity'
    ):
        assert Face().likeness(3) == 3


def test_an_old_option_of_a_command_works_and_says_what_it_is_now(capsys):
    parser = argparse.ArgumentParser(prog='follow')
    parser.add_argument('--lost-track-buffer', type=int)
    parser.add_argument(
        '--patience', dest='lost_track_buffer', action=RenamedOption, type=int
    )
    assert parser.parse_args(['--patience', '5']).lost_track_buffer == 5
    assert '--patience was renamed to --lost-track-buffer' in capsys.readouterr().err
    assert '--patience' not in parser.format_help()
