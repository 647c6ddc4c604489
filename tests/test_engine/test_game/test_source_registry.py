import inspect

import pytest

from mmanon.engine.game.source_registry import arguments_by_name
from mmanon.registry import DATASETS, MODELS


@pytest.mark.parametrize(
    'name, registry, first',
    [
        ('MODELS', MODELS, 'mmanon.ResNetModifier'),
        ('DATASETS', DATASETS, 'mmanon.FaceIdentityDataset'),
    ],
)
def test_what_is_registered_is_read_from_the_source(name, registry, first):
    registry.get(first)
    package = f'mmanon.{name.lower()}.'
    ours = {
        key: kind
        for key, kind in registry.module_dict.items()
        if kind.__module__.startswith(package)
    }

    found = arguments_by_name(name)

    assert set(found) == set(ours)
    for key, taken in found.items():
        if taken is not None:
            signature = list(inspect.signature(ours[key].__init__).parameters)
            assert taken == set(signature[1:]), key


def test_arguments_of_a_base_class_are_the_classes():
    found = arguments_by_name('MODELS')

    assert {'modifier', 'recognizer', 'margin'} <= found['AdaptiveRecognizer']
    assert sum(taken is not None for taken in found.values()) > len(found) / 2
