"""Are the attackers any good? On faces that hide little, practice must not hurt."""

from __future__ import annotations

from collections.abc import Mapping

from .plan import Measurement
from .practice import attacks_of

__all__ = ['judge_attackers']

# Points of the equal error rate by which two of the same strength may differ: half a
# person of the people tested.
_EQUAL = 0.005


def judge_attackers(
    measured: Measurement, figures: Mapping[str, float], people: str
) -> list[str]:
    """Say of each attacker that practises whether it is as good as one that does not.

    Args:
        measured (Measurement): What was measured: faces as they are, or little changed.
        figures (Mapping): All of its figures.
        people (str): The set of people that all attackers were tried on.

    Returns:
        list[str]: A sentence for each. One that is worse is told with how long it has
        practised and on how many people, which is why.
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
        text = (
            f'{attack.name}: {100 * own:.1f} % beside {100 * known:.1f} % of {beside}'
        )
        if own <= known + _EQUAL:
            said.append(f'{text}: as good or better')
            continue
        stage = f'practice/{attack.stage}'
        best, last, most = (
            figures.get(f'{stage}/{key}')
            for key in ('best_iteration', 'iterations', 'most')
        )
        why = 'cut off by the most iterations it may have'
        if last is None or most is None or last < most:
            why = 'its validation gained no more'
        said.append(
            f'{text}: WORSE. It practised on {figures.get("practice/people", 0):.0f} '
            f'people; best weights after {best or 0:.0f} of {last or 0:.0f} '
            f'iterations, then {why}'
        )
    return said
