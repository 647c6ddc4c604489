"""The modifiers that the page offers, and their strengths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmanon.anonymizer import MaskingOptions
from mmanon.anonymizer.backends.numpy_modifier import NUMPY_MODIFIERS
from mmanon.shipped import find_modifier, list_modifiers
from mmanon.utils.extras import require

__all__ = [
    'METHODS',
    'STRENGTHS',
    'USUAL',
    'Method',
    'methods_here',
    'named_methods',
    'own_method',
]

_ANOTHER = (
    'Draws another face over each face. There is no strength, because a partly covered '
    'face would show the original. Recognizers may still match the person.'
)
_LEARNED = ('.onnx', '.pth', '.pt')

STRENGTHS = 5
"""Number of steps of the slider; 1 is the weakest."""
USUAL = 3


@dataclass(frozen=True)
class Method:
    """A modifier as a choice on the page.

    Attributes:
        name (str): The text of the choice.
        modifier (str or Path): The name of a modifier, or a file of one.
        argument (str, optional): The modifier's argument for the strength.
        values (tuple): Values of that argument, from weak to strong; empty if there is
            only one strength.
        words (str): The description, with ``{}`` in the place of the value.
        weights (str or Path, optional): Weights of a learned modifier.
        learned (bool): Whether it is a learned modifier, which may take keys.
    """

    name: str
    modifier: str | Path
    argument: str | None = None
    values: tuple[float, ...] = ()
    words: str = ''
    weights: str | Path | None = None
    learned: bool = False

    @property
    def needs_no_pytorch(self) -> bool:
        """Whether NumPy draws it."""
        return str(self.modifier).removeprefix('mmanon.') in NUMPY_MODIFIERS

    def describe(self, strength: int) -> str:
        """Describe a strength, from 1 to :data:`STRENGTHS`."""
        if not self.values:
            return self.words
        return self.words.format(self.values[strength - 1])

    def inferencer_arguments(
        self, strength: int, key_per: str = 'track', seed: int | None = None
    ) -> dict:
        """Arguments for ``AnonymizerInferencer``.

        Args:
            strength (int): From 1 to :data:`STRENGTHS`.
            key_per (str), seed (int, optional): For a learned modifier, as for
                :class:`.MaskingOptions`.

        Raises:
            ValueError: When the strength is out of that range.
        """
        if not 1 <= strength <= STRENGTHS:
            raise ValueError(f'strength must be in [1, {STRENGTHS}], got {strength}')
        if not self.values:
            told: dict = dict(modifier=self.modifier, weights=self.weights)
            if self.learned:
                told['masking'] = MaskingOptions(key_per=key_per, seed=seed)
            return told
        value = self.values[strength - 1]
        return dict(modifier=dict(type=self.modifier, **{self.argument: value}))


METHODS = (
    Method('Solid mask', 'SolidMaskModifier', words='Removes the whole face.'),
    Method(
        'Mosaic',
        'mmanon.PixelateModifier',
        'blocks',
        (16, 12, 8, 6, 4),
        '{0} × {0} squares. Recognizers may still match the person.',
    ),
    Method(
        'Blur',
        'mmanon.GaussianBlurModifier',
        'sigma',
        (0.03, 0.045, 0.06, 0.09, 0.12),
        'Spread over {:.1%} of the crop. Recognizers may still match the person.',
    ),
    Method(
        'Noise',
        'mmanon.GaussianNoiseModifier',
        'std',
        (0.5, 0.75, 1.0, 1.5, 2.0),
        'Noise with a deviation of {:g} times half the range of colours. Recognizers '
        'may still match the person.',
    ),
    Method(
        'Super-pixels',
        'mmanon.SuperPixelModifier',
        'num_segments',
        (60, 45, 30, 20, 12),
        'At most {} patches of one colour. Recognizers may still match the person.',
    ),
    Method(
        'Edges',
        'EdgeMapModifier',
        words='Draws only edges. Recognizers may still match the person.',
    ),
)
"""The choices; the first is the default."""


def methods_here() -> tuple[Method, ...]:
    """The choices of :data:`METHODS` whose packages are installed."""
    try:
        require('drawing with PyTorch', ('torch', 'mmengine'), 'train')
    except ImportError:
        return tuple(method for method in METHODS if method.needs_no_pytorch)
    return METHODS


def named_methods() -> tuple[Method, ...]:
    """The learned modifiers that have names and need no PyTorch.

    Returns:
        tuple[Method, ...]: In the order of :func:`mmanon.shipped.list_modifiers`.
    """
    return tuple(
        Method(f'Another face ({one.name})', one.name, words=_ANOTHER, learned=True)
        for one in list_modifiers()
        if one.onnx is not None
    )


def own_method(modifier: str | Path, weights: str | Path | None = None) -> Method:
    """The choice for the page's option ``--modifier``.

    Args:
        modifier (str or Path): The name of a modifier, a file of one, or a config file.
        weights (str or Path, optional): Its weights.
    """
    name = str(modifier)
    named = find_modifier(name) is not None
    return Method(
        f'{name if named else Path(name).stem} (given)',
        modifier,
        words='The modifier with which this page was started.',
        weights=weights,
        learned=named or weights is not None or name.endswith(_LEARNED),
    )
