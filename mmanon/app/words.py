"""Texts of the page about a job: what was done, and how reliable it is."""

from __future__ import annotations

from mmanon.anonymizer import AnonymizationResult
from mmanon.anonymizer.leak_audit import Audit
from mmanon.anonymizer.options import SURE

__all__ = ['AUDIT_TAB', 'how_sure', 'what_the_audit_found', 'what_was_done']

AUDIT_TAB = 'Does a face still show?'


def what_was_done(result: AnonymizationResult) -> str:
    """Describe what was masked, kept and left out."""
    filled = f', {result.filled} of them along a track' if result.filled else ''
    words = [f'{result.faces} faces masked in {result.frames} frames{filled}.']
    if result.whole:
        words.append(f'{result.whole} frames are masked whole: see the log.')
    if not result.faces and not result.whole:
        words.append('No face was found: look whether that is right.')
    said = (result.what_was_not_drawn(), *result.problems, *result.removed)
    words += [f'{word}.' for word in said if word]
    return '\n'.join(words)


def how_sure(result: AnonymizationResult) -> str:
    """How sure the masks are, and what to do about that."""
    words = []
    for frame, confidence in result.report.least_sure()[:1]:
        where = f', in frame {frame}' if result.frames > 1 else ''
        words.append(
            f'The least sure face has a confidence of {confidence:.2f}{where}; from '
            f'{SURE} on it needs no track.'
        )
    if result.filled:
        words.append(
            f'In {result.filled} places no face was seen: they are masked because one '
            'was there shortly before and after.'
        )
    words.append(
        'No detector finds every face: look at the result, and have it checked under '
        f'“{AUDIT_TAB}”.'
    )
    return '\n'.join(words)


def what_the_audit_found(audit: Audit, every: int) -> str:
    """Describe what the audit compared, found, and did not check."""
    words = [audit.as_text()]
    if every > 1:
        words.append(f'One of {every} frames was compared; mmanon-audit compares all.')
    if audit.threshold is None:
        words.append(
            'Whether a recognizer still knows the faces that were redrawn was not '
            'asked: the page was started without one.'
        )
    words.append('What no detector finds, before or after, the audit does not find.')
    return '\n'.join(words)
