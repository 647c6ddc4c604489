"""Align the photographs of a config's face sets: once, before a distributed training.

python tools/align_faces.py configs/slowonly/slowonly-r50_resnet9-sphereface20_ava21.py
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import mmanon  # noqa: F401
from mmanon.registry import DATASETS, HOOKS


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='What is aligned already is left alone; an interrupted call is '
        'continued by the next.',
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings, as for tools/train.py',
    )
    return parser.parse_args()


def face_sets(config: Config) -> Iterator[dict]:
    """Configs of the face sets that training and testing will build."""
    for hook in config.get('custom_hooks') or []:
        if 'modifier' not in hook:
            continue
        hook = HOOKS.build(hook)
        geometry = {key: hook.model_cfg[key] for key in ('crop_size', 'margin')}
        faces = [hook.faces, hook.val_faces]
        for name in ('val_evaluator', 'test_evaluator'):
            metrics = config.get(name) or []
            faces += metrics if isinstance(metrics, list) else [metrics]
        for one in faces:
            if one and 'dataset' in one:
                yield {**one['dataset'], **geometry}


def main() -> None:
    args = parse_args()
    if not Path(args.config).is_file():
        raise SystemExit(f'config {args.config} does not exist')
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options, allow_list_keys=True)
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
        raise SystemExit(f'{args.config} names no faces in a hook with a `modifier`')


if __name__ == '__main__':
    main()
