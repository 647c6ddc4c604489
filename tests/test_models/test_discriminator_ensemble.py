import copy

import pytest
import torch
from tiny import made_up_faces, tiny_discriminator
from torch import nn

from mmanon.models.discriminators import (
    DiscriminatorEnsemble,
    FaceClassifier,
    discriminator_parts,
)
from mmanon.models.losses import (
    AdversarialLossSum,
    EmbeddingSimilarityLoss,
    NegatedClassifierLoss,
    UniformTargetLoss,
)
from mmanon.registry import MODELS


def members(num_classes=3):
    wide = tiny_discriminator(num_classes)
    wide.update(view='crop')
    wide['backbone'].update(base_channels=6, embed_dim=5)
    return [tiny_discriminator(num_classes), wide]


def build(**kwargs):
    torch.manual_seed(0)
    cfg = dict(type='mmanon.DiscriminatorEnsemble', members=members(), **kwargs)
    return MODELS.build(cfg).eval()


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_a_wide_view_sees_the_margin_and_the_tight_one_does_not():
    ensemble = build()
    faces = made_up_faces()['images']
    other = faces.clone()
    # A margin of 0.3 of the box is 0.1875 of the crop's side, 6 of 32 pixels.
    for edge in (slice(0, 5), slice(-5, None)):
        other[:, :, edge] = -other[:, :, edge]

    tight, wide = ensemble.members

    assert torch.equal(tight.embed(faces), tight.embed(other))
    assert not torch.allclose(wide.embed(faces), wide.embed(other))


def test_members_vote_by_their_probabilities():
    ensemble, faces = build(), made_up_faces()['images']

    answer = ensemble(faces, mode='logits').softmax(1)

    each = [member.logits(faces).softmax(1) for member in ensemble.members]
    assert torch.allclose(answer, (each[0] + each[1]) / 2, atol=1e-6)


def test_the_cosine_of_two_faces_is_the_mean_of_the_members():
    ensemble, faces = build(), made_up_faces()['images']

    one, other = ensemble.embed(faces)[:2]

    cosines = [
        torch.cosine_similarity(*member.embed(faces)[:2], dim=0)
        for member in ensemble.members
    ]
    mean = torch.stack(cosines).mean()
    assert torch.cosine_similarity(one, other, dim=0).item() == pytest.approx(
        mean.item(), abs=1e-6
    )


def test_the_loss_is_the_members_losses():
    ensemble, batch = build(), made_up_faces()
    arguments = batch['images'], batch['labels']

    loss = ensemble(*arguments, mode='loss')['loss']

    each = [member.loss(*arguments)['loss'] for member in ensemble.members]
    assert loss.item() == pytest.approx(sum(each).item())


@pytest.mark.parametrize('loss', [UniformTargetLoss(), EmbeddingSimilarityLoss(-0.9)])
@pytest.mark.parametrize('against', ['most_confident', 'mean'])
def test_m_plays_against_the_most_confident_or_the_mean_member(loss, against):
    ensemble, batch = build(against=against), made_up_faces()
    modified = batch['images'].flip(3)

    found = loss(ensemble, modified, batch['images'], batch['labels'])

    each = torch.stack(
        [
            loss.compute(member, modified, batch['images'], batch['labels'])
            for member in ensemble.members
        ]
    )
    wanted = each.mean() if against == 'mean' else each.amax(0).mean()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    assert each.amax(0).mean() > each.mean(1).max()


def test_each_objective_asks_its_own_members():
    ensemble, batch = build(against='mean'), made_up_faces()
    arguments = batch['images'].flip(3), batch['images'], batch['labels']
    both = AdversarialLossSum(
        [
            dict(type='mmanon.UniformTargetLoss', members=[0], shrinks=[1, 4]),
            dict(type='mmanon.EmbeddingSimilarityLoss', members=[1]),
        ]
    )
    assert both.shrinks == (1, 4)

    torch.manual_seed(5)
    found = both(ensemble, *arguments)

    torch.manual_seed(5)
    first = UniformTargetLoss(shrinks=[1, 4])(ensemble.members[0], *arguments)
    second = EmbeddingSimilarityLoss()(ensemble.members[1], *arguments)
    assert found.item() == pytest.approx((first + second).item())


