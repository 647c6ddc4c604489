"""Links of a page to files of the repository that are no pages of the site.

``[configs/mini](../configs/mini)`` leads somewhere where the page is read in the
repository. The site has no such page, so there the text stands alone; a link to nothing
is an error all the same.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_LINK = re.compile(r'(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]*)(#[^)\s]*)?\)')


def without_outside_links(text: str, page: Path, docs: Path) -> str:
    """Markdown with its links out of the docs' folder replaced by their text.

    Args:
        text (str): Markdown of a page.
        page (Path): Its file.
        docs (Path): Folder of all pages.

    Raises:
        FileNotFoundError: When a link leads to nothing.
    """

    def replace(match: re.Match) -> str:
        target = (page.parent / match[2]).resolve()
        if target.is_relative_to(docs):
            return match[0]
        if not target.exists():
            raise FileNotFoundError(f'{page}: {match[2]} does not exist')
        shown, path = match[1].strip('`'), target.relative_to(docs.parent).as_posix()
        return f'`{shown}`' if path.endswith(shown) else f'{match[1]} (`{path}`)'

    return _LINK.sub(replace, text)


def _read(app: Sphinx, name: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(name)).resolve()
    docs = Path(app.srcdir).resolve()
    try:
        content[0] = without_outside_links(content[0], page, docs)
    except FileNotFoundError as error:
        raise ExtensionError(str(error)) from None


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at each page before it is parsed."""
    app.connect('source-read', _read)
    return dict(parallel_read_safe=True)
