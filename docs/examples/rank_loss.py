"""An objective of one's own: the right person is not D's first guess."""

from torch import Tensor, nn

from mmanon.models.losses import AdversarialLoss
from mmanon.registry import MODELS


@MODELS.register_module()
class HiddenRankLoss(AdversarialLoss):
    """How far the right person's score is above the best of the others, at least 0."""

    def compute(
        self,
        discriminator: nn.Module,
        modified: Tensor,
        original: Tensor,
        labels: Tensor,
    ) -> Tensor:
        """Compute the loss of modified faces, (B, 3, S, S), of people (B,)."""
        scores = discriminator(modified, mode='logits').float()
        right = scores.gather(1, labels[:, None])
        others = scores.scatter(1, labels[:, None], float('-inf')).amax(1, True)
        return (right - others).clamp(min=0).mean()
