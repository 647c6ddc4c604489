import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from tiny import (
    made_up_batch,
    made_up_faces,
    made_up_sample,
    tiny_discriminator,
    tiny_modifier,
    tiny_slowonly,
)
from torch import nn

from mmanon.models.detectors import anonymized_detector
from mmanon.models.detectors.frame_faces import neighbours
from mmanon.models.detectors.phase import FINE_TUNE, JOINT, WARM_UP
from mmanon.models.modifiers import BaseModifier, LearnedModifier
from mmanon.registry import MODELS


def build(modifier=None, **kwargs):
    torch.manual_seed(0)
    cfg = dict(
        type='mmanon.AnonymizedDetector',
        detector=tiny_slowonly(),
        modifier=modifier or tiny_modifier(),
        crop_size=32,
        margin=0.3,
        **kwargs,
    )
    return MODELS.build(cfg)


def game(**kwargs):
    return build(discriminator=tiny_discriminator(), **kwargs)


def optimizers(model):
    return OptimWrapperDict(
        **{
            name: OptimWrapper(
                torch.optim.SGD(getattr(model, name).parameters(), lr=0.05)
            )
            for name in ('detector', 'modifier', 'discriminator')
        }
    )


def weights(module):
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def preprocessed(model, batch):
    batch = model.data_preprocessor(batch, False)
    return batch['inputs'], batch['data_samples']


MASK = dict(type='mmanon.SolidMaskModifier')
IDENTITY = dict(type='mmanon.IdentityModifier')


def test_every_face_of_every_frame_is_replaced_and_nothing_else():
    model = build(MASK, feather=0.0)
    inputs, samples = preprocessed(model, made_up_batch(clips=2, frames=4))

    redrawn, faces = model.redraw(inputs, samples)

    # The face box (20, 10, 36, 28) is a square around (28, 19), enlarged by 0.3.
    side = 18 * 1.6
    left, top = 28 - side / 2, 19 - side / 2
    changed = (redrawn != inputs).any(1)
    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[round(top) : round(top + side), round(left) : round(left + side)] = True
    assert faces.shape == (8, 3, 32, 32)
    assert changed[:, :, ~inside].sum() == 0
    assert changed[:, :, inside].float().mean() > 0.99


def test_identity_changes_neither_losses_nor_predictions():
    model = build(IDENTITY)
    model.eval()
    inputs, samples = preprocessed(model, made_up_batch(clips=1))
    # A crop that lies on whole pixels is put back exactly.
    for sample in samples:
        sample.set_metainfo(dict(faces=np.array([[0, 20.0, 10.0, 40.0, 30.0]])))
    model.margin, model.crop_size, model.feather = 0.0, 20, 0.0

    bare = model.detector(inputs, [one.clone() for one in samples], mode='predict')
    seen = model(inputs, [one.clone() for one in samples], mode='predict')

    torch.testing.assert_close(
        seen[0].pred_instances.scores, bare[0].pred_instances.scores
    )


def test_faces_are_given_to_the_modifier_in_rgb_between_minus_one_and_one():
    class Spy(nn.Module):
        is_untrained = False

        def forward(self, faces):
            self.seen = faces
            return faces

    model = build(IDENTITY)
    model.modifier = Spy()
    batch = made_up_batch(clips=1, frames=1)
    batch['inputs'] = [torch.zeros(3, 1, 64, 64, dtype=torch.uint8)]
    batch['inputs'][0][0] = 255

    model.redraw(*preprocessed(model, batch))

    red, green, blue = model.modifier.seen.mean((0, 2, 3)).tolist()
    assert red == pytest.approx(1, abs=1e-5)
    assert green == blue == pytest.approx(-1, abs=1e-5)


def test_bgr_detectors_show_the_modifier_rgb_too():
    from mmdet.models.data_preprocessors import DetDataPreprocessor

    from mmanon.models.detectors.pixel_range import PixelRange

    preprocessor = DetDataPreprocessor(
        mean=[103.53, 116.28, 123.675], std=[1.0, 2.0, 4.0], bgr_to_rgb=False
    )
    bgr = torch.rand(1, 3, 2, 2) * 255
    normalized = (bgr - preprocessor.mean) / preprocessor.std

    pixels = PixelRange(preprocessor)
    faces = pixels.to_faces(normalized)

    torch.testing.assert_close(faces, bgr.flip(1) / 127.5 - 1)
    torch.testing.assert_close(pixels.to_frames(faces), normalized)


