"""The recognizer of facenet-pytorch."""

from torch import Tensor, nn

from mmanon.registry import MODELS

from .base_backbone import BaseFaceBackbone

_RELEASE = 'https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/'
_WEIGHTS = {
    'vggface2': _RELEASE + '20180402-114759-vggface2.pt',
    'casia-webface': _RELEASE + '20180408-102900-casia-webface.pt',
}


@MODELS.register_module()
class FaceNet(BaseFaceBackbone):
    """The Inception-ResNet-v1 of facenet-pytorch: 160 x 160 faces, 512 dimensions.

    Args:
        pretrained (str, optional): ``'vggface2'`` or ``'casia-webface'``:
            :meth:`init_weights` downloads these weights. For an existing file give
            ``init_cfg`` instead.
        init_cfg (dict, optional): See :class:`BaseFaceBackbone`.

    Raises:
        ValueError: If ``pretrained`` is unknown, or both are given.
    """

    def __init__(
        self, pretrained: str | None = None, init_cfg: dict | None = None
    ) -> None:
        if pretrained is not None:
            if pretrained not in _WEIGHTS:
                raise ValueError(
                    f'pretrained must be one of {sorted(_WEIGHTS)}, not '
                    f'{pretrained!r}; a file is given by '
                    '`init_cfg=dict(type="Pretrained", checkpoint=...)`'
                )
            if init_cfg is not None:
                raise ValueError('give FaceNet `pretrained` or `init_cfg`, not both')
            init_cfg = dict(type='Pretrained', checkpoint=_WEIGHTS[pretrained])
        super().__init__(
            (160, 160), 512, mean=[127.5] * 3, std=[128.0] * 3, init_cfg=init_cfg
        )
        from facenet_pytorch import InceptionResnetV1

        # The network normalizes embeddings, but not the input of its classifier.
        self.net = InceptionResnetV1(classify=True, num_classes=1)
        self.net.logits = nn.Identity()

    def extract(self, faces: Tensor) -> Tensor:
        """Embed normalized faces."""
        return self.net(faces)

    def rename_weights(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Map names, and remove the classifier of the released files."""
        return {
            name if name.startswith('net.') else f'net.{name}': value
            for name, value in state.items()
            if not name.startswith('logits.')
        }
