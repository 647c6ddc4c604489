import copy

import pytest
import torch
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from torch import Tensor
from torch.utils.data import Dataset

from mmanon.models.pretraining import InpaintingPretraining
from mmanon.models.pretraining.comparisons import overlap_loss
from mmanon.models.pretraining.critics import aligned
from mmanon.registry import DATASETS, MODELS

PLACES = torch.tensor(
    [[0.4, 0.42], [0.6, 0.42], [0.5, 0.52], [0.42, 0.62], [0.58, 0.62]]
)


def build(**kwargs) -> InpaintingPretraining:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='mmanon.InpaintingPretraining',
            modifier=dict(
                type='mmanon.InpaintingModifier',
                size=32,
                code_size=3,
                look_size=2,
                people=2,
                base_channels=8,
            ),
            recognizer=dict(type='mmanon.MobileFaceNet', input_size=(112, 112)),
            **{'draw_first': 0, **kwargs},
        )
    )
    return model.train()


def optimizers(model: InpaintingPretraining) -> OptimWrapperDict:
    part = dict(optimizer=dict(type='Adam', lr=1e-3))
    return build_optim_wrapper(
        model,
        dict(
            constructor='mmanon.PartsOptimWrapperConstructor',
            drawing=dict(part, modules=['modifier']),
            critics=dict(part, modules=['critic', 'landmark_net']),
        ),
    )


def batch(count: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (count, 4, 48, 48), generator=generator).byte()
    return dict(
        image=image[:, :3],
        opacity=image[:, 3:],
        landmarks=PLACES.repeat(count, 1, 1),
    )


def test_a_step_teaches_all_but_the_recognizer_and_the_average_follows():
    model = build(log_interval=2, momentum=0.25)
    steps = optimizers(model)
    first = copy.deepcopy(model.state_dict())
    told = [model.train_step(batch(), steps) for _ in range(2)]

    assert told[0] == {}
    assert all(value.isfinite() for value in told[1].values())
    assert {'loss_pixels', 'loss_realism', 'loss_critic', 'rate'} <= set(told[1])
    changed = {
        name.split('.')[0]
        for name, value in model.state_dict().items()
        if not torch.equal(value, first[name])
    }
    assert changed >= {'modifier', 'critic', 'landmark_net', 'modifier_ema'}
    assert 'recognizer' not in changed
    assert not model.average.is_untrained


def test_the_average_is_the_mean_of_the_first_steps():
    model = build(momentum=0.001)
    steps, seen = optimizers(model), []
    for _ in range(3):
        model.train_step(batch(), steps)
        seen.append(model.modifier.decoder.last.weight.detach().clone())
    torch.testing.assert_close(
        model.average.decoder.last.weight, torch.stack(seen).mean(0)
    )


def test_at_first_people_are_only_drawn_again():
    model = build(draw_first=1, log_interval=1)
    steps = optimizers(model)
    critic = copy.deepcopy(model.critic.state_dict())
    first = model.train_step(batch(), steps)
    assert 'loss_pixels' in first
    assert 'loss_realism' not in first
    for name, weights in model.critic.state_dict().items():
        assert torch.equal(weights, critic[name])

    second = model.train_step(batch(), steps)
    assert {'loss_pixels', 'loss_realism', 'loss_critic', 'loss_other'} <= set(second)


def test_somebody_else_is_the_next_portrait_of_the_batch(monkeypatch):
    model = build(log_interval=1, weights=dict(steady=0.0))
    seen = []
    draw = model.modifier.draw
    monkeypatch.setattr(
        model.modifier, 'draw', lambda *args: seen.append(args) or draw(*args)
    )
    model.train_step(batch(), optimizers(model))
    (_, _, portraits, places, _), (_, _, others, other_places) = seen
    assert torch.equal(others, portraits.roll(1, 0))
    assert torch.equal(other_places, places.roll(1, 0))