def test_batches_may_be_padded_but_not_resized_after_their_faces_are_known():
    from mmdet.models.data_preprocessors import DetDataPreprocessor
    from mmengine.registry import init_default_scope

    from mmanon.models.detectors.pixel_range import PixelRange

    def preprocessor(**augment):
        return DetDataPreprocessor(batch_augments=[augment])

    init_default_scope('mmdet')
    PixelRange(preprocessor(type='BatchFixedSizePad', size=(64, 64)))
    resizing = preprocessor(type='BatchSyncRandomResize', random_size_range=(64, 96))
    with pytest.raises(ValueError, match='BatchSyncRandomResize in `batch_augments`'):
        PixelRange(resizing)


def test_a_sample_that_names_no_faces_is_refused():
    model = build(MASK)
    inputs, samples = preprocessed(model, made_up_batch(clips=1))
    del samples[0].faces

    with pytest.raises(KeyError, match='mmanon.LoadFaces'):
        model(inputs, samples, mode='predict')


@pytest.mark.parametrize('step', ['predict', 'loss', 'both'])
def test_whole_frames_that_nobody_has_examined_are_filled(step):
    model, masked = build(IDENTITY), build(MASK)
    inputs, samples = preprocessed(model, made_up_batch(clips=2, frames=2))
    face = [0, 20, 10, 36, 28]
    # Frame 1 of the first clip; the second clip, as older callers do, says nothing.
    samples[0].set_metainfo(
        dict(faces=np.array([face, [1, 0, 0, 64, 64]]), covers=np.array([False, True]))
    )
    samples[1].set_metainfo(dict(faces=np.array([face])))
    originals = made_up_faces()['images']

    def redraw(one):
        if step == 'both':
            redrawn, faces, _ = one._redraw_both(inputs, samples, originals)
            assert len(faces) == len(originals)
            return redrawn
        modifier = one.modifier if step == 'loss' else None
        return one.redraw(inputs, samples, modifier)[0]

    redrawn = redraw(model)
    # A modifier that hides nothing, and yet no pixel of the frame is left.
    torch.testing.assert_close(redrawn[0, :, 1], redraw(masked)[0, :, 1])
    assert redrawn[0, :, 1].flatten(1).std(1).max() < 1e-4
    assert (redrawn[:, :, 0] - inputs[:, :, 0]).abs().mean() < 0.2
    assert torch.equal(redrawn[1, :, 1], inputs[1, :, 1])


@pytest.mark.parametrize('step', ['predict', 'both'])
def test_frames_that_nobody_has_examined_are_never_cut_out(step, monkeypatch):
    """A whole frame as a crop, and back, takes memory that no face does."""
    model = build(IDENTITY)
    inputs, samples = preprocessed(model, made_up_batch(clips=1, frames=2))
    face = [0, 20, 10, 36, 28]
    samples[0].set_metainfo(
        dict(faces=np.array([face, [1, 0, 0, 64, 64]]), covers=np.array([False, True]))
    )
    seen = []
    for name, place in (('crop_faces', 1), ('paste_faces', 2)):
        real = getattr(anonymized_detector, name)

        def spy(*args, real=real, place=place):
            seen.append(args[place][:, 0].tolist())
            return real(*args)

        monkeypatch.setattr(anonymized_detector, name, spy)
    if step == 'both':
        model._redraw_both(inputs, samples, made_up_faces()['images'])
    else:
        model.redraw(inputs, samples)

    assert seen == [[0.0], [0.0]]


def test_an_unexamined_part_of_a_frame_is_filled_and_no_more():
    """As in a mosaic: its neighbours stay, but for the pixel that resizing blends."""
    model = build(IDENTITY)
    inputs, samples = preprocessed(model, made_up_batch(clips=1, frames=1))
    samples[0].set_metainfo(
        dict(faces=np.array([[0, 8.5, 16, 40, 64]]), covers=np.array([True]))
    )
    before = inputs.clone()

    filled, faces = model.redraw(inputs, samples)

    inside = torch.zeros(64, 64, dtype=torch.bool)
    inside[15:, 7:41] = True
    assert torch.equal(filled[0, :, 0] != before[0, :, 0], inside.expand(3, -1, -1))
    assert torch.equal(inputs, before)
    assert len(faces) == 0


def test_covers_of_another_number_than_faces_are_refused():
    model = build(IDENTITY)
    inputs, samples = preprocessed(model, made_up_batch(clips=1))
    samples[0].set_metainfo(dict(covers=np.array([True])))
    with pytest.raises(ValueError, match='4 `faces`, but 1 `covers`'):
        model.redraw(inputs, samples)


