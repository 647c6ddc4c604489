"""Rows of a trade-off, and what is made of them."""

import json
import math
import xml.etree.ElementTree
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mmanon.tradeoff import (
    WORST,
    Row,
    markdown_table,
    pareto_front,
    plot_tradeoff,
    read_rows,
    save_plot,
    summarize,
    worst_case,
    worst_table,
    write_rows,
)
from mmanon.tradeoff.sweep import results
from mmanon.tradeoff.table import decisive_attackers

ROW = Row('blur', 0.06, 0, 0.5, 'unseen', 'modified_original', 0.2, 0.7, 0.4)
MATCHINGS = ('original_original', 'modified_original', 'modified_modified')


def rows_of(figures, attackers=('unseen',), seeds=(0,)):
    """Rows of methods by (name, strength): (mAP, eer)."""
    return [
        Row(*name, seed, mAP + seed / 100, attacker, matching, eer, 0.1, None)
        for name, (mAP, eer) in figures.items()
        for seed in seeds
        for attacker in attackers
        for matching in MATCHINGS
    ]


def test_rows_are_the_same_when_read_again(tmp_path):
    rows = [ROW, replace(ROW, method='raw', strength=None, tar_at_far1=None)]
    write_rows(rows, tmp_path / 'rows.json')
    assert read_rows(tmp_path / 'rows.json') == rows
    first = json.loads((tmp_path / 'rows.json').read_text())[0]
    assert first == asdict(ROW)
    assert list(first) == [
        *('method', 'strength', 'seed', 'mAP', 'attacker', 'matching'),
        *('eer', 'rank1', 'tar_at_far1', 'view'),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ['rows.json']


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(eer=None), 'row 1: eer must be a number, got None'),
        (dict(mAP='high'), "row 1: mAP must be a number, got 'high'"),
        (dict(seed=True), 'row 1: seed must be a number, got True'),
        (dict(rank1=math.nan), 'row 1: rank1 must be a number, got nan'),
        (dict(method=3), 'row 1: method must be a string, got 3'),
        (dict(colour=1), "row 1 has the unknown key 'colour'"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, change, said):
    path = tmp_path / 'rows.json'
    path.write_text(json.dumps([asdict(ROW), {**asdict(ROW), **change}]))
    with pytest.raises(ValueError, match=said) as error:
        read_rows(path)
    assert str(path) in str(error.value)


def test_files_that_hold_no_rows_are_named(tmp_path):
    path = tmp_path / 'rows.json'
    with pytest.raises(FileNotFoundError):
        read_rows(path)
    for text, said in (('{', 'is not JSON'), ('{}', 'a list'), ('[1]', 'row 0 must')):
        path.write_text(text)
        with pytest.raises(ValueError, match=said):
            read_rows(path)
    less = asdict(ROW)
    del less['rank1']
    path.write_text(json.dumps([less]))
    with pytest.raises(ValueError, match="row 0 has no key 'rank1'"):
        read_rows(path)


def test_seeds_are_averaged():
    rows = [replace(ROW, seed=s, mAP=v) for s, v in enumerate((0.4, 0.5, 0.9))]
    other = replace(ROW, attacker='discriminator', tar_at_far1=None)
    three, one = summarize([rows[0], other, *rows[1:]])
    assert (three.name, three.attacker, three.seeds) == ('blur 0.06', 'unseen', 3)
    assert three.mean['mAP'] == pytest.approx(0.6)
    # Of a sample: divided by the number less one.
    assert three.std['mAP'] == pytest.approx(np.std([0.4, 0.5, 0.9], ddof=1))
    assert three.std['eer'] == pytest.approx(0)
    assert one.seeds == 1 and math.isnan(one.std['mAP'])
    assert math.isnan(one.mean['tar_at_far1'])


def test_a_seed_counts_once():
    with pytest.raises(ValueError, match="two rows of 'blur 0.06', seed 0"):
        summarize([ROW, ROW])


def test_the_pareto_front_is_what_nothing_dominates():
    places = dict(a=(0.2, 0.5), b=(0.5, 0.3), c=(0.9, 0.1), d=(0.4, 0.3), e=(0.9, 0.0))
    rows = [replace(ROW, method=m, mAP=x, eer=y) for m, (x, y) in places.items()]
    front = pareto_front(summarize(rows))
    assert [point.method for point in front] == ['a', 'b', 'c']
    # Of two at one place neither dominates the other.
    twins = [replace(rows[0], method=name) for name in 'xy']
    assert len(pareto_front(summarize(twins))) == 2


