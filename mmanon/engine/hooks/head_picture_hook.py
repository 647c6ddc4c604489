"""Pictures of drawn heads during the pretraining of a modifier."""

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torchvision.utils import make_grid

from mmanon.models.layers.modes import evaluating
from mmanon.registry import HOOKS


@HOOKS.register_module()
class HeadPictureHook(Hook):
    """Draws portraits and the heads of the averaged modifier, every few iterations.

    The picture ``heads`` has portraits in its first row. Below are the drawn heads for
    three keys: one that differs between portraits, and two that are the same for all.

    Args:
        interval (int): Iterations between pictures. Defaults to 500.
        num_heads (int): Number of portraits in a picture. Defaults to 12.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 500, num_heads: int = 12) -> None:
        self.interval = interval
        self.num_heads = num_heads

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
        assert data_batch is not None
        modifier = runner.model.average
        device = next(modifier.parameters()).device
        images = data_batch['image'][: self.num_heads].to(device)
        faces = torch.nn.functional.interpolate(
            images.float() / 127.5 - 1, modifier.size, mode='bilinear', antialias=True
        )
        count = len(faces)
        keys = modifier.draw_keys(count + 2, device)
        rows = [faces]
        with evaluating(modifier):
            for given in (keys[:count], keys[-2:-1], keys[-1:]):
                rows.append(modifier(faces, given.expand(count, -1)))
        grid = make_grid(torch.cat(rows), nrow=count)
        grid = ((grid.clamp(-1, 1) + 1) * 127.5).round().byte()
        runner.visualizer.add_image(
            'heads', grid.permute(1, 2, 0).cpu().numpy(), runner.iter + 1
        )
