from mmanon.actions.agreement import Agreement, agreement, total
from mmanon.actions.records import ActionRecord


def seen(x=0.0, action='drink', frame=0, video='a.mp4', shown='raw'):
    return ActionRecord(video, shown, frame, 0.0, 0, x, 0, x + 10, 10, 1.0, action, 0.9)


def test_the_same_action_of_the_same_person_agrees():
    assert agreement([seen()], [seen(2.0)]) == Agreement(1, 1, 1)
    assert agreement([seen()], [seen()]).share == 1


def test_another_action_frame_video_or_place_does_not():
    others = [seen(5.1), seen(action='eat'), seen(frame=8), seen(video='b.mp4')]
    for other in others:
        assert agreement([seen()], [other]) == Agreement(1, 1, 0)


def test_each_action_is_in_one_pair_and_as_many_pairs_are_found_as_there_are():
    # The first fits both, the second the first alone.
    assert agreement([seen(0), seen(-3)], [seen(0), seen(3)]).same == 2
    assert agreement([seen(), seen()], [seen()]) == Agreement(2, 1, 1)
    assert agreement([seen(), seen()], [seen()]).share == 2 / 3


def test_people_without_an_action_do_not_count():
    nobody = seen(action=None)
    assert agreement([nobody], [nobody]).share is None
    assert 'no action is found' in str(agreement([nobody], []))


def test_several_videos_are_one_figure():
    both = total([Agreement(2, 2, 1), Agreement(0, 4, 0)])
    assert both == Agreement(2, 6, 1)
    assert str(both).startswith('25% agreement: 2 actions in the original, 6')
