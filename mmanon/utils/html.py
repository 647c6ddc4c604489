"""Web pages that are one file, from templates."""

from pathlib import Path
from typing import Any

__all__ = ['render_page']


def render_page(template: Path, **values: Any) -> str:
    """Fill a template; all values are escaped for HTML.

    Args:
        template (Path): The template; it may include files of the same folder.
        **values: The values that the template shows. A missing value is an error.

    Returns:
        str: The page.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent, encoding='utf-8'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values)
