"""Says which part of the work runs where, when somebody has asked for a GPU."""

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
    """Say it in the log, in one sentence, where it is not the CPU by choice.

    Args:
        device (str): What was asked for.
        finder (FaceFinder): Finds faces.
        compositor (FaceCompositor): Draws over them.
        people (KnownPeople, optional): Recognizes them.
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
