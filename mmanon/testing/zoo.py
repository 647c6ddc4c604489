"""The configs that are part of the installed detection frameworks."""

from importlib import import_module
from pathlib import Path

from mmengine.config import Config


def shipped_configs(package: str = 'mmaction', folder: str = 'detection') -> list[str]:
    """Find all configs of a folder in an installed package.

    Args:
        package (str): ``'mmaction'`` or ``'mmdet'``.
        folder (str): A folder below the package's configs, such as ``'detection'``.

    Returns:
        list[str]: Their names as in ``_base_``, sorted, such as
        ``'mmaction::detection/slowonly/….py'``.

    Raises:
        FileNotFoundError: If the package was installed without configs.
    """
    root = Path(import_module(package).__path__[0]) / '.mim' / 'configs'
    found = sorted(path.relative_to(root) for path in (root / folder).rglob('*.py'))
    if not found:
        raise FileNotFoundError(
            f'{package} is installed without configs in {root / folder}: install it '
            f'with `mim install {package}`'
        )
    return [f'{package}::{path.as_posix()}' for path in found]


def read_config(detector: str) -> Config:
    """Read a detector's config.

    Args:
        detector (str): A name as from :func:`shipped_configs`, or a file.
    """
    return Config.fromstring(f'_base_ = [{_absolute(detector)!r}]\n', '.py')


def two_line_config(detector: str, anonymizer: str | Path) -> Config:
    """Return the config that a user writes: a detector's, and the anonymizer's line.

    Args:
        detector (str): A name as from :func:`shipped_configs`, or a file.
        anonymizer (str or Path): A file of ``configs/_base_/anonymizers``.
    """
    bases = [_absolute(str(detector)), _absolute(str(anonymizer))]
    return Config.fromstring(f'_base_ = {bases!r}\n', '.py')


def _absolute(base: str) -> str:
    return base if '::' in base else str(Path(base).resolve())
