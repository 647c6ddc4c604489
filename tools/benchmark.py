"""Measure the time that the game takes.

    python tools/benchmark.py crops     # crop and paste, against a loop over faces
    python tools/benchmark.py step      # the joint step, against the sum of its parts
    python tools/benchmark.py operators # the joint step without compiled operators
    python tools/benchmark.py overhead  # prediction with and without the wrapper

Runs of the compared variants alternate; the command prints medians and their ratios.
The file reads better whole, since all commands measure the same parts.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.structures import InstanceData
from torch import Tensor, nn

import mmanon  # noqa: F401
from mmanon.models.discriminators import discriminator_parts
from mmanon.models.layers.face_crops import crop_faces, paste_faces, square_boxes
from mmanon.registry import MODELS


def measure(
    functions: Sequence[Callable],
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Measure functions that are called in turn.

    Returns:
        list[list[float]]: The seconds of each run of each function, without the first
        two runs.
    """
    seconds: list[list[float]] = [[] for _ in functions]
    for index in range(runs + 2):
        for function, found in zip(functions, seconds, strict=True):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start = clock()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if index > 1:
                found.append(clock() - start)
    return seconds


def compare(first: Callable, second: Callable, runs: int) -> tuple[float, float]:
    """Return the median seconds of two functions that are called in turn."""
    one, other = measure((first, second), runs)
    return statistics.median(one), statistics.median(other)


def fade_of(height: int, width: int, feather: float) -> Tensor:
    """Return the weights of a feathered paste, (height, width)."""
    down = torch.minimum(
        torch.arange(height) + 0.5, height - torch.arange(height) - 0.5
    )
    across = torch.minimum(torch.arange(width) + 0.5, width - torch.arange(width) - 0.5)
    down, across = down / (height * feather), across / (width * feather)
    return torch.minimum(down[:, None], across).clamp(max=1)


