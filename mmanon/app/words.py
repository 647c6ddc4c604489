"""Texts of the page about a result: what was done, and how reliable it is."""

from __future__ import annotations

from mmanon.anonymizer import AnonymizationResult
from mmanon.anonymizer.leak_audit import Audit
from mmanon.anonymizer.options import SURE

__all__ = ['AUDIT_TAB', 'how_sure', 'what_the_audit_found', 'what_was_done']

AUDIT_TAB = 'Does a face still show?'


def what_was_done(result: AnonymizationResult) -> str:
    """Describe what was covered, removed and left out."""
    filled = f', {result.filled} of them along a track' if result.filled else ''
    words = [f'{result.faces} faces covered in {result.frames} frames{filled}.']
    if result.whole:
        words.append(f'{result.whole} frames are covered whole: see the log.')
    if not result.faces and not result.whole:
        words.append('No face was found: check whether this is right.')
    said = (result.what_was_not_drawn(), *result.problems, *result.removed)
    words += [f'{word}.' for word in said if word]
    return '\n'.join(words)


def how_sure(result: AnonymizationResult) -> str:
    """Describe how sure the covers are, and what to check."""
    words = []
    for frame, confidence in result.report.least_sure()[:1]:
        where = f', in frame {frame}' if result.frames > 1 else ''
        words.append(
            f'The lowest score of a face is {confidence:.2f}{where}; below {SURE}, a '
            'face is only covered on a track with more evidence.'
        )
    if result.filled:
        words.append(
            f'{result.filled} covers follow a track through frames that were not '
            'searched, or in which the detector did not see the face.'
        )
    words.append(
        'No detector finds every face: check the result yourself, and under '
        f'“{AUDIT_TAB}”.'
    )
    return '\n'.join(words)


def what_the_audit_found(audit: Audit, every: int) -> str:
    """Describe what the audit compared, found, and did not check."""
    words = [audit.as_text()]
    if every > 1:
        words.append(
            f'One frame in {every} was compared; mmanon-audit compares all frames.'
        )
    if audit.threshold is None:
        words.append(
            'The audit did not check whether changed faces are still recognized: the '
            'page was started without a recognizer.'
        )
    words.append('The audit cannot find a face that no detector finds.')
    return '\n'.join(words)
