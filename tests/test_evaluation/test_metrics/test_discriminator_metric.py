import pytest
import torch
from tiny import tiny_discriminator, write_tiny_faces

from mmanon.evaluation import DiscriminatorMetric, FaceQualityMetric
from mmanon.evaluation.metrics import discriminator_metric, prepare_face_metrics
from mmanon.models.modifiers import BottleneckModifier
from mmanon.registry import METRICS, MODELS

PEOPLE = 3


@pytest.fixture
def faces(tmp_path):
    write_tiny_faces(tmp_path / 'people', PEOPLE, images=4)
    return dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path / 'people'))


class Colours(torch.nn.Module):
    """A discriminator that knows people by the mean colours of their faces."""

    num_classes = PEOPLE
    names_people = True

    def __init__(self, dataset):
        super().__init__()
        faces = torch.stack([dataset[index]['image'] for index in range(len(dataset))])
        means = faces.mean((2, 3)).view(PEOPLE, -1, 3).mean(1)
        self.register_buffer('means', means)

    def forward(self, faces, mode):
        assert mode == 'logits' and not self.training
        return -torch.cdist(faces.mean((2, 3)), self.means)


class Model(torch.nn.Module):
    """Covers every second face, and leaves the others as they are."""

    crop_size, margin = 32, 0.3

    def __init__(self):
        super().__init__()
        self.discriminator = None

    def redraw_faces(self, faces):
        return self.redraw_or_cover(faces)[0]

    def redraw_or_cover(self, faces):
        covered = torch.arange(len(faces)) % 2 == 1
        return torch.where(covered[:, None, None, None], 0.0, faces), covered


def measure(model, *metrics):
    kept = {}
    prepare_face_metrics(metrics, model, torch.device('cpu'), kept)
    figures = {}
    for metric in metrics:
        metric.process(None, [])
        figures |= metric.evaluate(size=1)
    return figures, kept


def test_it_tells_whom_d_names_and_what_m_did(faces):
    metric = METRICS.build(
        dict(type='mmanon.DiscriminatorMetric', dataset=faces, batch_size=5)
    )
    model = Model()
    model.discriminator = Colours(metric_dataset(faces))

    figures, _ = measure(model, metric)

    covered = 2 / 5 * 10 / 12 + 1 / 12  # of batches of 5, 5 and 2 faces
    assert figures['faces/acc_original'] == 1
    assert figures['faces/covered'] == pytest.approx(covered)
    assert 1 - covered <= figures['faces/acc_modified'] < 1
    assert 0 < figures['faces/pixel_change'] < 1
    assert figures['faces/num_identities'] == PEOPLE


def metric_dataset(faces):
    from mmanon.registry import DATASETS

    return DATASETS.build(dict(faces, crop_size=32, margin=0.3, test_mode=True))


def test_as_long_as_d_has_learned_nothing_it_tells_of_m_alone(faces, monkeypatch):
    said = []
    monkeypatch.setattr(
        discriminator_metric, 'print_log', lambda text, logger, level: said.append(text)
    )
    model = Model()
    model.discriminator = MODELS.build(tiny_discriminator(PEOPLE))

    figures, _ = measure(model, DiscriminatorMetric(faces))

    assert set(figures) == {
        'faces/pixel_change',
        'faces/covered',
        'faces/num_identities',
    }
    assert 'has not learned to name anybody yet' in said[0]
    model.discriminator.advance()
    assert 'faces/acc_modified' in measure(model, DiscriminatorMetric(faces))[0]


def test_a_discriminator_of_other_people_is_refused(faces):
    model = Model()
    with pytest.raises(ValueError, match='of the 3 people .* but it names none'):
        measure(model, DiscriminatorMetric(faces))
    model.discriminator = MODELS.build(tiny_discriminator(5))
    with pytest.raises(ValueError, match='of the 3 people .* but it names 5'):
        measure(model, DiscriminatorMetric(faces))


def test_metrics_of_the_same_faces_share_them(faces):
    model = Model()
    model.discriminator = MODELS.build(tiny_discriminator(PEOPLE))

    _, kept = measure(
        model, DiscriminatorMetric(faces), FaceQualityMetric(faces, batch_size=3)
    )

    assert len(kept) == 1


def test_the_rate_and_the_share_of_a_bottleneck_are_reported(faces):
    torch.manual_seed(0)
    modifier = BottleneckModifier(24, 3, base_channels=8).eval()
    model = Model()
    model.discriminator = Colours(metric_dataset(faces))
    model.deployed_modifier = modifier

    figures, kept = measure(model, DiscriminatorMetric(faces))

    (dataset,) = kept.values()
    images = torch.stack([dataset[index]['image'] for index in range(len(dataset))])
    with torch.no_grad():
        rate, share = modifier.rate(images).mean(), modifier.covers(images).mean()
    assert figures['faces/rate'] == pytest.approx(rate.item(), rel=1e-4)
    assert figures['faces/share'] == pytest.approx(share.item(), rel=1e-4)