def crops(args: argparse.Namespace) -> None:
    """Crop and paste 64 faces in 32 frames of 256x256, forward and backward."""
    torch.manual_seed(0)
    frames = torch.rand(32, 3, 256, 256)
    side = torch.randint(32, 97, (64,))
    corner = (torch.rand(64, 2) * (256 - side[:, None])).long()
    boxes = torch.cat(
        [(torch.arange(64) // 2)[:, None], corner, corner + side[:, None]], dim=1
    ).double()
    rows = boxes.long().tolist()
    size, feather = args.crop_size, 0.1

    def batched() -> None:
        faces = crop_faces(frames, boxes, size).requires_grad_()
        paste_faces(frames, faces, boxes, feather).sum().backward()

    def looped() -> None:
        faces = torch.cat(
            [
                F.interpolate(
                    frames[i : i + 1, :, y1:y2, x1:x2],
                    (size, size),
                    mode='bilinear',
                    antialias=True,
                )
                for i, x1, y1, x2, y2 in rows
            ]
        ).requires_grad_()
        pasted = frames.clone()
        for (i, x1, y1, x2, y2), face in zip(rows, faces, strict=True):
            face = F.interpolate(
                face[None], (y2 - y1, x2 - x1), mode='bilinear', antialias=True
            )[0]
            fade = fade_of(y2 - y1, x2 - x1, feather)
            below = pasted[i, :, y1:y2, x1:x2].clone()
            pasted[i, :, y1:y2, x1:x2] = below * (1 - fade) + face * fade
        pasted.sum().backward()

    ours, loop = compare(batched, looped, args.runs)
    print(
        f'crop and paste of 64 faces (S={size}) in 32 frames of 256x256, forward and '
        f'backward, {args.runs} runs:\n'
        f'  batched {ours * 1e3:8.1f} ms\n  loop    {loop * 1e3:8.1f} ms\n'
        f'  loop / batched = {loop / ours:.2f}'
    )


def clip_batch(config: Config, clips: int, length: int, shape: tuple[int, ...]) -> dict:
    """Make clips of noise with a person and a face per frame, as from a data loader."""
    from mmaction.structures import ActionDataSample

    height, width = shape
    person = torch.tensor([[0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height]])
    face = [0.4 * width, 0.2 * height, 0.65 * width, 0.45 * height]
    labels = torch.zeros(1, config.model.roi_head.bbox_head.num_classes)
    labels[0, 1] = 1

    def sample() -> ActionDataSample:
        one = ActionDataSample()
        one.gt_instances = InstanceData(bboxes=person.clone(), labels=labels)
        one.proposals = InstanceData(bboxes=person.clone())
        faces = [[t, *face] for t in range(length)]
        one.set_metainfo(dict(img_shape=shape, faces=faces))
        return one

    return dict(
        inputs=[
            torch.randint(0, 256, (3, length, *shape), dtype=torch.uint8)
            for _ in range(clips)
        ],
        data_samples=[sample() for _ in range(clips)],
    )


class JointStep(NamedTuple):
    """A training step of all three networks, and its parts alone."""

    joint: Callable
    parts: dict[str, Callable]
    faces: dict[str, int]  # number of faces that a part computes
    description: str


def joint_step(args: argparse.Namespace) -> JointStep:
    """Make the training step of a config's game, on noise."""
    config = Config.fromfile(args.config)
    hook = next(one for one in config.custom_hooks if 'modifier' in one)
    kind = MODELS.get(hook.discriminator.type)
    discriminator = kind.complete(hook.discriminator, hook.margin, 60, 'noise')
    detector = config.model.copy()
    detector.init_cfg = None
    clips = config.train_dataloader.batch_size if args.clips is None else args.clips
    count = hook.faces.get('batch_size', 32) if args.faces is None else args.faces
    length, side, crop = args.frames, args.size, hook.crop_size
    model = MODELS.build(
        dict(
            type='mmanon.AnonymizedDetector',
            detector=detector,
            modifier=hook.modifier,
            discriminator=discriminator,
            crop_size=crop,
            margin=hook.margin,
            adversarial_loss=hook.get('adversarial_loss'),
            structure_loss=hook.get('structure_loss'),
        )
    )
    device = getattr(args, 'device', 'cpu')
    model.to(device).train()
    if getattr(args, 'channels_last', False):
        for part in (model.modifier, model.discriminator):
            part.to(memory_format=torch.channels_last)
    faces = torch.rand(count, 3, crop, crop, device=device) * 2 - 1
    labels = torch.arange(count, device=device) % 60
    all_faces = torch.rand(clips * length + count, 3, crop, crop, device=device) * 2 - 1
    optimizers = {
        name: torch.optim.SGD(learner.parameters(), lr=1e-6)
        for name, learner in model.learners.items()
    }
    wrappers: dict[str, OptimWrapper] = {}
    for name, optimizer in optimizers.items():
        if getattr(args, 'precision', 'float32') == 'float32':
            wrappers[name] = OptimWrapper(optimizer)
        else:
            wrappers[name] = AmpOptimWrapper(
                dict(enabled=False), args.precision, optimizer=optimizer
            )
    both = OptimWrapperDict(**wrappers)
    data = clip_batch(config, clips, length, (side, side))

    def joint() -> None:
        model.train_step({**data, 'faces': [dict(images=faces, labels=labels)]}, both)

    def detector_part() -> None:
        model.detector.train_step(data, wrappers['detector'])

    def modifier_part() -> None:
        with wrappers['modifier'].optim_context(model.modifier):
            loss = model.modifier(all_faces).square().mean()
        own = model.modifier.pass_losses()
        loss = loss + sum(own[name] for name in own if name.startswith('loss'))
        wrappers['modifier'].update_params(loss)

    def discriminator_part() -> None:
        both_kinds = torch.cat([faces, faces])
        for name, learner in discriminator_parts(model.discriminator).items():
            with wrappers[name].optim_context(learner):
                answer = learner(both_kinds, labels.repeat(2), mode='loss')
            wrappers[name].update_params(answer['loss'])
        # D runs again for M's loss, whose gradient goes back to the faces.
        model.discriminator.requires_grad_(False).eval()
        asked = faces.clone().requires_grad_()
        with wrappers['modifier'].optim_context(model.modifier):
            loss = model.adversarial_loss(model.discriminator, asked, faces, labels)
        loss.backward()
        model.discriminator.requires_grad_(True).train()

    description = (
        f'{args.config}: {clips} clips of {length} frames {side}x{side} with one face '
        f'each, {count} faces (S={crop}), {args.runs} runs:'
    )
    parts = dict(
        detector=detector_part, modifier=modifier_part, discriminator=discriminator_part
    )
    seen = dict(modifier=len(all_faces), discriminator=3 * count)
    return JointStep(joint, parts, seen, description)


def step(args: argparse.Namespace) -> None:
    """Compare the joint step with the sum of detector, modifier and discriminator."""
    if args.device == 'cpu' and args.precision != 'float32':
        raise SystemExit(f'--precision {args.precision} needs --device cuda')
    joint, parts, faces, description = joint_step(args)
    on_gpu = args.device != 'cpu'
    if on_gpu:
        joint()  # before memory is counted
        torch.cuda.reset_peak_memory_stats()
    runs = measure([joint, *parts.values()], args.runs)
    ours, *apart = (statistics.median(one) for one in runs)
    found: dict[str, float | str] = dict(
        device=torch.cuda.get_device_name() if on_gpu else 'cpu',
        precision=args.precision,
        joint_ms=ours * 1e3,
        parts_ms=sum(apart) * 1e3,
        ratio=ours / sum(apart),
    )
    for name, seconds in zip(parts, apart, strict=True):
        found[f'{name}_ms'] = seconds * 1e3
        if name in faces:
            found[f'{name}_faces_per_s'] = faces[name] / seconds
    print(
        f'{description}\n'
        f'  joint step       {ours * 1e3:9.1f} ms\n'
        f'  sum of its parts {sum(apart) * 1e3:9.1f} ms\n'
        f'  joint / parts = {ours / sum(apart):.3f}'
    )
    for name, seconds in zip(parts, apart, strict=True):
        rate = f', {faces[name] / seconds:.0f} faces/s' if name in faces else ''
        print(f'  {name:13} {seconds * 1e3:9.1f} ms{rate}')
    if on_gpu:
        found['memory_gib'] = torch.cuda.max_memory_allocated() / 2**30
        print(f'  GPU memory    {found["memory_gib"]:9.1f} GiB at most')
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1))


