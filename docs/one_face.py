"""Draws the pictures of README, how_it_works.md and new_head.md, from one portrait.

    python docs/one_face.py

The portrait comes with scikit-image: Eileen Collins by NASA, in the public domain. The
modifier ``new_head`` comes with mmanon. The script downloads nothing and uses the same
key each time.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage.data import astronaut

from mmanon.anonymizer import AnonymizerInferencer, MaskingOptions
from mmanon.anonymizer.backends.torch_modifier import build_modifier_and_card
from mmanon.face_detectors import CenterFaceDetector
from mmanon.models.layers.face_crops import crop_faces, paste_faces, square_boxes
from mmanon.models.layers.landmark_warp import warp_by_landmarks
from mmanon.models.modifiers import InpaintingModifier
from mmanon.shipped import find_modifier
from mmanon.structures.faces import Faces

IMAGES = Path(__file__).resolve().parent / 'images'
SEED = 0
SIDE = 320
YELLOW, GREEN = (255, 200, 0), (60, 220, 90)


def main(out: Path) -> None:
    """Write all pictures into a folder, and print what was measured."""
    (out / 'steps').mkdir(parents=True, exist_ok=True)
    frame = astronaut()[:384, 40:424].copy()  # (H, W, 3), uint8
    for name, picture in steps(frame).items():
        small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        small.save(out / 'steps' / f'{name}.jpg', quality=88)
    before_and_after(frame).save(out / 'before_after.jpg', quality=88)
    three_heads(frame).save(out / 'new_head.jpg', quality=88)


def steps(frame: np.ndarray) -> dict[str, np.ndarray]:
    """Follow the face through all steps; pictures (H, W, 3) of uint8 by name."""
    detector = CenterFaceDetector()
    start = time.perf_counter()
    faces = detector.detect(frame)
    say(f'box: {describe(faces)}, in {time.perf_counter() - start:.3f} s')
    pictures = dict(frame=frame, box=with_boxes(frame, faces, YELLOW))

    files = find_modifier('new_head')
    assert files is not None and files.weights is not None
    modifier, card = build_modifier_and_card(files.weights)
    geometry = card.geometry
    box = torch.tensor([[0.0, *faces.boxes[0]]])
    square = square_boxes(box, geometry.margin)
    image = to_tensor(frame)
    crop = crop_faces(image, square, geometry.crop_size)
    say(f'crop: {crop.shape[-1]} pixels a side of {square[0, 3] - square[0, 1]:.0f}')
    pictures['crop'] = to_picture(crop)

    generator = torch.Generator().manual_seed(SEED)
    key = torch.randn(1, modifier.key_size, generator=generator)
    noise, look = key.split([modifier.code_size, modifier.look_size], 1)
    mean, log_variance = modifier.code(crop)
    code = mean + noise * (log_variance / 2).exp()
    say(f'code: {code.shape[1]} numbers, {modifier.rate(crop)[0]:.1f} nats')
    pictures['code'] = code_picture(code[0].numpy())
    around = crop * (modifier.head <= 0)
    pictures['around'] = to_picture(around)
    person = modifier.person(look)
    pictures['person'] = to_picture(posed_person(modifier, code, *person))
    # What the decoder draws around the head is never used: white here.
    drawn = modifier.draw(crop, code, *person)
    pictures['drawn'] = to_picture(torch.where(modifier.head > 0, drawn, 1.0))

    modified = modifier.modify_by_key(crop, key)
    pasted = to_picture(paste_faces(image, modified, square, geometry.feather))
    say(f'paste: {(pasted != frame).any(2).mean():.1%} of the frame changes')
    pictures['paste'] = pasted

    found = detector.detect(pasted)
    say(f'detection: {describe(found)}; IoU with the first box {iou(faces, found):.2f}')
    pictures['detection'] = with_boxes(pasted, found, GREEN)
    return pictures


def posed_person(
    modifier: InpaintingModifier,
    code: torch.Tensor,
    portrait: torch.Tensor,
    places: torch.Tensor,
) -> torch.Tensor:
    """The person of the key where the code has its landmarks, on white."""
    opacity = portrait[:, 3:]
    weighed = torch.cat([portrait[:, :3] * opacity, opacity], 1)
    posed = warp_by_landmarks(weighed, places, modifier.landmarks(code))
    return posed[:, :3] + 1 - posed[:, 3:]


def before_and_after(frame: np.ndarray) -> Image.Image:
    """The frame, what the command makes of it, and what ``new_head`` does."""
    shown = {'original': frame}
    for name, modifier in (
        ('default', None),
        ('--modifier new_head', 'new_head'),
    ):
        options = MaskingOptions(modifier, seed=SEED)
        image = AnonymizerInferencer(masking=options)(frame)[0].image
        assert image is not None
        shown[name] = image
    side, edge, line = frame.shape[0], 8, 42
    width = len(shown) * (side + edge) - edge
    sheet = Image.new('RGB', (width, side + line), 'white')
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=26)
    for index, (name, image) in enumerate(shown.items()):
        left = index * (side + edge)
        sheet.paste(Image.fromarray(image), (left, 0))
        pen.text((left + side // 2, side + 7), name, 'black', font, anchor='ma')
    return sheet


def three_heads(frame: np.ndarray) -> Image.Image:
    """The head of the frame, and what ``new_head`` draws by three keys."""
    shown = [frame]
    for seed in range(3):
        options = MaskingOptions('new_head', seed=seed)
        image = AnonymizerInferencer(masking=options)(frame)[0].image
        assert image is not None
        shown.append(image)
    return Image.fromarray(np.hstack([one[:300, 20:350] for one in shown]))


def code_picture(code: np.ndarray) -> np.ndarray:
    """The numbers of a code as bars around zero."""
    sheet = Image.new('RGB', (SIDE, SIDE), 'white')
    pen = ImageDraw.Draw(sheet)
    middle, width = SIDE // 2, (SIDE - 32) / len(code)
    for index, number in enumerate(code):
        left = 16 + index * width
        top, bottom = sorted((middle, middle - float(number) * 45))
        pen.rectangle((left + 2, top, left + width - 2, bottom), (70, 110, 190))
    pen.line((8, middle, SIDE - 8, middle), 'black')
    pen.text((16, 10), f'{len(code)} numbers', 'black', ImageFont.load_default(size=18))
    return np.asarray(sheet)


def with_boxes(image: np.ndarray, faces: Faces, colour: tuple) -> np.ndarray:
    """A picture with boxes, landmarks and scores."""
    sheet = Image.fromarray(image.copy())
    pen = ImageDraw.Draw(sheet)
    for index, box in enumerate(faces.boxes):
        pen.rectangle(tuple(map(float, box)), outline=colour, width=3)
        pen.text(
            (float(box[0]), float(box[1]) - 24),
            f'{faces.scores[index]:.2f}',
            colour,
            ImageFont.load_default(size=20),
        )
        for x, y in faces.landmarks[index]:
            pen.ellipse((x - 3, y - 3, x + 3, y + 3), colour)
    return np.asarray(sheet)


def describe(faces: Faces) -> str:
    return ', '.join(
        f'{np.round(box).astype(int).tolist()} at {score:.2f}'
        for box, score in zip(faces.boxes, faces.scores, strict=True)
    )


def iou(first: Faces, second: Faces) -> float:
    """Of the first box of each."""
    a, b = first.boxes[0], second.boxes[0]
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod((high - low).clip(0))
    return float(both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both))


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) of uint8 to (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1


def to_picture(image: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) in [-1, 1] to (H, W, 3) of uint8."""
    pixels = (image[0].permute(1, 2, 0) + 1) * 127.5
    return pixels.round().clamp(0, 255).byte().numpy()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=IMAGES, help='folder of pictures')
    with torch.inference_mode():
        main(parser.parse_args().out)
