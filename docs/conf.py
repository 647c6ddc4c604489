"""Builds the site: ``python -m sphinx -W docs build/docs``, or ``make docs``."""

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

import mmanon  # noqa: E402

project = 'mmanon'
author = 'The mmanon authors'
copyright = author
version = release = mmanon.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'model_zoo',
    'repository_links',
]
source_suffix = {'.md': 'markdown'}
exclude_patterns = ['_build']

myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # docstrings say types, shapes and ranges
autodoc_default_options = {'members': True, 'show-inheritance': True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = 'furo'
html_title = f'mmanon {release}'
html_static_path = ['static']
html_css_files = ['site.css']
