"""Correct the times of packets if the clock of a stream jumps.

The time jumps in recordings of television, in interrupted streams, and in files that
were joined byte by byte. Players continue without a gap, and this module does the same.
"""

from __future__ import annotations

from fractions import Fraction

import av

__all__ = ['Timeline']

# Seconds, forward and backward, from which a step is no pause but a jump (FFmpeg's
# value).
_FORWARD, _BACKWARD = 10, Fraction(1, 10)
_USUAL = Fraction(1, 25)


class Timeline:
    """Moves packets so that their time continues after a jump.

    Args:
        jumps (bool): Whether times may jump in this file format.

    Attributes:
        joined (int): How often it has jumped so far.
    """

    def __init__(self, jumps: bool) -> None:
        self.jumps = jumps
        self.joined = 0
        self._shift = Fraction(0)
        self._last: dict[int, Fraction] = {}
        self._step: dict[int, Fraction] = {}

    def put(self, packet: av.Packet) -> None:
        """Correct the time of a packet.

        Args:
            packet (av.Packet): A packet of any stream, in the order of the file.
        """
        base, stream = packet.time_base, packet.stream
        if not self.jumps or not base:
            return
        when = packet.dts if packet.dts is not None else packet.pts
        if when is not None and stream.type in ('video', 'audio'):
            time = when * base + self._shift
            self._shift += self._jump(packet, time)
            time = when * base + self._shift
            step = time - self._last.get(stream.index, time)
            if 0 < step < 1:
                self._step[stream.index] = step
            self._last[stream.index] = time
        if self._shift:
            ticks = round(self._shift / base)
            if packet.pts is not None:
                packet.pts += ticks
            if packet.dts is not None:
                packet.dts += ticks

    def _jump(self, packet: av.Packet, time: Fraction) -> Fraction:
        """The shift after which a packet follows the previous one."""
        last = self._last.get(packet.stream.index)
        if last is None or -_BACKWARD <= time - last <= _FORWARD:
            return Fraction(0)
        self.joined += 1
        length = (packet.duration or 0) * (packet.time_base or 0)
        return last - time + (length or self._step.get(packet.stream.index, _USUAL))
