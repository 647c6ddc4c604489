import subprocess
import sys
from pathlib import Path


def test_types_of_what_others_build_upon_are_sound():
    root = Path(__file__).parents[2]
    checked = subprocess.run(
        [sys.executable, '-m', 'mypy', '--no-error-summary'],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
