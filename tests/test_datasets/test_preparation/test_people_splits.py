"""People shared out among modifier, attackers and test."""

import json
import runpy
from pathlib import Path

import pytest

from mmanon.datasets.preparation.people_splits import (
    PARTS,
    count_images,
    split_people,
    write_split,
)

TOOL = Path(__file__).parents[3] / 'tools/dataset_converters/split_people.py'
COUNTS = {f'{source}_{i}': 1 + i % 2 for source in 'abc' for i in range(40)}


def test_nobody_is_in_two_parts_and_everybody_in_one():
    parts = split_people(COUNTS)
    assert list(parts) == list(PARTS)
    together = [person for people in parts.values() for person in people]
    assert sorted(together) == sorted(COUNTS)
    # Of every source each part has its share.
    for source in 'abc':
        shares = [sum(p.startswith(source) for p in parts[name]) for name in PARTS]
        assert shares[0] == 22 and shares[1] + shares[2] == 18 and shares[2] >= 1
    assert all(COUNTS[person] > 1 for person in parts['attackers_val'])


def test_a_seed_makes_the_same_parts_whatever_comes_to_another_source():
    parts = split_people(COUNTS, seed=4)
    assert split_people(dict(reversed(COUNTS.items())), seed=4) == parts
    assert split_people(COUNTS, seed=5) != parts
    more = split_people({**COUNTS, 'd_0': 2, 'd_1': 2}, seed=4)
    for name in PARTS:
        assert [p for p in more[name] if not p.startswith('d')] == parts[name]


def test_too_few_people_are_refused():
    with pytest.raises(ValueError, match=r'attackers must be in \(0, 1\), got 1'):
        split_people(COUNTS, attackers=1)
    with pytest.raises(ValueError, match="'attackers_val' would have 0 of 120 people"):
        split_people(dict.fromkeys(COUNTS, 1))


def make_people(root, counts):
    for person, count in counts.items():
        (root / person).mkdir(parents=True)
        for number in range(count):
            (root / person / f'{number}.jpg').touch()


def test_the_command_writes_lists_and_how_they_were_made(tmp_path, capsys):
    make_people(tmp_path / 'train', COUNTS)
    make_people(tmp_path / 'test', {'t_0': 2, 't_1': 1, 't_2': 3})
    main = runpy.run_path(str(TOOL))['main']
    call = [str(tmp_path / 'train'), '--out', str(tmp_path / 'out'), '--seed', '3']

    assert main([*call, '--test', str(tmp_path / 'test')]) == 0

    out = tmp_path / 'out'
    parts = split_people(count_images(tmp_path / 'train'), seed=3)
    for name in PARTS:
        assert (out / f'{name}.txt').read_text().split() == parts[name]
    assert (out / 'test.txt').read_text().split() == ['t_0', 't_2']
    record = json.loads((out / 'split.json').read_text())
    assert (record['seed'], record['people']) == (3, 'train')
    assert record['parts']['modifier']['people'] == 66
    assert 'modifier.txt: 66 people' in capsys.readouterr().out
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    write_split(parts, out, {k: v for k, v in record.items() if k != 'parts'})
    again = {path.name: path.read_bytes() for path in out.iterdir()}
    assert all(again[f'{name}.txt'] == before[f'{name}.txt'] for name in PARTS)

    # Whoever is trained on is not tested.
    assert main([*call, '--test', str(tmp_path / 'train')]) == 1
    assert '120 people are both in' in capsys.readouterr().err
    assert main([str(tmp_path / 'nowhere'), '--out', str(out)]) == 1
    assert 'is not a folder' in capsys.readouterr().err
