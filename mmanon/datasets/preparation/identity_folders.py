"""Identity folders for ``FaceIdentityDataset``: a folder of images for each person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mmanon.utils.atomic_write import folder_written_whole
from mmanon.utils.media_types import IMAGES, files_in, is_hidden

from .images import check_images
from .problems import Problems

__all__ = ['check_identity_folders', 'find_identities', 'link_people']


def find_identities(root: Path) -> dict[str, list[Path]]:
    """Find the images of each person, by the name of the folder, sorted."""
    return {
        folder.name: files_in(folder, IMAGES)
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not is_hidden(folder)
    }


def check_identity_folders(root: Path, problems: Problems) -> int:
    """Report people without images, and images that cannot be read.

    Returns:
        The number of people.
    """
    if not root.is_dir():
        problems.missing(root, 'one folder of images for each person')
        return 0
    people = find_identities(root)
    if not people:
        problems.missing(root / '*', 'a folder of images for each person')
    for name, images in people.items():
        if not images:
            problems.wrong(root / name, 'it has no images')
    check_images([path for images in people.values() for path in images], problems)
    return len(people)


def link_people(people: Mapping[str, Iterable[Path]], out: Path) -> None:
    """Make a folder of links for each person; an existing folder is kept."""
    for name, images in people.items():
        folder = out / name
        if folder.is_dir():
            continue
        with folder_written_whole(folder) as part:
            for path in images:
                (part / path.name).symlink_to(path.resolve())
