import pytest

from mmanon.engine.game.phases import PhaseSchedule


def test_training_warms_up_plays_and_fine_tunes():
    schedule = PhaseSchedule(warm_up=2, fine_tune=3)

    names = [schedule.at(done, 10 - done).name for done in range(10)]

    assert names == ['warm_up'] * 2 + ['joint'] * 5 + ['fine_tune'] * 3


def test_without_phases_all_is_the_joint_game():
    assert {PhaseSchedule().at(i, 3 - i).name for i in range(3)} == {'joint'}


def test_phases_that_leave_no_game_are_refused():
    with pytest.raises(ValueError, match='leave none of 5 iterations'):
        PhaseSchedule(warm_up=3, fine_tune=2).check(5)


def test_negative_phases_are_refused():
    with pytest.raises(ValueError, match='phases.fine_tune'):
        PhaseSchedule(fine_tune=-1)


def test_only_discriminators_learn_after_one_has_started_anew():
    schedule = PhaseSchedule(warm_up=1, fine_tune=2, restart=4, catch_up=2)

    names = [schedule.at(done, 14 - done).name for done in range(14)]
    restarts = [schedule.restart_at(done, 14 - done) for done in range(14)]

    game = ['joint'] * 4 + ['catch_up'] * 2 + ['joint'] * 2 + ['catch_up'] * 2
    assert names == ['warm_up', *game, 'joint', 'fine_tune', 'fine_tune']
    assert [place for place in enumerate(restarts) if place[1] is not None] == [
        (5, 0),
        (9, 1),
    ]
    assert schedule.rests(6, 14) == 1
    assert schedule.rests(14, 14) == 4


def test_none_starts_anew_that_would_not_get_to_play():
    schedule = PhaseSchedule(fine_tune=1, restart=4, catch_up=2)

    assert [schedule.restart_at(done, 7 - done) for done in range(7)] == [None] * 7
    assert schedule.at(4, 3).name == 'joint'
    assert schedule.restart_at(4, 8 - 4) == 0


def test_catching_up_leaves_time_for_the_game():
    with pytest.raises(ValueError, match='must be less than phases.restart=3'):
        PhaseSchedule(restart=3, catch_up=3)
