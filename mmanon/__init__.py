"""Learns to anonymize faces in videos while actions stay detectable."""

from ._moved import keep_old_names
from .compat import make_stack_importable
from .version import __version__

keep_old_names()
# Before anything imports mmaction: today's releases of the stack refuse each other.
make_stack_importable()

from . import registry  # noqa: E402

# Teaches mmengine to load proposals as arrays, for data sets of any detector's config.
from .datasets.formats.proposals import NpzHandler  # noqa: E402,F401

__all__ = ['__version__', 'registry']
