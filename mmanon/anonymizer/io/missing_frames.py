"""Estimate how many frames of a damaged video are missing."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import av

__all__ = ['MissingFrames']

# A pause counts as a gap if most other steps are equal, and there are few gaps.
_REGULAR, _FEW = 0.8, 8
_PADDING = 8192  # bytes outside of packets in a small file
# Maximum bytes of headers between two packets.
_BETWEEN, _IN_TRANSPORT = 1500, 4000
_LATE = Fraction(1, 10)  # seconds by which a complete file may end early
_TRANSPORT = {188, 192, 204}  # bytes of a packet in the kinds of transport streams


class MissingFrames:
    """Watches the packets and frames of a video while they are read.

    Args:
        container: The open file.
        stream: The video stream.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream
    ) -> None:
        self._stream = stream
        self._kind = container.format.name
        self._path = Path(str(container.name).removeprefix('file:'))
        self._end: Fraction | None = None
        if container.duration and container.duration > 0:
            start = max(container.start_time or 0, 0)
            self._end = Fraction(start + container.duration, av.time_base)
        self._last = Fraction(0)
        self._latest: dict[int, Fraction] = {}
        self._behind = 0  # the position after the previous packet
        self._corrupt = self._spoilt = 0
        self._unread = False
        self._read, self._size = 0, container.size
        self._frames = 0
        self._before: Fraction | None = None
        self._steps: Counter[Fraction] = Counter()

    def see_packet(self, packet: av.Packet) -> None:
        """Record a packet of any stream."""
        self._corrupt += bool(packet.is_corrupt)
        self._read += packet.size
        if packet.pos is not None and packet.pos >= 0 and packet.size:
            between = packet.pos - self._behind
            most = _IN_TRANSPORT if self._kind == 'mpegts' else _BETWEEN
            if self._behind and between > most + packet.size // 20:
                self._unread = True
            self._behind = packet.pos + packet.size
        if packet.pts is not None and packet.time_base and packet.size:
            begin = packet.pts * packet.time_base
            length = (packet.duration or 0) * packet.time_base
            if not length:
                length = begin - self._latest.get(packet.stream.index, begin)
            self._latest[packet.stream.index] = begin
            self._last = max(self._last, begin + max(length, Fraction(0)))

    def see_frame(self, frame: av.VideoFrame) -> None:
        """Record a decoded frame, in the order in which frames are shown."""
        self._frames += 1
        self._spoilt += bool(frame.is_corrupt)
        if frame.pts is None or not frame.time_base:
            return
        when = frame.pts * frame.time_base
        if self._before is not None and when > self._before:
            # Matroska rounds to milliseconds.
            self._steps[Fraction(round((when - self._before) * 500), 500)] += 1
        self._before = when

    def as_words(self, whole: bool, damaged: bool, joined: int) -> list[str]:
        """Describe what is missing.

        A pause in the picture alone is no damage. Gaps count only if there is another
        sign of damage, such as bytes outside of packets.

        Args:
            whole (bool): Whether the whole video was requested.
            damaged (bool): Whether something could not be read.
            joined (int): How often its time jumps.

        Returns:
            list[str]: The descriptions; empty if nothing is missing.
        """
        words = []
        if self._corrupt > joined:
            words.append(f'damaged packets: {self._corrupt}')
        if self._spoilt:
            words.append(f'frames that show damage: {self._spoilt}')
        if not whole:
            return words
        told = self._stream.frames
        # AVI also counts empty frames.
        if told > self._frames and self._kind != 'avi':
            return [*words, f'{self._frames} of {told} frames could be read']
        steady = self._kind == 'mpeg'  # DVDs and television have no pauses
        damaged = bool(damaged or words or self._unread or steady)
        missing = self._in_gaps() if damaged and not joined else 0
        missing += 0 if joined else self._at_the_end()
        if missing:
            words.append(f'frames that are missing: about {missing}')
        elif self._kind == 'mpeg' and self._size - self._read > max(
            _PADDING, self._size // 4
        ):
            words.append('a part of it cannot be read: frames may be missing')
        elif self._is_cut():
            words.append('its last packet is cut off: more may be missing')
        elif self._kind == 'asf' and self._end is None:
            words.append('its length is not known: its end may be missing')
        return words

    def _step(self) -> Fraction | None:
        """Seconds from a frame to the next, if most steps are equal."""
        if sum(self._steps.values()) < 5:
            return None
        step, _ = self._steps.most_common(1)[0]
        alike = sum(
            count
            for other, count in self._steps.items()
            if abs(other - step) <= Fraction(1, 250)
        )
        return step if step and alike >= _REGULAR * self._steps.total() else None

    def _in_gaps(self) -> int:
        step = self._step()
        if step is None:
            return 0
        gaps = {size: count for size, count in self._steps.items() if size > 1.5 * step}
        if sum(gaps.values()) > _FEW:
            return 0
        return sum((round(size / step) - 1) * count for size, count in gaps.items())

    def _at_the_end(self) -> int:
        step = self._step()
        if step is None or self._end is None or self._kind == 'avi':
            return 0
        late = self._end - self._last
        return round(late / step) if late > max(_LATE, 2 * step) else 0

    def _is_cut(self) -> bool:
        if self._kind != 'mpegts' or not self._path.is_file():
            return False
        size = self._path.stat().st_size
        return all(size % packet for packet in _TRANSPORT)
