import pytest

from mmanon.engine.game.phases import PhaseSchedule


def test_training_warms_up_plays_and_fine_tunes():
    schedule = PhaseSchedule(warm_up=2, fine_tune=3)

    names = [schedule.at(done, 10 - done).name for done in range(10)]

    assert names == ['warm_up'] * 2 + ['joint'] * 5 + ['fine_tune'] * 3


def test_without_phases_all_is_the_joint_game():
    assert {PhaseSchedule().at(i, 3 - i).name for i in range(3)} == {'joint'}


def test_phases_that_leave_no_game_are_refused():
    with pytest.raises(ValueError, match='leave nothing of 5 iterations'):
        PhaseSchedule(warm_up=3, fine_tune=2).check(5)


def test_negative_phases_are_refused():
    with pytest.raises(ValueError, match='phases.fine_tune'):
        PhaseSchedule(fine_tune=-1)
