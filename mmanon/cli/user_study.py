"""The command ``mmanon user-study``, also ``tools/user_study.py``."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmanon.utils.atomic_write import write_whole
from mmanon.version import __version__

from .run_config import enter_training

if TYPE_CHECKING:
    from mmanon.evaluation.user_study import Answers, Key

__all__ = ['main']

DESCRIPTION = """\
Ask people whether they recognize modified faces, and score their answers.

    mmanon user-study build --faces data/mini/faces/test \\
        --modifier my_config.py --weights modifier.pth --out study
    mmanon user-study score study answers_*.json

The first command makes study/study.html, a page to hand out, and study/key.json with
the right answers, which you keep. The page asks two kinds of questions: whether two
modified images show the same person, and which of several people a modified image
shows. It saves a file of answers, which the second command scores.

    mmanon user-study score study --machine mobilefacenet_ms1m.pt

lets a recognizer answer the same questions, as a machine baseline.
"""
DETECTORS = dict(mtcnn='mmanon.MTCNNFaceDetector', yunet='mmanon.YuNetFaceDetector')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest='command', required=True)
    build = commands.add_parser('build', help='make the page and the key')
    build.add_argument(
        '--faces',
        type=Path,
        required=True,
        help='folder of face crops or photographs, with one folder for each person',
    )
    build.add_argument('--out', type=Path, required=True, help='folder of the study')
    build.add_argument(
        '--modifier',
        required=True,
        metavar='NAME|FILE',
        help='the name of a modifier (downsample, blur …), a file of one '
        '(modifier.pth), or a config file with one',
    )
    build.add_argument(
        '--weights', metavar='FILE', help='weights of a learned modifier'
    )
    build.add_argument(
        '--crop-size', type=int, metavar='PX', help='side of a face crop in pixels'
    )
    build.add_argument(
        '--margin',
        type=float,
        help='margin of the face crops (default: that of the config, or 0.3)',
    )
    build.add_argument(
        '--detector',
        choices=sorted(DETECTORS),
        help='the images are photographs: find faces in them with this detector',
    )
    build.add_argument('--detector-weights', metavar='FILE', help='ONNX file of YuNet')
    build.add_argument(
        '--cache-dir', type=Path, help='folder for the aligned crops of photographs'
    )
    build.add_argument(
        '--identities', metavar='FILE', help='names of the people to use, one per line'
    )
    build.add_argument(
        '--pairs',
        type=int,
        default=40,
        help='number of questions about two images; default: 40',
    )
    build.add_argument(
        '--names',
        type=int,
        default=40,
        help='number of questions about the person in an image; default: 40',
    )
    build.add_argument(
        '--choices',
        type=int,
        default=5,
        help='number of people to choose from; default: 5',
    )
    build.add_argument(
        '--references',
        type=int,
        default=2,
        help='number of pictures of each of these; default: 2',
    )
    build.add_argument(
        '--hide-names', action='store_true', help='show letters instead of names'
    )
    build.add_argument(
        '--seed', type=int, default=0, help='seed of the questions; default: 0'
    )
    score = commands.add_parser('score', help='score files of answers')
    score.add_argument('study', type=Path, help='folder of the study')
    score.add_argument('answers', type=Path, nargs='*', help='files of answers')
    score.add_argument(
        '--machine',
        action='append',
        default=[],
        metavar='FILE',
        help='a recognizer that answers: weights of MobileFaceNet, or a config with '
        '`recognizer = dict(...)`; can be repeated',
    )
    score.add_argument(
        '--confidence',
        type=float,
        default=0.95,
        help='level of the confidence intervals; default: 0.95',
    )
    score.add_argument('--out', type=Path, help='JSON file for the scores')
    args = parser.parse_args(argv)
    if args.command == 'build' and args.detector_weights and not args.detector:
        parser.error('--detector-weights needs --detector')
    if args.command == 'build' and args.detector == 'yunet':
        if not args.detector_weights:
            parser.error('--detector yunet needs --detector-weights, its ONNX file')
    if args.command == 'score' and not (args.answers or args.machine):
        parser.error('give files of answers, or a --machine')
    return args


def build(args: argparse.Namespace) -> None:
    from mmengine.logging import print_log

    from mmanon.anonymizer.backends.torch_modifier import build_modifier
    from mmanon.datasets.face_identities import FaceIdentityDataset
    from mmanon.evaluation.user_study import build_study, draw_questions

    modifier, geometry = build_modifier(args.modifier, args.weights)
    detector = None
    if args.detector:
        detector = dict(type=DETECTORS[args.detector])
        if args.detector_weights:
            detector['weights'] = args.detector_weights
    dataset = FaceIdentityDataset(
        args.faces,
        crop_size=args.crop_size or geometry.crop_size,
        margin=geometry.margin if args.margin is None else args.margin,
        detector=detector,
        cache_dir=args.cache_dir,
        identities=args.identities,
        test_mode=True,
    )
    drawing = {
        name: getattr(args, name)
        for name in ('pairs', 'names', 'choices', 'references', 'seed')
    }
    questions = draw_questions(dataset.labels, **drawing)
    if questions.left_out:
        people = [dataset.metainfo['classes'][one] for one in questions.left_out]
        print_log(
            f'{len(people)} people have too few images and are left out: '
            f'{", ".join(people[:20])}',
            logger='current',
            level=logging.WARNING,
        )
    about = dict(
        mmanon=__version__,
        modifier=dict(
            named=str(args.modifier),
            type=type(modifier).__name__,
            weights=_fingerprint(args.weights),
        ),
        crop_size=dataset.crop_size,
        drawing=drawing,
    )
    page, key = build_study(
        args.out, dataset, questions, modifier, args.seed, args.hide_names, about
    )
    covered = json.loads(key.read_text())['covered']
    if covered:
        print(f'{covered} modified images are covered by a mask: see the log above')
    print(f'{page} is the page to hand out; {key} has the right answers: keep it')


def _fingerprint(weights: str | None) -> dict[str, str] | None:
    if weights is None:
        return None
    content = Path(weights).expanduser().read_bytes()
    return dict(file=Path(weights).name, sha256=hashlib.sha256(content).hexdigest())


def score(args: argparse.Namespace) -> None:
    from mmanon.evaluation.user_study import (
        read_answers,
        read_key,
        score_answers,
        scores_table,
    )

    key = read_key(args.study)
    answers = [read_answers(path, key) for path in args.answers]
    answers += [machine_answers(args.study, key, one) for one in args.machine]
    scores = score_answers(key, answers, args.confidence)
    print(scores_table(scores, args.confidence), end='')
    unanswered = sum(one.asked - one.answered for one in scores)
    if unanswered:
        print(f'{unanswered} questions have no answer and are not counted')
    if not any(one.kind == 'person' for one in answers):
        print('no person has answered, so this says nothing about people')
    if args.out:
        content: list[dict[str, Any]] = [
            {**vars(one), 'accuracy': one.accuracy, 'verdict': one.verdict}
            for one in scores
        ]
        write_whole(args.out, json.dumps(content, indent=1) + '\n')


def machine_answers(folder: Path, key: Key, machine: str) -> Answers:
    """Let a recognizer answer, and store its answers next to the page."""
    from mmengine.config import Config

    from mmanon.evaluation.metrics import load_recognizer
    from mmanon.evaluation.user_study import answer_by_machine, read_answers, read_page

    name = Path(machine).stem
    if not Path(machine).is_file():
        raise FileNotFoundError(f'--machine {machine} does not exist')
    if machine.endswith('.py'):
        config = Config.fromfile(machine)
        if 'recognizer' not in config:
            raise ValueError(f'{machine} does not contain `recognizer = dict(...)`')
        recognizer = config.recognizer.to_dict()
    else:
        weights = dict(type='Pretrained', checkpoint=machine)
        backbone = dict(type='mmanon.MobileFaceNet', init_cfg=weights)
        recognizer = dict(type='mmanon.FaceClassifier', backbone=backbone)
    recognizer = load_recognizer(recognizer, key.margin, f'--machine {machine}')
    content = answer_by_machine(read_page(folder, key), recognizer, name)
    path = folder / f'machine_{name}.json'
    write_whole(path, json.dumps(content, indent=1) + '\n')
    return read_answers(path, key)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        int: 0.

    Raises:
        SystemExit: When it fails.
    """
    args = parse_args(argv)
    enter_training()
    try:
        build(args) if args.command == 'build' else score(args)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    return 0