def test_clips_without_faces_pass_unchanged():
    model = build(MASK)
    batch = made_up_batch(clips=1)
    batch['data_samples'] = [made_up_sample([])]
    inputs, samples = preprocessed(model, batch)

    redrawn, faces = model.redraw(inputs, samples)

    assert torch.equal(redrawn, inputs)
    assert faces.shape == (0, 3, 32, 32)


def test_faces_that_a_learned_modifier_would_let_through_are_covered():
    learned, mask = build().eval(), build(MASK)
    batch = preprocessed(learned, made_up_batch(clips=1))

    covered, _ = learned.redraw(*batch)

    assert torch.equal(covered, mask.redraw(*batch)[0])
    # One step from the identity it has weights, and faces still come through.
    learned.modifier.record_update()
    assert torch.equal(learned.redraw(*batch)[0], covered)
    with torch.no_grad():
        learned.modifier.output.conv.bias += 1
    assert not torch.equal(learned.redraw(*batch)[0], covered)


def test_a_feather_that_would_show_the_face_is_refused():
    with pytest.raises(ValueError, match=r'must be in \[0, 0.187\]'):
        build(MASK, feather=0.2)


def test_a_preprocessor_that_cannot_be_inverted_is_refused():
    detector = tiny_slowonly()
    detector['data_preprocessor'] = dict(
        type='BaseDataPreprocessor', _scope_='mmengine'
    )

    with pytest.raises(TypeError, match='BaseDataPreprocessor'):
        MODELS.build(
            dict(type='mmanon.AnonymizedDetector', detector=detector, modifier=MASK)
        )


def test_the_joint_step_moves_all_three_networks():
    model = game()
    wrappers = optimizers(model)
    before = {name: weights(getattr(model, name)) for name in wrappers.keys()}
    # A near-identity start has a last layer of zeros: the second step moves the rest.
    for _ in range(2):
        logs = model.train_step(
            {**made_up_batch(), 'faces': [made_up_faces()]}, wrappers
        )

    for name in wrappers.keys():
        assert not torch.equal(weights(getattr(model, name)), before[name]), name
    assert set(logs) >= {
        'loss',
        'loss_action_cls',
        'loss_adversarial',
        'loss_structure',
        'loss_discriminator',
        'acc_original',
        'acc_modified',
        'pixel_change',
    }
    assert not model.modifier.is_untrained


def test_the_detectors_loss_reaches_the_modifier():
    model = game(
        adversarial_loss=dict(type='mmanon.UniformTargetLoss', loss_weight=0.0),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=0.0),
    )
    before = weights(model.modifier)

    model.train_step({**made_up_batch(), 'faces': [made_up_faces()]}, optimizers(model))

    assert not torch.equal(weights(model.modifier), before)


def test_the_modifiers_step_leaves_the_discriminator_alone(monkeypatch):
    model = game()
    between = []
    step = anonymized_detector.modifier_and_detector_step

    def spy(*args):
        between.append(weights(model.discriminator))
        step(*args)

    monkeypatch.setattr(anonymized_detector, 'modifier_and_detector_step', spy)
    before = weights(model.discriminator)

    model.train_step({**made_up_batch(), 'faces': [made_up_faces()]}, optimizers(model))

    assert not torch.equal(between[0], before)
    assert torch.equal(weights(model.discriminator), between[0])
    assert all(p.requires_grad for p in model.discriminator.parameters())
    # What is left in its gradients comes from its own step, which has been cleared.
    assert all(
        p.grad is None or not p.grad.any() for p in model.discriminator.parameters()
    )


def test_warm_up_trains_the_detector_on_originals_and_the_modifier_to_reconstruct():
    model = game()
    model.phase = WARM_UP

    logs = model.train_step(
        {**made_up_batch(), 'faces': [made_up_faces()]}, optimizers(model)
    )

    assert 'loss_adversarial' not in logs and 'acc_modified' not in logs
    assert 'acc_original' in logs
    # Reconstruction alone does not make a modifier fit to anonymize.
    assert model.modifier.is_untrained


def test_fine_tuning_moves_the_detector_only():
    model = game()
    model.phase = JOINT
    wrappers = optimizers(model)
    batch = {**made_up_batch(), 'faces': [made_up_faces()]}
    model.train_step(batch, wrappers)
    model.phase = FINE_TUNE
    before = {name: weights(getattr(model, name)) for name in wrappers.keys()}

    model.train_step(batch, wrappers)

    assert torch.equal(weights(model.modifier), before['modifier'])
    assert torch.equal(weights(model.discriminator), before['discriminator'])
    assert not torch.equal(weights(model.detector), before['detector'])