@DATASETS.register_module(force=True)
class TwoPortraits(Dataset):
    """A red and a green person, who fill their pictures."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict:
        image = torch.zeros(3, 64, 64, dtype=torch.uint8)
        image[index] = 200
        opacity = torch.full((1, 64, 64), 255, dtype=torch.uint8)
        return dict(image=image, opacity=opacity, landmarks=PLACES + 0.01 * index)


def test_the_modifier_holds_the_people_it_is_to_draw_without_their_clothes():
    model = build(people=dict(type='mmanon.TwoPortraits'))
    model.init_weights()
    for modifier in (model.modifier, model.average):
        for index, person in enumerate(modifier.people):
            assert (person[index] == 200).all()
            assert (person[1 - index] == 0).all()
            assert (person[3, :24] == 255).all()
            assert (person[3, -1] == 0).all()  # far below the chin
        torch.testing.assert_close(modifier.people_places[1], PLACES + 0.01)


def test_too_few_people_are_refused():
    model = build(people=dict(type='mmanon.TwoPortraits'))
    model.modifier.people = model.modifier.people.repeat(2, 1, 1, 1)
    with pytest.raises(ValueError, match='2 portraits.*holds 4'):
        model.init_weights()


def test_the_next_frame_is_drawn_only_where_steadiness_is_asked_for():
    model = build(log_interval=1, weights=dict(steady=0.0))
    counts = []
    model.modifier.decoder.register_forward_hook(
        lambda module, args, out: counts.append(len(out))
    )
    losses = model.train_step(batch(), optimizers(model))
    assert counts == [3, 3]
    assert losses['loss_steady'] == 0


def test_drawn_things_teach_what_to_let_through():
    model = build(log_interval=1)
    things = torch.full((3, 4, 16, 16), 255, dtype=torch.uint8)
    torch.manual_seed(1)
    plain = model.train_step(batch(), optimizers(model))
    torch.manual_seed(1)
    model = build(log_interval=1)
    held = model.train_step({**batch(), 'thing': things}, optimizers(model))
    assert held['loss_objects'] != plain['loss_objects']


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match='rates'):
        build(weights=dict(rates=1.0))


def test_parts_that_the_model_lacks_are_refused():
    part = dict(optimizer=dict(type='Adam', lr=1e-3), modules=['drawer'])
    with pytest.raises(ValueError, match='drawer'):
        build_optim_wrapper(
            build(),
            dict(constructor='mmanon.PartsOptimWrapperConstructor', drawing=part),
        )


def test_aligned_faces_have_their_landmarks_on_the_template():
    side, angle = 96, 0.4
    turn = torch.tensor(
        [[torch.tensor(angle).cos(), -torch.tensor(angle).sin()]]
        + [[torch.tensor(angle).sin(), torch.tensor(angle).cos()]]
    )
    places = (PLACES - 0.5) @ turn.T * 1.3 + 0.52
    line = (torch.arange(side) + 0.5) / side
    for index in range(5):
        away = (line - places[index, 0]).square()[None] + (
            line - places[index, 1]
        ).square()[:, None]
        crop = (-away / 0.02**2).exp().expand(1, 3, side, side)
        face = aligned(crop, places[None], PLACES, 64)[0].mean(0)
        at = int(face.argmax())
        found = torch.tensor([at % 64 + 0.5, at // 64 + 0.5]) / 64
        assert (found - PLACES[index]).norm() < 0.03


def test_the_overlap_loss_is_0_for_the_same_map_and_near_1_for_another():
    wanted = torch.zeros(2, 1, 40, 40)
    wanted[..., :20] = 1
    everywhere = torch.ones(40, 40)
    assert overlap_loss(everywhere, wanted, wanted) == 0
    assert overlap_loss(everywhere, 1 - wanted, wanted) > 0.95
    # What is outside of the region does not count.
    assert overlap_loss(wanted, torch.ones_like(wanted), wanted) == 0
