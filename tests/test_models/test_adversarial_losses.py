import math

import pytest
import torch
from torch import nn

from mmanon.models.losses import (
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)


class Oracle(nn.Module):
    """Answers with the mean colours of a face: three identities, three numbers."""

    def forward(self, faces, labels=None, mode='embed'):
        answer = faces.mean((2, 3))
        if mode == 'loss':
            return dict(loss=nn.functional.cross_entropy(answer * 10, labels))
        return answer * 10 if mode == 'logits' else answer


def faces_of(*colours):
    faces = torch.tensor(colours, dtype=torch.float32)
    return faces[:, :, None, None].expand(-1, -1, 4, 4).clone().requires_grad_()


RED, GREY = (1.0, 0.0, 0.0), (0.5, 0.5, 0.5)
LABEL = torch.tensor([0])


def test_negated_loss_is_lower_the_worse_the_name():
    loss = NegatedClassifierLoss()

    named = loss(Oracle(), faces_of(RED), faces_of(RED), LABEL)
    unnamed = loss(Oracle(), faces_of(GREY), faces_of(RED), LABEL)

    assert unnamed < named < 0
    assert unnamed.item() == pytest.approx(-math.log(3))


def test_uniform_target_is_zero_at_could_be_anyone_and_positive_else():
    loss = UniformTargetLoss()

    assert loss(Oracle(), faces_of(GREY), None, LABEL).item() == pytest.approx(
        0, abs=1e-6
    )
    assert loss(Oracle(), faces_of(RED), None, LABEL) > 1


def test_uniform_target_does_not_reward_a_wrong_name():
    loss = UniformTargetLoss()

    wrong = loss(Oracle(), faces_of((0.0, 1.0, 0.0)), None, LABEL)

    assert wrong.item() == pytest.approx(
        loss(Oracle(), faces_of(RED), None, LABEL).item()
    )


def test_embedding_similarity_is_the_cosine_above_the_margin():
    modified, original = faces_of((1.0, 1.0, 0.0)), faces_of(RED)

    loss = EmbeddingSimilarityLoss(margin=0.2)(Oracle(), modified, original, None)

    assert loss.item() == pytest.approx(math.sqrt(0.5) - 0.2)


def test_embedding_similarity_asks_nothing_more_below_the_margin():
    modified, original = faces_of((0.0, 1.0, 0.0)), faces_of(RED)

    assert EmbeddingSimilarityLoss()(Oracle(), modified, original, None) == 0


@pytest.mark.parametrize(
    'loss', [NegatedClassifierLoss(), UniformTargetLoss(), EmbeddingSimilarityLoss()]
)
def test_weight_scales_and_gradient_reaches_the_modified_faces_only(loss):
    modified, original = faces_of((0.9, 0.1, 0.3)), faces_of(RED)
    once = loss(Oracle(), modified, original, LABEL)
    loss.loss_weight = 3.0

    thrice = loss(Oracle(), modified, original, LABEL)
    thrice.backward()

    assert thrice.item() == pytest.approx(3 * once.item())
    assert modified.grad.abs().sum() > 0
    assert original.grad is None
    loss.loss_weight = 1.0


class Listener(Oracle):
    """Remembers the faces that it was asked about."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, faces, labels=None, mode='embed'):
        self.seen.append(faces)
        return super().forward(faces, labels, mode)


STRIPES = faces_of(RED).detach() * torch.tensor([1.0, -1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    'kind', [NegatedClassifierLoss, UniformTargetLoss, EmbeddingSimilarityLoss]
)
def test_fine_texture_does_not_count_in_a_view_with_less_detail(kind):
    listener = Listener()
    kind(shrinks=[4])(listener, STRIPES, faces_of(RED), LABEL)
    assert listener.seen[-1].shape == STRIPES.shape
    assert listener.seen[-1].abs().max() < 1e-6


def test_each_view_is_drawn_and_the_whole_face_is_seen_as_it_is():
    torch.manual_seed(0)
    listener, loss = Listener(), UniformTargetLoss(shrinks=[1, 4])
    for _ in range(20):
        loss(listener, STRIPES, None, LABEL)
    whole = [one is STRIPES for one in listener.seen]
    assert 0 < sum(whole) < 20


def test_by_default_only_the_whole_face_is_seen():
    listener = Listener()
    for _ in range(20):
        UniformTargetLoss()(listener, STRIPES, None, LABEL)
    assert all(one is STRIPES for one in listener.seen)


@pytest.mark.parametrize('shrinks', [[], [0], [1.5]])
def test_shrinks_that_are_no_factors_are_refused(shrinks):
    with pytest.raises(ValueError, match='shrinks must be whole numbers'):
        UniformTargetLoss(shrinks=shrinks)