def operators(args: argparse.Namespace) -> None:
    """Compare the joint step with mmcv's compiled operators and the replacement."""
    from mmanon.compat.mmcv_operators import OPERATORS

    joint, _, _, description = joint_step(args)
    compiled = sys.modules['mmcv._ext']
    if not hasattr(compiled, '__file__'):
        raise SystemExit(
            'the installed mmcv has no compiled operators to compare with: '
            'MMCV_WITH_OPS=1 make setup'
        )
    callers = [
        module
        for name, module in sys.modules.items()
        if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module')
    ]

    def by(extension: object) -> Callable:
        def run() -> None:
            for module in callers:
                vars(module)['ext_module'] = extension
            joint()

        return run

    # Other work on the machine changes the wall-clock times, and differently per run.
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    runs = by(compiled), by(SimpleNamespace(**OPERATORS))
    theirs, ours = map(statistics.median, measure(runs, args.runs, clock))
    print(
        f'{description}\n'
        f"  joint step, mmcv's operators {theirs * 1e3:9.1f} ms\n"
        f'  joint step, replacement      {ours * 1e3:9.1f} ms\n'
        f"  replacement / mmcv's = {ours / theirs:.3f}"
    )


@torch.no_grad()
def overhead(args: argparse.Namespace) -> None:
    """Measure what the wrapper adds to prediction, with the identity modifier."""
    torch.manual_seed(0)
    config = Config.fromfile(args.config)
    hook = next(one for one in config.custom_hooks if 'modifier' in one)
    detector = config.model.copy()
    detector.init_cfg = None
    model = MODELS.build(
        dict(
            type='mmanon.AnonymizedDetector',
            detector=detector,
            modifier=dict(type='mmanon.IdentityModifier'),
            crop_size=hook.crop_size,
            margin=hook.margin,
        )
    ).eval()
    if torch.cuda.is_available():
        model.cuda()
    shape = args.size, args.size * 4 // 3
    data = clip_batch(config, 1, args.frames, shape)
    batch = model.data_preprocessor(data, False)
    inputs, samples = batch['inputs'], batch['data_samples']
    boxes = torch.tensor(samples[0].faces, dtype=torch.float64)
    boxes = square_boxes(boxes, model.margin)

    def answer(part: nn.Module, of: list) -> Tensor:
        return part(inputs, of, mode='predict')[0].pred_instances.scores

    def bare() -> Tensor:
        return answer(model.detector, samples)

    def redraw() -> None:
        # Everything that the wrapper does before it calls the detector.
        model.redraw(inputs, samples)

    def crop_and_paste() -> None:
        faces = crop_faces(inputs, boxes, model.crop_size)
        paste_faces(inputs, faces, boxes, model.feather)

    without = [one.clone() for one in samples]
    for one in without:
        one.set_metainfo(dict(faces=[]))
    apart = (answer(model, without) - bare()).abs().max()
    # Other work on the machine changes the wall-clock times, and differently per run.
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    (bare_runs,) = measure((bare,), args.runs, clock)
    redraws, pastes = measure((redraw, crop_and_paste), 10 * args.runs, clock)
    beyond = statistics.median(
        one - other for one, other in zip(redraws, pastes, strict=True)
    )
    alone, wrapper, faces = map(statistics.median, (bare_runs, redraws, pastes))
    print(
        f'{args.config}: a clip of {args.frames} frames {shape[1]}x{shape[0]} with one '
        f'face each (S={model.crop_size}), {args.runs} runs:\n'
        f'  bare detector                {alone * 1e3:9.1f} ms\n'
        f'  wrapper, identity modifier   {wrapper * 1e3:9.1f} ms\n'
        f'  of it crop and paste         {faces * 1e3:9.1f} ms\n'
        f'  overhead beyond crop and paste = {100 * beyond / alone:.2f} %\n'
        f'  without faces, scores differ by {float(apart):.1e}'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for function in (crops, step, operators, overhead):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        command.add_argument('--runs', type=int, default=15)
        if function is crops:
            command.add_argument('--crop-size', type=int, default=64)
            continue
        if function is step:
            command.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
            command.add_argument(
                '--precision',
                choices=('float32', 'bfloat16', 'float16'),
                default='float32',
                help='precision of M, D and A on a GPU',
            )
            command.add_argument(
                '--channels-last',
                action='store_true',
                help='use the memory format channels_last for M and D',
            )
            command.add_argument('--json', help='write the figures to this file')
        command.add_argument('--frames', type=int, default=4)
        if function is not overhead:
            command.add_argument(
                '--config', default='configs/mini/slowonly_resnet-sphereface_mini.py'
            )
            command.add_argument('--clips', type=int, help="default: the config's")
            command.add_argument('--faces', type=int, help="default: the config's")
            command.add_argument('--size', type=int, default=128)
        else:
            command.add_argument(
                '--config',
                default='configs/slowonly/slowonly-r50_resnet9-sphereface20_ava21.py',
            )
            command.add_argument(
                '--size', type=int, default=256, help='shorter side of a frame'
            )
    args = parser.parse_args()
    args.function(args)


if __name__ == '__main__':
    main()
