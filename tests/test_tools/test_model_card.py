import json
import re
import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools' / 'model_card.py'


@pytest.fixture(scope='module')
def main():
    return runpy.run_path(str(TOOL))['main']


def figures(path, mo=0.45, mm=0.4, **more):
    """What a test of two attackers, one of them in two views, has written."""
    told = {'mAP/overall': 0.75, 'time': 3.0, 'faces/num_identities': None}
    for attacker, better in (('dlib', 0.02), ('mfn', 0), ('mfn_crop', 0.05)):
        told |= {
            f'{attacker}/original_original/eer': 0.01,
            f'{attacker}/modified_original/eer': mo - better,
            f'{attacker}/modified_original/rank1': 0.1 + better,
            f'{attacker}/modified_modified/eer': mm - better,
            f'{attacker}/modified_modified/rank1': 0.2 + better,
        }
    path.write_text(json.dumps({**told, **more}))


def rows(text, start):
    """The cells of the rows that begin so."""
    lines = [line for line in text.splitlines() if line.startswith(f'| {start}')]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def card_of(tmp_path, main, *blocks):
    card = tmp_path / 'card.md'
    middle = '\n'.join(
        f'<!-- figures: {block} -->\nold\n<!-- end of figures -->' for block in blocks
    )
    card.write_text(f'# A\n\nkept\n\n{middle}\n\nkept too\n')
    assert main([str(card)]) == 0
    return card.read_text()


def test_attackers_are_told_by_view_with_the_worst_of_them(tmp_path, main):
    figures(tmp_path / 'a.json')
    text = card_of(tmp_path, main, 'attackers a.json')
    assert 'kept\n' in text and 'kept too\n' in text and 'old' not in text
    (crop,) = rows(text, 'mfn | whole')
    assert crop[4:] == ['40.0 %', '15.0 %', '35.0 %', '25.0 %']
    (worst,) = rows(text, '**worst')
    assert worst == [
        *('**worst**', '', '', ''),
        *('**40.0 %**', '**15.0 %**', '**35.0 %**', '**25.0 %**'),
    ]
    # A second time it is as it was.
    again = tmp_path / 'card.md'
    assert main([str(again)]) == 0 and again.read_text() == text


def test_seeds_have_a_mean_and_a_spread(tmp_path, main):
    figures(tmp_path / 'a.json', mo=0.44)
    figures(tmp_path / 'b.json', mo=0.46, **{'mAP/overall': 0.77})
    text = card_of(tmp_path, main, 'attackers a.json b.json', 'others a.json b.json')
    (dlib,) = rows(text, 'dlib')
    assert dlib[4] == '43.0 ± 1.4 %'
    (detection,) = rows(text, '`mAP')
    assert detection[1] == '0.76 ± 0.01414'
    assert 'over 2 seeds' in text and '`time`' not in text


def test_groups_stand_beside_the_mean_of_their_attribute(tmp_path, main):
    figures(tmp_path / 'f.json', mo=0.47)
    figures(tmp_path / 'm.json', mo=0.43)
    figures(tmp_path / 'old.json', mo=0.45)
    text = card_of(
        tmp_path,
        main,
        'groups gender=female:f.json gender=male:m.json age=50_and_over:old.json',
    )
    assert rows(text, 'gender | female')[0][2:4] == ['42.0 %', '+2.0']
    assert rows(text, 'gender | male')[0][2:4] == ['38.0 %', '-2.0']
    assert rows(text, 'age')[0][1:4] == ['50 and over', '40.0 %', '+0.0']


def test_one_file_of_figures_fills_several_blocks(tmp_path, main):
    told = {'people/known/modified_original/eer': 0.4, 'people/people': 7}
    told |= {'people/faces': 14, 'kept/people/found_again': 0.98}
    told |= {'kept/people/landmarks': 0.061, 'kept/people/faces': 14}
    told |= {'practice/people': 352, 'practice/scratch-crop/iterations': 650}
    told |= {'practice/scratch-crop/best_iteration': 450}
    for group, error in (('female', 0.4), ('male', 0.5)):
        start = f'groups/gender/{group}'
        told |= {f'{start}/people': 9, f'{start}/known/modified_original/eer': error}
        told |= {f'{start}/known/modified_original/spread': 0.03}
    (tmp_path / 'a.json').write_text(json.dumps({'modifier': 'a', **told}))
    text = card_of(
        tmp_path,
        main,
        'attackers a.json#people/',
        'kept a.json#kept/',
        'practice a.json#practice/',
        'groups gender=a.json#groups/gender/',
    )
    assert rows(text, 'known')[0][4] == '40.0 %' and '7 people, 14 faces' in text
    assert rows(text, 'people | 14')[0][2:5] == ['98.0 %', '0.061', '']
    assert rows(text, 'scratch-crop')[0][1:] == ['650', '450', '']
    assert 'On 352 people. Of `a.json`.' in text
    female = rows(text, 'gender | female')[0]
    assert female[2:4] == ['40.0 ± 3.0 %', '-5.0'] and female[-1] == '9'


def test_files_are_told_by_size_and_digest(tmp_path, main):
    (tmp_path / 'm.onnx').write_bytes(b'0' * 1_234_567)
    ((_, size, digest),) = rows(card_of(tmp_path, main, 'files m.onnx'), '`m.onnx')
    assert size == '1.2' and re.fullmatch('`[0-9a-f]{64}`', digest)


def test_a_new_card_says_that_nothing_was_measured(tmp_path, main, capsys):
    card = tmp_path / 'stranger.md'
    assert main([str(card), '--new']) == 0
    text = card.read_text()
    assert text.startswith('# stranger\n') and '--modifier stranger' in text
    assert text.count('Nothing was measured yet.') == 4
    assert 'CC-BY 4.0' in text and not re.search(r'\d %', text)
    assert main([str(card), '--new']) == 1
    assert 'exists already' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('block', 'said'),
    [
        ('attackers gone.json', 'gone.json do not exist'),
        ('atackers a.json', 'did you mean `attackers`'),
        ('attackers broken.json', 'broken.json is not JSON'),
        ('attackers empty.json', 'has no figures of attackers'),
        ('groups a.json', 'attribute=group:file.json'),
        ('attackers a.json#none/', "no figures that start with 'none/'"),
        ('kept a.json a.json', 'kept takes one file'),
    ],
)
def test_what_is_wrong_is_named_and_the_card_stays(tmp_path, main, capsys, block, said):
    figures(tmp_path / 'a.json')
    (tmp_path / 'broken.json').write_text('{')
    (tmp_path / 'empty.json').write_text('{"mAP": 0.5}')
    card = tmp_path / 'card.md'
    card.write_text(f'<!-- figures: {block} -->\n<!-- end of figures -->\n')
    before = card.read_text()
    assert main([str(card)]) == 1
    assert said in capsys.readouterr().err and card.read_text() == before


def test_a_block_without_its_end_is_told(tmp_path, main, capsys):
    card = tmp_path / 'card.md'
    card.write_text('<!-- figures: attackers a.json -->\n')
    assert main([str(card)]) == 1
    assert 'without its end' in capsys.readouterr().err
