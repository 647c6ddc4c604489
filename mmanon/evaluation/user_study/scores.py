"""Counts right answers, and compares them with guessing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .files import Answers, Key

__all__ = ['Score', 'score_answers', 'scores_table', 'wilson_interval']

KINDS = dict(pairs='same person or not', names='which of these people')


@dataclass(frozen=True)
class Score:
    """Answers to one kind of questions.

    Attributes:
        who: ``'people'``, or ``'machine <name>'``.
        respondents: Number of respondents.
        kind: ``'pairs'`` or ``'names'``.
        asked: Number of questions, over all respondents.
        answered: Number of answered questions.
        right: Number of right answers.
        chance: Accuracy of guessing.
        low: Lower end of the confidence interval of the accuracy.
        high: Upper end of the confidence interval.
    """

    who: str
    respondents: int
    kind: str
    asked: int
    answered: int
    right: int
    chance: float
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """Share of right answers among the answered questions, in [0, 1]."""
        return self.right / self.answered

    @property
    def verdict(self) -> str:
        """Whether chance is below, within or above the interval."""
        if self.low > self.chance:
            return 'better than chance'
        if self.high < self.chance:
            return 'worse than chance'
        return 'no different from chance'


def wilson_interval(
    right: int, total: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion (1927).

    Args:
        right (int): Number of successes.
        total (int): Number of independent trials, at least 1.
        confidence (float): Confidence level in (0, 1). Defaults to 0.95.

    Returns:
        tuple[float, float]: Lower and upper end, in [0, 1].

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> [round(end, 3) for end in wilson_interval(8, 10)]
        [0.49, 0.943]
    """
    if not 0 <= right <= total or total < 1:
        raise ValueError(f'{right} of {total} is not a proportion')
    if not 0 < confidence < 1:
        raise ValueError(f'confidence must be in (0, 1), got {confidence}')
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    part = right / total
    middle = (part + z2 / (2 * total)) / (1 + z2 / total)
    spread = math.sqrt(z2 * part * (1 - part) / total + (z2 / (2 * total)) ** 2)
    half = spread / (1 + z2 / total)
    # Exactly 0 or 1 if nothing or everything is right, without a rounding error.
    low = 0.0 if right == 0 else middle - half
    high = 1.0 if right == total else middle + half
    return low, high


def score_answers(
    key: Key, answers: Sequence[Answers], confidence: float = 0.95
) -> list[Score]:
    """Score the answers of all people together, and of each machine.

    Args:
        key (Key): The right answers.
        answers (Sequence[Answers]): Answers to this study.
        confidence (float): Confidence level of the intervals. Defaults to 0.95.

    Returns:
        list[Score]: Scores of people first; kinds of questions without an answer are
        left out.

    Raises:
        ValueError: If two files have the same respondent.
    """
    seen: dict[tuple[str, str], Answers] = {}
    for sheet in answers:
        other = seen.setdefault((sheet.kind, sheet.respondent), sheet)
        if other is not sheet:
            raise ValueError(
                f'{other.path} and {sheet.path} both come from the {sheet.kind} '
                f'{sheet.respondent}: give only one of them'
            )
    people = [sheet for sheet in answers if sheet.kind == 'person']
    groups = {'people': people} if people else {}
    groups |= {f'machine {a.respondent}': [a] for a in answers if a.kind == 'machine'}
    scores = [
        _score(key, kind, who, group, confidence)
        for who, group in groups.items()
        for kind in KINDS
    ]
    return [score for score in scores if score is not None]


def _score(
    key: Key, kind: str, who: str, group: Sequence[Answers], confidence: float
) -> Score | None:
    questions = [name for name, of in key.kinds.items() if of == kind]
    marks = [
        sheet.given[question] == key.right[question]
        for sheet in group
        for question in questions
        if question in sheet.given
    ]
    if not marks:
        return None
    low, high = wilson_interval(sum(marks), len(marks), confidence)
    return Score(
        who=who,
        respondents=len(group),
        kind=kind,
        asked=len(questions) * len(group),
        answered=len(marks),
        right=sum(marks),
        chance=1 / len(key.options[questions[0]]),
        low=low,
        high=high,
    )


def scores_table(scores: Sequence[Score], confidence: float = 0.95) -> str:
    """Format scores as a Markdown table, in percent."""
    heads = [
        'who',
        'question',
        'right / answered / asked',
        'accuracy',
        f'{100 * confidence:g} % interval',
        'chance',
        '',
    ]
    lines = [heads, ['---', '---', *['--:'] * 4, '---']]
    for score in scores:
        who = score.who if score.who != 'people' else f'{score.respondents} people'
        lines.append(
            [
                '1 person' if who == '1 people' else who,
                KINDS[score.kind],
                f'{score.right} / {score.answered} / {score.asked}',
                f'{100 * score.accuracy:.1f} %',
                f'{100 * score.low:.1f}–{100 * score.high:.1f} %',
                f'{100 * score.chance:.1f} %',
                score.verdict,
            ]
        )
    return ''.join('| ' + ' | '.join(line) + ' |\n' for line in lines)
