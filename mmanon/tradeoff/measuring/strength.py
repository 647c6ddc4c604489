"""Checks attackers: on faces that hide little, training must not make them worse."""

from __future__ import annotations

from collections.abc import Mapping

from .plan import Measurement
from .practice import attacks_of

__all__ = ['judge_attackers']

# Difference of the equal error rates up to which two attackers count as equally good.
_EQUAL = 0.005


def judge_attackers(
    measured: Measurement, figures: Mapping[str, float], people: str
) -> list[str]:
    """Say for each trained attacker whether it is as good as an untrained one.

    Args:
        measured (Measurement): What was measured: faces that are unchanged or changed
            little.
        figures (Mapping): All of its figures.
        people (str): Name of the set of people on which all attackers were evaluated.

    Returns:
        list[str]: A sentence for each. For a worse one it also says for how long and on
        how many people it was trained, which may be the reason.
    """
    frozen = {one.name: one for one in attacks_of(measured, practising=False)}
    said = []
    for attack in attacks_of(measured, practising=True):
        other = attack.judge or measured.beside.get(attack.spec)
        if other is None:
            continue
        beside = next(
            (n for n in (f'{other}-{attack.view}', other) if n in frozen), None
        )
        if beside is None:
            continue
        errors = [
            figures.get(f'{people}/{name}/modified_original/eer')
            for name in (attack.name, beside)
        ]
        own, known = errors
        if own is None or known is None:
            continue
        text = f'{attack.name}: {100 * own:.1f} %, {beside}: {100 * known:.1f} %'
        if own <= known + _EQUAL:
            said.append(f'{text}: as good or better')
            continue
        stage = f'practice/{attack.stage}'
        best, last, most = (
            figures.get(f'{stage}/{key}')
            for key in ('best_iteration', 'iterations', 'most')
        )
        why = 'it was stopped at the most iterations allowed'
        if last is None or most is None or last < most:
            why = 'its validation gained no more'
        said.append(
            f'{text}: WORSE. It was trained on {figures.get("practice/people", 0):.0f} '
            f'people; best weights after {best or 0:.0f} of {last or 0:.0f} '
            f'iterations, then {why}'
        )
    return said
