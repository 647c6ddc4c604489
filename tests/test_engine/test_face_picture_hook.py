from types import SimpleNamespace

import pytest
import torch
from tiny import made_up_batch, made_up_faces, tiny_slowonly

from mmanon.engine.hooks import FacePictureHook
from mmanon.models.modifiers import LearnedModifier
from mmanon.registry import MODELS


@MODELS.register_module(force=True)
class NormedInverse(LearnedModifier):
    """Inverts colours, and has a batch norm that sees the faces."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)

    def modify(self, faces):
        self.norm(faces)
        return -faces


@pytest.fixture
def runner():
    model = MODELS.build(
        dict(
            type='mmanon.AnonymizedDetector',
            detector=tiny_slowonly(),
            modifier=dict(type='mmanon.NormedInverse'),
            crop_size=32,
            margin=0.3,
        )
    )
    shown = {}
    visualizer = SimpleNamespace(
        add_image=lambda name, image, step: shown.update({name: image})
    )
    return SimpleNamespace(
        model=model.train(), iter=9, visualizer=visualizer, shown=shown
    )


def test_originals_stand_above_what_m_makes_of_them(runner):
    hook = FacePictureHook(interval=10, num_faces=4)
    batch = {**made_up_batch(frames=2), 'faces': [made_up_faces()]}

    hook.after_train_iter(runner, 9, batch)

    faces = torch.from_numpy(runner.shown['faces']).int()
    assert faces.shape == (2 * 34 + 2, 4 * 34 + 2, 3)
    above, below = faces[2:34, 2:34], faces[36:68, 2:34]
    assert (above + below - 255).abs().max() <= 1
    frames = runner.shown['frames']
    assert frames.shape == (2 * 66 + 2, 2 * 66 + 2, 3)
    assert (frames[2:66, 2:66] != frames[68:132, 2:66]).any()


def test_pictures_leave_a_modifiers_statistics_alone(runner):
    before = {name: one.clone() for name, one in runner.model.state_dict().items()}
    batch = {**made_up_batch(frames=2), 'faces': [made_up_faces()]}

    FacePictureHook(interval=10).after_train_iter(runner, 9, batch)

    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert runner.model.modifier.norm.training


def test_between_its_intervals_it_draws_nothing(runner):
    FacePictureHook(interval=4).after_train_iter(runner, 9, {})

    assert not runner.shown
