import pytest
import torch

from mmanon.engine.checkpoints import adapt_state_dict, report_weights


def weights(prefix, count=20, shape=(2, 2)):
    return {
        f'{prefix}.layer{index}.weight': torch.rand(shape) for index in range(count)
    }


@pytest.fixture
def model():
    return {
        **weights('detector.backbone'),
        **weights('detector.head', 2),
        **weights('modifier', 3),
        **weights('modifier_ema.module', 0),
        'modifier_ema.steps': torch.tensor(0),
        **{f'modifier_ema.module.layer{i}.weight': torch.zeros(2, 2) for i in range(3)},
    }


def test_a_plain_checkpoint_becomes_the_wrapped_detectors(model):
    plain = {**weights('module.backbone'), **weights('module.head', 2)}

    adapted = adapt_state_dict(plain, model)

    assert set(adapted) == {name for name in model if name.startswith('detector.')}
    name = 'backbone.layer3.weight'
    assert torch.equal(adapted['detector.' + name], plain['module.' + name])


def test_a_backbone_alone_loads(model):
    assert len(adapt_state_dict(weights('backbone'), model)) == 20


def test_a_head_for_other_classes_does_not_hinder(model):
    plain = {**weights('backbone'), **weights('head', 2, (5, 2))}

    assert 'detector.backbone.layer0.weight' in adapt_state_dict(plain, model)


def test_a_head_that_has_learned_more_does_not_hinder(model):
    """A detector with a feature bank starts from one without."""
    model = {**model, **weights('detector.head.bank', 30)}
    plain = {**weights('backbone'), **weights('head', 2)}

    assert len(adapt_state_dict(plain, model)) == 22


@pytest.mark.parametrize(
    'backbone',
    [weights('backbone', 40), weights('backbone', 20, (3, 3)), weights('other')],
    ids=['deeper', 'wider', 'unknown'],
)
def test_another_architecture_is_refused(model, backbone):
    with pytest.raises(ValueError, match='another architecture'):
        adapt_state_dict(backbone, model)


def test_an_anonymized_checkpoint_keeps_its_names_and_drops_what_the_model_lacks(model):
    state = {
        **{name: value for name, value in model.items()},
        **weights('discriminator.backbone', 4),
    }

    assert set(adapt_state_dict(state, model)) == set(model)


def test_an_anonymized_checkpoint_of_a_hand_crafted_modifier_keeps_its_names():
    model = weights('detector.backbone')

    assert set(adapt_state_dict(dict(model), model)) == set(model)


def test_a_missing_average_starts_as_the_modifier(model):
    state = {
        name: v for name, v in model.items() if not name.startswith('modifier_ema')
    }

    adapted = adapt_state_dict(state, model)

    for index in range(3):
        name = f'layer{index}.weight'
        assert torch.equal(
            adapted[f'modifier_ema.module.{name}'], state[f'modifier.{name}']
        )


def test_another_modifier_is_refused_by_name_and_shape(model):
    state = dict(model, **{'modifier.layer1.weight': torch.rand(4, 2)})

    with pytest.raises(ValueError, match=r'modifier.layer1.weight is \(4, 2\)'):
        adapt_state_dict(state, model)


def a_discriminator(people, prefix='discriminator'):
    return {
        **weights(f'{prefix}.backbone', 3),
        f'{prefix}.head.weight': torch.rand(people, 2),
        f'{prefix}.head.steps': torch.tensor(people),
    }


def test_a_head_for_other_people_is_left_out_where_it_may_learn_anew(model):
    model = {**model, **a_discriminator(5)}
    state = {**model, **a_discriminator(3)}

    with pytest.raises(ValueError, match=r'discriminator.head.weight is \(3, 2\)'):
        adapt_state_dict(state, model)
    adapted = adapt_state_dict(state, model, new_head=True)

    name = 'discriminator.backbone.layer1.weight'
    assert torch.equal(adapted[name], state[name])
    # How far the other head has been annealed is not taken over either.
    assert 'discriminator.head.steps' not in adapted
    report = report_weights(adapted, model)[-1]
    assert 'head.weight (3, 2) in the checkpoint, (5, 2) in the model' in str(report)


def test_a_head_for_as_many_people_is_taken_over(model):
    model = {**model, **a_discriminator(3)}

    adapted = adapt_state_dict(dict(model), model, new_head=True)

    assert set(adapted) == set(model)


def test_another_backbone_is_refused_though_the_head_may_learn_anew(model):
    model = {**model, **a_discriminator(3)}
    state = dict(model, **{'discriminator.backbone.layer0.weight': torch.rand(4, 2)})

    with pytest.raises(ValueError, match='discriminator is of another architecture'):
        adapt_state_dict(state, model, new_head=True)


def test_what_matched_is_reported_for_each_network(model):
    plain = {
        **{k: v for k, v in weights('backbone').items() if 'layer7' not in k},
        **weights('head', 2, (5, 2)),
        **weights('neck', 1),
    }

    reports = report_weights(adapt_state_dict(plain, model), model)

    detector, modifier, _ = reports
    assert [one.network for one in reports] == ['detector', 'modifier', 'modifier_ema']
    assert len(detector.matched) == 19
    assert detector.missing == ['backbone.layer7.weight']
    assert detector.unexpected == ['neck.layer0.weight']
    assert detector.mismatched['head.layer1.weight'] == ((5, 2), (2, 2))
    assert detector.is_partial
    said = str(detector)
    assert 'detector: 19 of 22 weights loaded' in said
    assert 'head.layer0.weight (5, 2) in the checkpoint, (2, 2) in the model' in said
    assert '1 missing in the checkpoint (backbone.layer7.weight)' in said
    assert '1 unexpected in the checkpoint (neck.layer0.weight)' in said
    assert not modifier.matched and not modifier.is_partial
    assert 'the checkpoint has none' in str(modifier)


def test_a_whole_checkpoint_is_reported_as_whole(model):
    reports = report_weights(model, model)

    assert all(one.is_whole for one in reports)
    assert str(reports[0]) == 'detector: 22 of 22 weights loaded'


def test_many_names_are_cut_short(model):
    detector, *_ = report_weights({'detector.other': torch.ones(1)}, model)

    assert '22 missing in the checkpoint' in str(detector)
    assert 'and 16 more' in str(detector)
