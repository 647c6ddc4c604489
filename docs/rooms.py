"""Draws docs/images/rooms.svg: the packages of mmanon and who imports whom.

    python docs/rooms.py

The arrows are read from the imports in the source. One that a chain of other arrows
says as well is left out.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / 'docs' / 'images' / 'rooms.svg'

LIGHT, GAME = '#dceefb', '#fdebd3'
# x, y, what is in it, and its door.
ROOMS = {
    'testing': (30, 60, 'does a detector fit', GAME),
    'actions': (330, 140, 'what a detector sees', GAME),
    'tradeoff': (30, 140, 'sweep, table, plot, report', GAME),
    'engine': (30, 220, 'the hook plays the game', GAME),
    'evaluation': (30, 300, 'attackers, metrics', GAME),
    'datasets': (30, 380, 'identities, transforms, formats', GAME),
    'models': (30, 460, 'M, D, A, losses, crop and paste', GAME),
    'cli': (600, 220, 'the commands', LIGHT),
    'app': (600, 300, 'the page', LIGHT),
    'anonymizer': (600, 380, 'images and videos in and out', LIGHT),
    'tracking': (600, 460, 'faces over time', LIGHT),
    'shipped': (600, 540, 'learned modifiers by name', LIGHT),
    'face_detectors': (330, 540, 'CenterFace, YuNet, MTCNN', LIGHT),
    'structures': (330, 620, 'faces, face tables, geometry', LIGHT),
    'utils': (330, 700, 'files, log, threads', LIGHT),
}
WIDTH, HEIGHT = 226, 46


def imports(room: str) -> set[str]:
    """The rooms that a room imports when it is imported itself."""
    found = set()
    for path in (ROOT / 'mmanon' / room).rglob('*.py'):
        # What is imported inside a function or for types alone is no arrow.
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                parts = node.module.split('.')
                if parts[0] == 'mmanon' and len(parts) > 1:
                    found.add(parts[1])
    return found - {room}


def arrows() -> list[tuple[str, str]]:
    """Who imports whom, without what follows from the others."""
    direct = {room: imports(room) & set(ROOMS) for room in ROOMS}

    def reach(room: str) -> set[str]:
        return direct[room] | {
            below for other in direct[room] for below in reach(other)
        }

    return [
        (room, other)
        for room in ROOMS
        for other in sorted(direct[room])
        if not any(other in reach(between) for between in direct[room] - {other})
    ]


def draw() -> str:
    """The picture as SVG."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 770" '
        'font-family="sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#777"/></marker>'
        '</defs>',
        '<rect width="900" height="770" fill="white"/>',
        '<text x="30" y="36" font-size="16" font-weight="bold">Training: '
        'pip install ".[train]"</text>',
        '<text x="600" y="196" font-size="16" font-weight="bold">Anonymizing: '
        'pip install .</text>',
    ]
    for room, other in arrows():
        x, y = ROOMS[room][0] + WIDTH / 2, ROOMS[room][1] + HEIGHT
        to_x, to_y = ROOMS[other][0] + WIDTH / 2, ROOMS[other][1]
        lines.append(
            f'<path d="M{x:.0f} {y}L{to_x:.0f} {to_y}" stroke="#777" '
            'stroke-width="1.5" marker-end="url(#tip)"/>'
        )
    for room, (x, y, text, colour) in ROOMS.items():
        lines += [
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            f'fill="{colour}" stroke="#555"/>',
            f'<text x="{x + 10}" y="{y + 19}" font-size="14" font-weight="bold">'
            f'{room}</text>',
            f'<text x="{x + 10}" y="{y + 37}" font-size="12">{text}</text>',
        ]
    return '\n'.join([*lines, '</svg>', ''])


if __name__ == '__main__':
    TARGET.write_text(draw(), encoding='utf-8')
