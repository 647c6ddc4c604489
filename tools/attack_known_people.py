"""Name people from what a cover leaves, with labelled anonymized pictures of them.

    python tools/attack_known_people.py data/faces/orl --cover 'grey=--modifier grey'

This is a worst case, without a network: the attacker has anonymized pictures of the
same people with their names. All photographs (one folder for each person) are
anonymized with the default settings and with those of each --cover. The square around
the face, twice as wide as the face, is reduced to 24 x 24 grey pixels. Half of each
person's pictures are for training; the others are named by the nearest neighbour, by
linear discriminants and by logistic regression. The command prints the best of the
three, also for the original photographs.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmanon.anonymizer.face_finding import build_detector

TOOLS = Path(__file__).resolve().parent
SIDE, AROUND = 24, 2.0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'people', type=Path, help='folder with one folder for each person'
    )
    parser.add_argument(
        '--cover', action='append', default=[], metavar='NAME=OPTIONS',
        help='also try these options of mmanon-anonymize',
    )  # fmt: skip
    args = parser.parse_args(argv)
    if not args.people.is_dir():
        parser.error(f'folder {args.people} does not exist')
    for option in args.cover:
        if '=' not in option.split()[0]:
            parser.error(f'--cover takes NAME=OPTIONS, got {option!r}')
    return args


def find_squares(people: Path) -> dict[Path, np.ndarray]:
    """Return, by path in the folder, the square around each picture's surest face."""
    detector = build_detector()
    found = {}
    for path in sorted(people.glob('*/*')):
        try:
            image = np.asarray(Image.open(path).convert('RGB'))
        except OSError:  # another file between the pictures
            continue
        faces = detector.detect(image)
        if not len(faces):
            print(f'{path}: no face found; left out', file=sys.stderr)
            continue
        box = faces.boxes[0]
        half = AROUND / 2 * float((box[2:] - box[:2]).max())
        middle = (box[:2] + box[2:]) / 2
        found[path.relative_to(people)] = np.concatenate([middle - half, middle + half])
    return found


def read_faces(folder: Path, squares: dict[Path, np.ndarray]) -> np.ndarray:
    """Return the squares of all pictures as rows of grey pixels in [0, 1]."""
    rows = []
    for path, square in squares.items():
        crop = Image.open(folder / path).convert('L').crop(square.round().tolist())
        small = crop.resize((SIDE, SIDE), Image.Resampling.BOX)
        rows.append(np.asarray(small, np.float32).ravel() / 255)
    return np.stack(rows)


def best_share(pixels: np.ndarray, names: np.ndarray) -> float:
    """Return the share of pictures that the best attacker names correctly.

    Each half of a person's pictures is named with training on the other half.
    """
    order = np.zeros(len(names), int)
    for name in set(names):
        here = np.flatnonzero(names == name)
        order[here] = np.arange(len(here))
    discriminants = LinearDiscriminantAnalysis(solver='lsqr', shrinkage='auto')
    attackers = (
        KNeighborsClassifier(1),
        make_pipeline(PCA(0.98), discriminants),
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    )
    shares = []
    for attacker in attackers:
        right = []
        for half in (0, 1):
            known = order % 2 == half
            attacker.fit(pixels[known], names[known])
            right.append(attacker.predict(pixels[~known]) == names[~known])
        shares.append(float(np.concatenate(right).mean()))
    return max(shares)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    # If the pictures do not differ between people, training does not converge.
    warnings.filterwarnings('ignore', category=ConvergenceWarning)
    squares = find_squares(args.people)
    names = np.array([path.parts[0] for path in squares])
    if len(set(names)) < 2:
        print(f'{args.people}: faces of two people are needed', file=sys.stderr)
        return 1
    print(f'{len(names)} pictures of {len(set(names))} people; chance is '
          f'{1 / len(set(names)):.1%}')  # fmt: skip
    print(f'original: {best_share(read_faces(args.people, squares), names):.0%}')
    covers = {'default': ''}
    for option in args.cover:
        name, _, covers[name] = option.partition('=')
    for name, options in covers.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(TOOLS / 'anonymize.py'), str(args.people)]
            command += ['-o', folder, *shlex.split(options)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                print(f'{shlex.join(command)} failed:\n{done.stderr[-2000:]}',
                      file=sys.stderr)  # fmt: skip
                return 1
            share = best_share(read_faces(Path(folder), squares), names)
        print(f'{name}: {share:.0%}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
