"""The command ``mmanon align-faces``, also ``tools/align_faces.py``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .run_checks import anonymizing_hooks
from .run_config import add_override_argument, enter_training, read_config

if TYPE_CHECKING:
    from mmengine.config import Config

__all__ = ['main']


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Align the photographs of a config's face sets. Run this once "
        'before a distributed training.',
        epilog='Aligned photographs are kept; after an interruption, the same command '
        'continues.',
    )
    parser.add_argument('config', help='config file')
    add_override_argument(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When there is nothing to align, or it fails.
    """
    args = parse_args(argv)
    enter_training()
    config = read_config(args.config, args.cfg_options)
    from mmengine.registry import init_default_scope

    from mmanon.registry import DATASETS

    init_default_scope(config.get('default_scope', 'mmaction'))
    done: list[dict] = []
    for dataset in face_sets(config):
        if dataset in done:
            continue
        done.append(dataset)
        print(f'preparing the faces of {dataset.get("data_root")}', flush=True)
        try:
            DATASETS.build(dataset)
        except (OSError, ValueError) as error:
            raise SystemExit(str(error)) from None
    if not done:
        raise SystemExit(f'{args.config} has no hook that anonymizes and names faces')
    return 0


def face_sets(config: Config) -> Iterator[dict]:
    """The configs of the face sets that training and testing build."""
    from mmanon.registry import HOOKS

    for place in anonymizing_hooks(config):
        hook = HOOKS.build(config.custom_hooks[place])
        geometry = {key: hook.model_cfg[key] for key in ('crop_size', 'margin')}
        faces = [hook.faces, hook.val_faces]
        for name in ('val_evaluator', 'test_evaluator'):
            metrics = config.get(name) or []
            faces += metrics if isinstance(metrics, list) else [metrics]
        for one in faces:
            if one and 'dataset' in one:
                yield {**one['dataset'], **geometry}
