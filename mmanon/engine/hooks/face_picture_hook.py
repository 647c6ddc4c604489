"""Pictures of original and modified faces and frames during the training."""

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torchvision.utils import make_grid

from mmanon.models.detectors import AnonymizedDetector
from mmanon.models.detectors.game_steps import faces_on
from mmanon.models.layers.modes import evaluating
from mmanon.registry import HOOKS


@HOOKS.register_module()
class FacePictureHook(Hook):
    """Draws original and modified faces and frames, every few iterations.

    Two pictures go to all visualization back-ends. ``faces`` has original faces in the
    first row and the modified faces below; ``frames`` has original frames of the first
    clip in the first row and the modified frames below.

    Args:
        interval (int): Iterations between pictures. Defaults to 500.
        num_faces (int): Largest number of faces, and of frames, in a row. Defaults to
            8.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 500, num_faces: int = 8) -> None:
        self.interval = interval
        self.num_faces = num_faces

    @master_only
    @torch.no_grad()
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Draw at every ``interval``-th iteration."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        model, step = runner.model, runner.iter + 1
        assert data_batch is not None
        with evaluating(model.modifier):
            self._draw(runner, model, data_batch, step)

    def _draw(
        self, runner: Runner, model: AnonymizedDetector, data_batch: dict, step: int
    ) -> None:
        if data_batch.get('faces'):
            device = next(model.detector.parameters()).device
            faces = faces_on(device, data_batch['faces'][-1])[0][: self.num_faces]
            # M itself: the cover of an untrained M would hide its output.
            self._add(runner, 'faces', faces, model.modifier(faces), step)
        first = dict(
            inputs=[data_batch['inputs'][0]],
            data_samples=[data_batch['data_samples'][0]],
        )
        first = model.data_preprocessor(first, False)
        before, samples = first['inputs'], first['data_samples']
        after, _ = model.redraw(before, samples, model.modifier)
        to_faces = model.pixels.to_faces
        before, after = (to_faces(self._frames(each)) for each in (before, after))
        self._add(runner, 'frames', before, after, step)

    def _frames(self, inputs: Tensor) -> Tensor:
        if inputs.ndim == 5:
            inputs = inputs[0].transpose(0, 1)
        return inputs[: self.num_faces]

    @staticmethod
    def _add(
        runner: Runner, name: str, before: Tensor, after: Tensor, step: int
    ) -> None:
        grid = make_grid(torch.cat([before, after.to(before)]), nrow=len(before))
        grid = ((grid.clamp(-1, 1) + 1) * 127.5).round().byte()
        runner.visualizer.add_image(name, grid.permute(1, 2, 0).cpu().numpy(), step)
