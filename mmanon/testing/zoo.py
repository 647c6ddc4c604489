"""The configs that the installed detection frameworks ship."""

from importlib import import_module
from pathlib import Path

from mmengine.config import Config


def shipped_configs(package: str = 'mmaction', folder: str = 'detection') -> list[str]:
    """Find all configs of a folder in an installed package.

    Args:
        package (str): ``'mmaction'`` or ``'mmdet'``.
        folder (str): A folder below the package's configs, such as ``'detection'``.

    Returns:
        list[str]: Their names as an entry of ``_base_`` has them, in order:
        ``'mmaction::detection/slowonly/….py'``.

    Raises:
        FileNotFoundError: When the package was installed without configs.
    """
    root = Path(import_module(package).__path__[0]) / '.mim' / 'configs'
    found = sorted(path.relative_to(root) for path in (root / folder).rglob('*.py'))
    if not found:
        raise FileNotFoundError(
            f'{package} is installed without configs in {root / folder}: install it by '
            f'`mim install {package}`'
        )
    return [f'{package}::{path.as_posix()}' for path in found]


def read_config(detector: str) -> Config:
    """Read a detector's config.

    Args:
        detector (str): As :func:`shipped_configs` has it, or a file.
    """
    return Config.fromstring(f'_base_ = [{_absolute(detector)!r}]\n', '.py')


def two_line_config(detector: str, anonymizer: str | Path) -> Config:
    """The config that a user writes: a detector's, and the anonymizer's line.

    Args:
        detector (str): As :func:`shipped_configs` has it, or a file.
        anonymizer (str or Path): A file of ``configs/_base_/anonymizers``.
    """
    bases = [_absolute(str(detector)), _absolute(str(anonymizer))]
    return Config.fromstring(f'_base_ = {bases!r}\n', '.py')


def _absolute(base: str) -> str:
    return base if '::' in base else str(Path(base).resolve())