def test_the_table_has_a_line_for_each_attacker_and_method():
    figures = {('raw', None): (0.9, 0.02), ('downsample', 8): (0.5, 0.25)}
    rows = rows_of(figures, ('unseen', 'adaptive'), seeds=(0, 2))
    lines = markdown_table(summarize(rows)).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert len({len(line) for line in cells}) == 1
    assert [line[:2] for line in cells[2:]] == [
        ['unseen', 'raw'],
        ['unseen', 'downsample 8'],
        ['adaptive', 'raw'],
        ['adaptive', 'downsample 8'],
    ]
    line = dict(zip(cells[0], cells[3], strict=True))
    assert line['seeds'] == '2'
    assert line['mAP'] == '51.0 ± 1.4'
    assert line['EER mod.–orig.'] == '**25.0 ± 0.0**'
    assert line['TAR at FAR 1 % mod.–mod.'] == '–'


def test_the_table_shows_the_front_of_each_attacker_and_matching_in_bold():
    lost = ('learned', None, 0, 0.5, 'adaptive', 'modified_original', 0.1, 0.9, None)
    rows = rows_of(FIGURES) + [
        Row('blur', 0.06, 0, 0.6, *lost[4:6], 0.3, 0.1, None),
        Row(*lost),
    ]
    lines = markdown_table(summarize(rows)).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    columns = [cells[0].index(f'EER {m}') for m in ('mod.–orig.', 'mod.–mod.')]
    bold = {
        (*line[:2], cells[0][column])
        for line in cells[2:]
        for column in columns
        if line[column].startswith('**')
    }
    assert bold == {
        ('unseen', 'raw', 'EER mod.–orig.'),
        ('unseen', 'raw', 'EER mod.–mod.'),
        ('unseen', 'learned', 'EER mod.–orig.'),
        ('unseen', 'learned', 'EER mod.–mod.'),
        ('adaptive', 'blur 0.06', 'EER mod.–orig.'),
    }
    assert not any(cell.startswith('**') for line in cells for cell in line[4:5])


def attacked(eer, rank1, attacker='a', view='face', seed=0, tar=None, **changes):
    given = dict(eer=eer, rank1=rank1, attacker=attacker, view=view, seed=seed)
    return replace(ROW, tar_at_far1=tar, **given, **changes)


def test_the_worst_case_is_over_attackers_and_views():
    rows = [
        attacked(0.4, 0.2, tar=0.1),
        attacked(0.1, 0.3, view='head'),
        attacked(0.3, 0.9, 'b', tar=0.4),
        attacked(0.2, 0.5, seed=1),
        attacked(0.25, 0.6, 'b', seed=1),
        attacked(0.45, 0.1, matching='modified_modified'),
        attacked(0.35, 0.1, 'b', matching='modified_modified'),
    ]
    found = {(row.seed, row.matching): row for row in worst_case(rows)}
    assert {row.attacker for row in found.values()} == {WORST}
    first = found[0, 'modified_original']
    # Each figure by itself: whoever has it.
    assert (first.eer, first.rank1, first.tar_at_far1) == (0.1, 0.9, 0.4)
    second = found[1, 'modified_original']
    assert (second.eer, second.rank1, second.tar_at_far1) == (0.2, 0.6, None)
    assert found[0, 'modified_modified'].eer == 0.35
    # Of one attacker in one view there is no other.
    assert worst_case(rows[:1]) == [] and worst_table(rows[:1]) == ''


def test_the_headline_says_whose_the_worst_case_is():
    rows = [
        attacked(0.4, 0.2, seed=0),
        attacked(0.2, 0.3, view='crop', seed=0),
        attacked(0.3, 0.9, 'b', seed=0),
        attacked(0.4, 0.2, seed=1),
        attacked(0.2, 0.3, view='crop', seed=1),
        attacked(0.1, 0.9, 'b', seed=1),
        attacked(0.0, 1.0, method='raw', strength=None, mAP=0.4),
        attacked(0.0, 1.0, 'b', method='raw', strength=None, mAP=0.4),
    ]
    lines = worst_table(rows).splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    line = dict(zip(cells[0][:7], cells[2][:7], strict=True))
    # The mean of 0.2 and 0.1, though no single attacker has both.
    assert line['worst EER mod.–orig.'] == '**15.0 ± 7.1**'
    # Two share the lowest mean: the first of them.
    assert cells[2][4] == 'a-crop' and cells[2][6] == 'b'
    assert cells[3][:3] == ['raw', '1', '40.0'] and cells[3][3] == '0.0'