def test_more_steps_of_the_discriminator_use_more_face_batches():
    one, two = game(), game()
    faces, other = made_up_faces(), made_up_faces(count=9)

    one.train_step({**made_up_batch(), 'faces': [faces]}, optimizers(one))
    two.train_step({**made_up_batch(), 'faces': [other, faces]}, optimizers(two))

    assert not torch.equal(weights(one.discriminator), weights(two.discriminator))


def test_batches_without_a_face_in_the_clips_still_train_the_modifier():
    model = game()
    batch = made_up_batch(clips=1)
    batch['data_samples'] = [made_up_sample([])]
    before = weights(model.modifier)

    model.train_step({**batch, 'faces': [made_up_faces()]}, optimizers(model))

    assert not torch.equal(weights(model.modifier), before)


def test_gradient_accumulation_equals_one_large_batch():
    def trained(accumulate):
        model = game(structure_loss=dict(type='mmdet.L1Loss', loss_weight=1.0))
        model.detector.backbone.norm_eval = True
        model.detector.train()
        wrappers = optimizers(model)
        for name in ('detector', 'modifier'):
            wrappers[name]._accumulative_counts = accumulate
        halves = [made_up_batch(clips=2, seed=seed) for seed in (0, 1)]
        if accumulate == 1:
            halves = [
                {key: halves[0][key] + halves[1][key] for key in halves[0]},
            ]
        wrappers['discriminator'].optimizer.param_groups[0]['lr'] = 0.0
        for half in halves:
            model.train_step({**half, 'faces': [made_up_faces()]}, wrappers)
        return model

    large, accumulated = trained(1), trained(2)

    torch.testing.assert_close(
        weights(large.modifier), weights(accumulated.modifier), atol=1e-6, rtol=1e-4
    )
    torch.testing.assert_close(
        weights(large.detector), weights(accumulated.detector), atol=1e-6, rtol=1e-4
    )


def test_the_discriminator_advances_when_it_has_stepped(monkeypatch):
    model = game()
    wrappers = optimizers(model)
    wrappers['discriminator']._accumulative_counts = 2
    advanced = []
    monkeypatch.setattr(model.discriminator, 'advance', lambda: advanced.append(1))

    for expected in (0, 1, 1, 2):
        model.train_step({**made_up_batch(), 'faces': [made_up_faces()]}, wrappers)
        assert len(advanced) == expected


def test_a_modifier_that_learns_has_to_count_its_updates():
    class Own(BaseModifier):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def modify(self, faces):
            return self.conv(faces)

    with pytest.raises(TypeError, match='Own has weights .*LearnedModifier'):
        build(Own())