def test_members_that_are_not_there_are_refused():
    batch = made_up_faces()
    arguments = batch['images'], batch['images'], batch['labels']

    with pytest.raises(ValueError, match='the ensemble has members 0 to 1'):
        UniformTargetLoss(members=[2])(build(), *arguments)
    alone = MODELS.build(tiny_discriminator())
    with pytest.raises(ValueError, match='only one discriminator'):
        UniformTargetLoss(members=[0])(alone, *arguments)


def test_a_member_without_a_head_stays_as_its_file_made_it(tmp_path):
    trained = MODELS.build(tiny_discriminator()).backbone
    torch.save(trained.state_dict(), tmp_path / 'backbone.pth')
    frozen = tiny_discriminator()
    del frozen['head']
    checkpoint = dict(type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth'))
    frozen['backbone']['init_cfg'] = checkpoint
    ensemble = DiscriminatorEnsemble([tiny_discriminator(), frozen])
    ensemble.init_weights()

    ensemble.train()

    assert list(discriminator_parts(ensemble)) == ['discriminator.0']
    learner, other = ensemble.members
    assert all(weight.requires_grad for weight in learner.parameters())
    assert not any(weight.requires_grad for weight in other.parameters())
    assert learner.training and not other.training
    for name, value in trained.state_dict().items():
        assert torch.equal(other.backbone.state_dict()[name], value)
    batch = made_up_faces()
    faces, labels = batch['images'], batch['labels']
    # Who asks for names asks the one; who compares embeddings both.
    assert UniformTargetLoss()._asked(ensemble) == [learner]
    assert EmbeddingSimilarityLoss()._asked(ensemble) == [learner, other]
    NegatedClassifierLoss()(ensemble, faces, faces, labels).backward()


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda cfg: cfg.update(against='some'), "one of .*got 'some'"),
        (lambda cfg: [m.pop('head') for m in cfg['members']], 'nor weights'),
        (lambda cfg: cfg.update(members=[]), 'names people'),
        (lambda cfg: cfg['members'][1]['head'].update(num_classes=5), 'for 3 and 5'),
        (
            lambda cfg: cfg['members'].append(dict(type='mmanon.IdentityModifier')),
            'member 2 .*IdentityModifier',
        ),
        (lambda cfg: cfg['members'][0].update(view='ears'), 'view must be one of'),
    ],
)
def test_impossible_ensembles_are_refused(change, message):
    cfg = dict(type='mmanon.DiscriminatorEnsemble', members=members())
    change(cfg)

    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)


def test_starting_anew_gives_random_weights_and_forgets_what_was_learned():
    member = MODELS.build(tiny_discriminator())
    member.advance()
    assert member.names_people and not member.is_untrained
    before = weights(member)
    objects = [id(parameter) for parameter in member.parameters()]

    torch.manual_seed(1)
    member.start_anew()
    first = weights(member)
    torch.manual_seed(1)
    member.start_anew()

    assert member.is_untrained and not member.names_people
    assert objects == [id(parameter) for parameter in member.parameters()]
    assert all(
        torch.equal(first[name], value) for name, value in weights(member).items()
    )
    assert any(not torch.equal(before[name], value) for name, value in first.items())


def test_starting_anew_goes_back_to_the_weights_of_a_file(tmp_path):
    cfg = tiny_discriminator()
    trained = MODELS.build(copy.deepcopy(cfg)).backbone
    torch.save(trained.state_dict(), tmp_path / 'backbone.pth')
    cfg['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=str(tmp_path / 'backbone.pth')
    )
    member = MODELS.build(cfg)
    with torch.no_grad():
        for parameter in member.parameters():
            parameter.fill_(0.5)

    member.start_anew()

    assert not member.is_untrained
    for name, value in trained.state_dict().items():
        assert torch.equal(member.backbone.state_dict()[name], value)
    assert not (member.head.weight == 0.5).any()


def test_one_recognizer_is_one_part_and_others_need_not_say_so():
    alone = MODELS.build(tiny_discriminator())

    assert isinstance(alone, FaceClassifier)
    assert discriminator_parts(alone) == {'discriminator': alone}
    other = nn.Linear(2, 2)
    assert discriminator_parts(other) == {'discriminator': other}
    assert discriminator_parts(None) == {}
