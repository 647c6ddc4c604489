"""mmanon's registries: children of mmengine's registries, with the scope ``mmanon``.

Any OpenMMLab config can name a component as ``mmanon.<Class>``. The first lookup of a
component imports the modules in ``locations``.
"""

from mmanon._game import enter_game

enter_game(__name__)

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
)
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'TRANSFORMS',
]


def _child(name: str, parent: Registry, location: str) -> Registry:
    return Registry(name, parent=parent, scope='mmanon', locations=[location])


MODELS = _child('model', MMENGINE_MODELS, 'mmanon.models.parts')
DATASETS = _child('dataset', MMENGINE_DATASETS, 'mmanon.datasets.parts')
DATA_SAMPLERS = _child('data sampler', MMENGINE_DATA_SAMPLERS, 'mmanon.datasets.parts')
TRANSFORMS = _child('transform', MMENGINE_TRANSFORMS, 'mmanon.datasets.parts')
HOOKS = _child('hook', MMENGINE_HOOKS, 'mmanon.engine.hooks')
METRICS = _child('metric', MMENGINE_METRICS, 'mmanon.evaluation')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor',
    MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    'mmanon.engine.part_optimizers',
)