def test_of_many_attackers_those_decide_that_are_the_worst_somewhere():
    rows = [
        attacked(0.4, 0.2, 'never'),
        attacked(0.3, 0.2, 'a', view='head'),
        attacked(0.2, 0.2, 'b', method='mask'),
        attacked(0.3, 0.2, 'never', method='mask'),
        attacked(0.0, 0.2, 'never', matching='original_original'),
        attacked(0.3, 0.2, 'c', matching='modified_modified'),
        attacked(0.4, 0.2, 'a', view='head', matching='modified_modified'),
    ]
    assert decisive_attackers(rows) == ['a-head', 'b', 'c']
    many = [
        replace(row, attacker=f'{row.attacker}{number}')
        for number in range(3)
        for row in rows
    ]
    shown = results._plotted(many)
    assert shown[0] == WORST and 1 < len(shown) <= 1 + results.MOST_PANELS
    assert results._plotted(rows) is None


def test_views_are_attackers_of_their_own_and_old_files_have_none(tmp_path):
    rows = [attacked(0.4, 0.2), attacked(0.1, 0.3, view='head')]
    names = [point.attacker for point in summarize(rows)]
    assert names == ['a', 'a-head']
    old = {name: value for name, value in asdict(ROW).items() if name != 'view'}
    (tmp_path / 'old.json').write_text(json.dumps([old]))
    assert read_rows(tmp_path / 'old.json') == [ROW]


FIGURES = {
    ('raw', None): (0.9, 0.02),
    ('blur', 0.06): (0.5, 0.2),
    ('blur', 0.12): (0.3, 0.3),
    ('learned', None): (0.85, 0.4),
}


def test_no_other_method_is_drawn_as_red_as_the_learned_ones():
    figures = {(f'm{i}', None): (0.5, 0.1 + i / 50) for i in range(12)}
    figures['learned', None] = (0.8, 0.4)
    [axes, _] = plot_tradeoff(summarize(rows_of(figures))).axes
    red = {
        bar.get_label()
        for bar in axes.containers
        if to_rgb(bar[0].get_color())[0] > 0.8 > 3 * max(to_rgb(bar[0].get_color())[1:])
    }
    assert red == {'learned'}


def test_the_plot_shows_points_bars_front_and_corner():
    points = summarize(rows_of(FIGURES, seeds=(0, 1)))
    figure = plot_tradeoff(points)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        bars = {one.get_label(): one for one in axes.containers}
        assert set(bars) == {'raw', 'blur', 'learned'}
        assert bars['blur'][0].get_xydata() == pytest.approx(
            np.array([(0.505, 0.2), (0.305, 0.3)])
        )
        across = bars['raw'][2][0].get_segments()[0]
        assert np.ptp(across[:, 0]) / 2 == pytest.approx(np.std([0, 0.01], ddof=1))
        lines = {line.get_label(): line for line in axes.lines}
        front = lines['Pareto front'].get_xydata()
        assert front == pytest.approx(np.array([(0.855, 0.4), (0.905, 0.02)]))
        corner = lines['corner: raw detection, chance'].get_xydata()
        assert corner == pytest.approx(np.array([(0.905, 0.5)]))
        assert [text.get_text() for text in axes.texts] == ['0.06', '0.12']


def test_each_attacker_has_a_row_of_the_plot():
    points = summarize(rows_of(FIGURES, attackers=('unseen', 'adaptive')))
    assert len(plot_tradeoff(points).axes) == 4
    figure = plot_tradeoff(points, attackers=['adaptive'])
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 2 and all(one.startswith('adaptive') for one in titles)
    with pytest.raises(ValueError, match=r"no points of \['dlib'\]; there are \['un"):
        plot_tradeoff(points, attackers=['dlib'])
    with pytest.raises(ValueError, match='no points of any attacker'):
        plot_tradeoff([])


def test_the_plot_is_written_twice_and_the_same_each_time(tmp_path):
    points = summarize(rows_of(FIGURES))
    svg, png = save_plot(plot_tradeoff(points), tmp_path / 'tradeoff')
    texts = ''.join(xml.etree.ElementTree.parse(svg).getroot().itertext())
    assert 'equal error rate' in texts and 'learned' in texts
    assert cv2.imread(str(png)).std() > 0
    before = svg.read_bytes()
    save_plot(plot_tradeoff(points), tmp_path / 'tradeoff')
    assert svg.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [png, svg]
