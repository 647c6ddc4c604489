import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / 'docs'
# The examples import each other by their plain names, as a user's files do.
sys.path[:0] = [str(DOCS / 'examples'), str(DOCS)]


@pytest.fixture(scope='session')
def docs() -> Path:
    return DOCS


@pytest.fixture(scope='session')
def blocks():
    """The python blocks of a page."""

    def read(page: str) -> list[str]:
        text = (DOCS / page).read_text(encoding='utf-8')
        return re.findall(r'^```python\n(.*?)^```', text, re.S | re.M)

    return read
