"""Measure what the game costs.

    python tools/benchmark.py crops     # crop and paste against a loop over faces
    python tools/benchmark.py step      # the joint step against the sum of its parts

Runs alternate between the two things compared; medians and their ratio are printed.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

import mmanon  # noqa: F401
from mmanon.models.face_crops import crop_faces, paste_faces
from mmanon.registry import MODELS


def compare(first: Callable, second: Callable, runs: int) -> tuple[float, float]:
    """Median seconds of two functions, called in turn."""
    seconds: tuple[list, list] = ([], [])
    for index in range(runs + 2):
        for function, found in zip((first, second), seconds, strict=True):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start = time.perf_counter()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if index > 1:
                found.append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def fade_of(height: int, width: int, feather: float) -> Tensor:
    """Weights of a feathered paste, (height, width)."""
    down = torch.minimum(
        torch.arange(height) + 0.5, height - torch.arange(height) - 0.5
    )
    across = torch.minimum(torch.arange(width) + 0.5, width - torch.arange(width) - 0.5)
    down, across = down / (height * feather), across / (width * feather)
    return torch.minimum(down[:, None], across).clamp(max=1)


def crops(args: argparse.Namespace) -> None:
    """64 faces in 32 frames of 256x256: crop, paste with a feather, and back."""
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


def step(args: argparse.Namespace) -> None:
    """The joint step against detector, modifier and discriminator measured apart."""
    from mmaction.structures import ActionDataSample
    from mmengine.config import Config
    from mmengine.structures import InstanceData

    config = Config.fromfile(args.config)
    hook = next(one for one in config.custom_hooks if 'modifier' in one)
    hook.discriminator.setdefault('margin', hook.margin)
    hook.discriminator.head.num_classes = 60
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
            discriminator=hook.discriminator,
            crop_size=crop,
            margin=hook.margin,
            adversarial_loss=hook.get('adversarial_loss'),
            structure_loss=hook.get('structure_loss'),
        )
    ).train()
    num_classes = config.model.roi_head.bbox_head.num_classes

    def sample() -> ActionDataSample:
        one = ActionDataSample()
        box = torch.tensor([[0.1, 0.1, 0.9, 0.9]]) * side
        labels = torch.zeros(1, num_classes)
        labels[0, 1] = 1
        one.gt_instances = InstanceData(bboxes=box, labels=labels)
        one.proposals = InstanceData(bboxes=box)
        face = [0.4 * side, 0.2 * side, 0.65 * side, 0.45 * side]
        one.set_metainfo(
            dict(img_shape=(side, side), faces=[[t, *face] for t in range(length)])
        )
        return one

    def batch() -> dict:
        return dict(
            inputs=[
                torch.randint(0, 256, (3, length, side, side), dtype=torch.uint8)
                for _ in range(clips)
            ],
            data_samples=[sample() for _ in range(clips)],
        )

    faces = torch.rand(count, 3, crop, crop) * 2 - 1
    labels = torch.arange(count) % 60
    video_faces = torch.rand(clips * length + count, 3, crop, crop) * 2 - 1
    wrappers = {
        name: OptimWrapper(torch.optim.SGD(getattr(model, name).parameters(), lr=1e-6))
        for name in ('detector', 'modifier', 'discriminator')
    }
    both = OptimWrapperDict(**wrappers)
    data = batch()

    def joint() -> None:
        model.train_step({**data, 'faces': [dict(images=faces, labels=labels)]}, both)

    def parts() -> None:
        model.detector.train_step(data, wrappers['detector'])
        wrappers['modifier'].update_params(model.modifier(video_faces).square().mean())
        both_kinds = torch.cat([faces, faces])
        answer = model.discriminator(both_kinds, labels.repeat(2), mode='loss')
        wrappers['discriminator'].update_params(answer['loss'])
        # D answers once more for the modifier, and the gradient goes to the faces.
        model.discriminator.requires_grad_(False).eval()
        asked = faces.clone().requires_grad_()
        model.adversarial_loss(model.discriminator, asked, faces, labels).backward()
        model.discriminator.requires_grad_(True).train()

    ours, apart = compare(joint, parts, args.runs)
    print(
        f'{args.config}: {clips} clips of {length} frames {side}x{side} with a face '
        f'each, {count} faces (S={crop}), {args.runs} runs:\n'
        f'  joint step       {ours * 1e3:9.1f} ms\n'
        f'  sum of its parts {apart * 1e3:9.1f} ms\n'
        f'  joint / parts = {ours / apart:.3f}'
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for function in (crops, step):
        command = commands.add_parser(function.__name__, help=function.__doc__)
        command.set_defaults(function=function)
        command.add_argument('--runs', type=int, default=15)
        if function is crops:
            command.add_argument('--crop-size', type=int, default=64)
        else:
            command.add_argument(
                '--config', default='configs/mini/slowonly_resnet-sphereface_mini.py'
            )
            command.add_argument('--clips', type=int, help="default: the config's")
            command.add_argument('--faces', type=int, help="default: the config's")
            command.add_argument('--frames', type=int, default=4)
            command.add_argument('--size', type=int, default=128)
    args = parser.parse_args()
    args.function(args)


if __name__ == '__main__':
    main()