@MODELS.register_module(force=True)
class NormedModifier(LearnedModifier):
    """A modifier with a batch norm."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def modify(self, faces):
        return self.norm(faces).tanh()


@pytest.mark.parametrize('ema', [None, dict(type='ExponentialMovingAverage')])
def test_a_frozen_modifiers_batch_norms_keep_their_statistics(ema):
    model = game(modifier=dict(type='mmanon.NormedModifier'), ema=ema).train()
    wrappers = optimizers(model)
    model.modifier.record_update()
    # It learns first, so that its statistics are moved by something.
    model.train_step({**made_up_batch(), 'faces': [made_up_faces()]}, wrappers)
    frozen = {
        name: value.clone()
        for name, value in model.state_dict().items()
        if name.startswith('modifier')
    }
    assert frozen['modifier.norm.num_batches_tracked'] > 0

    model.phase = FINE_TUNE
    model.train_step({**made_up_batch(seed=1), 'faces': []}, wrappers)

    after = model.state_dict()
    for name, value in frozen.items():
        assert torch.equal(after[name], value), name
    assert model.modifier.norm.training


def test_redrawing_tells_which_faces_are_covered():
    faces = torch.rand(3, 3, 32, 32)

    untrained, crafted = build().eval(), build(MASK).eval()

    assert untrained.redraw_or_cover(faces)[1].tolist() == [True] * 3
    assert crafted.redraw_or_cover(faces)[1].tolist() == [False] * 3


def test_the_average_of_the_modifier_predicts():
    model = game(ema=dict(type='ExponentialMovingAverage', momentum=0.5))
    wrappers = optimizers(model)
    batch = {**made_up_batch(), 'faces': [made_up_faces()]}
    for _ in range(3):
        model.train_step(batch, wrappers)

    assert model.deployed_modifier is model.modifier_ema.module
    assert not torch.equal(weights(model.modifier_ema.module), weights(model.modifier))


# Tracks and keys.


class KeyColour(BaseModifier):
    """Draws a face in the colour of its key."""

    key_size = 3

    def modify(self, faces):
        raise AssertionError('it is given keys')

    def modify_by_key(self, faces, keys):
        return keys.tanh()[:, :, None, None].expand_as(faces)


def tracked_batch(tracks):
    batch = made_up_batch(clips=len(tracks), frames=len(tracks[0]))
    for sample, along in zip(batch['data_samples'], tracks, strict=True):
        sample.set_metainfo(dict(face_tracks=np.array(along)))
    return batch


@pytest.mark.parametrize('learning', [False, True])
def test_a_track_keeps_its_key_and_each_other_track_has_another(learning):
    model = build(modifier=KeyColour())
    batch = tracked_batch([[0, 0, 1, -1], [0, 0, 1, -1]])
    inputs, samples = preprocessed(model, batch)

    _, drawn = model.redraw(inputs, samples, model.modifier if learning else None)

    colours = drawn[:, :, 0, 0]
    same = (colours[:, None] == colours[None]).all(2)
    groups = torch.tensor([0, 0, 1, 2, 3, 3, 4, 5])
    assert torch.equal(same, groups[:, None] == groups[None])


def test_the_face_batch_gets_keys_of_its_own_beside_the_tracks():
    model = build(modifier=KeyColour())
    inputs, samples = preprocessed(model, tracked_batch([[2, 2, 2, 2]]))

    _, modified, _ = model._redraw_both(inputs, samples, made_up_faces()['images'])

    colours = modified[:, :, 0, 0]
    assert len(colours.unique(dim=0)) == len(modified) == 6


def test_tracks_of_another_number_than_faces_are_refused():
    model = build(MASK)
    inputs, samples = preprocessed(model, tracked_batch([[0, 0, 0, 0]]))
    samples[0].set_metainfo(dict(face_tracks=[0]))

    with pytest.raises(ValueError, match='4 `faces`, but 1 `face_tracks`'):
        model(inputs, samples, mode='tensor')


def test_faces_of_a_track_are_covered_together():
    model = build()
    model.modifier.record_update()
    inputs, samples = preprocessed(model, tracked_batch([[0, 0, 1, 1]]))
    model.eval()
    real = model.modifier.forward

    def change_the_first(faces):
        return torch.cat([-faces[:1], real(faces[1:])])

    model.modifier.forward = change_the_first
    _, drawn = model.redraw(inputs, samples)
    assert drawn[0].unique().numel() == 1  # a solid mask, as its neighbour's

    for sample in samples:
        sample.set_metainfo(dict(face_tracks=[0, 1, 1, 1]))
    _, drawn = model.redraw(inputs, samples)
    assert drawn[0].unique().numel() > 1


def test_the_modifiers_own_losses_and_the_flicker_are_minimized_and_logged():
    model = build(
        modifier=dict(
            type='mmanon.BottleneckModifier',
            size=24,
            code_size=3,
            look_size=2,
            base_channels=8,
        ),
        discriminator=tiny_discriminator(),
        temporal_loss=dict(type='mmanon.FlickerLoss', loss_weight=2.0),
        structure_loss=dict(type='mmdet.L1Loss', loss_weight=0.0),
        adversarial_loss=dict(type='mmanon.UniformTargetLoss'),
    )
    data = {**tracked_batch([[0, 0, 1, 1]]), 'faces': [made_up_faces()]}

    logs = model.train_step(data, optimizers(model))

    own = ['loss_rate', 'loss_target', 'loss_share', 'loss_temporal']
    assert all(logs[name] > 0 for name in own)
    assert 0 < logs['share'] < 1 and logs['rate'] > 0
    others = [logs[name] for name in ('loss_adversarial', 'loss_action_cls')]
    assert logs['loss'].item() == pytest.approx(
        sum(logs[name].item() for name in own) + sum(value.item() for value in others),
        rel=1e-4,
    )
    assert int(model.modifier.faces.batches) == 1


def test_neighbours_are_the_next_faces_of_a_track():
    boxes = torch.zeros(6, 5, dtype=torch.float64)
    boxes[:, 0] = torch.tensor([3, 0, 1, 0, 4, 2])
    tracks = torch.tensor([0, 0, 0, 1, 1, 2])
    assert neighbours(boxes, tracks).tolist() == [[1, 2], [2, 0], [3, 4]]
    assert neighbours(boxes[:0], tracks[:0]).shape == (0, 2)
