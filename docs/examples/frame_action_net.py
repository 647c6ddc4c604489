"""A detector of one's own: the actions of whole frames, from no framework's parts."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmanon.registry import MODELS


@MODELS.register_module()
class FrameActionNet(BaseModel):
    """Scores the actions of the proposed people of a clip.

    Args:
        num_classes (int): Actions, the background among them.
        data_preprocessor (dict): mmaction2's ``ActionDataPreprocessor``.
    """

    def __init__(self, num_classes: int, data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.body = nn.Sequential(
            nn.Conv3d(3, 16, (1, 7, 7), stride=(1, 4, 4), padding=(0, 3, 3)),
            nn.ReLU(),
            nn.Conv3d(16, 32, 3, stride=(1, 2, 2), padding=1),
            nn.ReLU(),
        )
        self.score = nn.Linear(32, num_classes)

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list:
        """Score clips, (N, 3, T, H, W); losses or predictions as ``mode`` says."""
        scores = self.score(self.body(inputs).mean((2, 3, 4)))
        samples = data_samples or []
        if mode == 'loss':
            labels = torch.stack([s.gt_instances.labels[0] for s in samples])
            return dict(
                loss_action=F.binary_cross_entropy_with_logits(scores, labels.float())
            )
        if mode == 'predict':
            for sample, score in zip(samples, scores.sigmoid(), strict=True):
                people = sample.proposals
                people.scores = score.expand(len(people.bboxes), -1)
                height, width = sample.img_shape
                people.bboxes = people.bboxes / people.bboxes.new_tensor(
                    [width, height, width, height]
                )
                sample.pred_instances = people
            return samples
        return scores
