"""Log which part of the work runs where, if a GPU is requested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmanon.utils.devices import Place, told_places, torch_place
from mmanon.utils.log import print_log

from .compositor import FaceCompositor
from .face_finding import DetectedFaces, FaceFinder

if TYPE_CHECKING:
    from .known_people import KnownPeople

__all__ = ['say_where']


def say_where(
    device: str,
    finder: FaceFinder,
    compositor: FaceCompositor,
    people: KnownPeople | None = None,
) -> None:
    """Log in one sentence where each part runs, unless the CPU is requested.

    Args:
        device (str): The requested device.
        finder (FaceFinder): Finds faces.
        compositor (FaceCompositor): Covers them.
        people (KnownPeople, optional): Recognizes people.
    """
    detector = finder.detector if isinstance(finder, DetectedFaces) else None
    places: tuple[Place, ...] = getattr(detector, 'places', ())
    parts = [('faces are found', place) for place in places]
    drawn: Place | None = getattr(compositor.backend, 'place', None)
    if drawn is not None:
        parts.append(('drawn over' if parts else 'faces are drawn over', drawn))
    if people is not None:
        parts.append(('people are recognized', torch_place(device)))
    if parts and device != 'cpu':
        print_log(told_places(device, parts))
