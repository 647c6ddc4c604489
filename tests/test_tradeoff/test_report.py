"""A report of a made-up sweep: nothing is trained, all files are as a sweep's."""

import json
import re
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from browser import open_browser
from tiny import tiny_modifier

from mmanon.registry import MODELS
from mmanon.tradeoff import plot_tradeoff, save_plot, summarize, write_rows
from mmanon.tradeoff.report import make_audits, make_grids, read_sweep
from mmanon.tradeoff.report.audit import rank_people
from mmanon.tradeoff.rows import Row
from mmanon.utils.inline_images import decode_image_url

TOOL = Path(__file__).parents[2] / 'tools' / 'report.py'
METHODS = {
    ('raw', None): dict(type='mmanon.IdentityModifier'),
    ('downsample', 8.0): dict(type='mmanon.DownsampleModifier', size=8),
    ('learned', None): tiny_modifier(),
}
NASTY = '<img src=x onerror=alert(1)>'


def made_up_rows():
    for method, strength in METHODS:
        for seed in (0, 1):
            for attacker in ('D', 'unseen'):
                for number, matching in enumerate(
                    ('original_original', 'modified_original', 'modified_modified')
                ):
                    eer = 0.1 + 0.1 * number + 0.02 * seed
                    tar = None if attacker == 'unseen' else 0.75
                    where = method, strength, seed, 0.5, attacker, matching
                    yield Row(*where, eer, 0.5, tar)


@pytest.fixture(scope='module')
def plots(tmp_path_factory):
    folder = tmp_path_factory.mktemp('plots')
    return save_plot(plot_tradeoff(summarize(made_up_rows())), folder / 'tradeoff')


@pytest.fixture
def work_dir(tmp_path, plots):
    """Three methods, two seeds, two attackers; one person has a nasty name."""
    for name in ('ann', 'bob', 'cid', NASTY):
        folder = tmp_path / 'people' / name
        folder.mkdir(parents=True)
        for image in range(3):
            pixels = np.random.default_rng(image).integers(0, 256, (32, 32, 3))
            cv2.imwrite(str(folder / f'{image}.png'), pixels.astype(np.uint8))
    people = dict(type='mmanon.FaceIdentityDataset', data_root=str(tmp_path / 'people'))
    for (method, strength), modifier in METHODS.items():
        for seed in (0, 1):
            name = method if strength is None else f'{method}_{strength:g}'
            run = tmp_path / 'out' / 'runs' / name / f'seed_{seed}'
            run.mkdir(parents=True)
            hook = dict(
                type='mmanon.AdversarialAnonymizationHook',
                modifier=modifier,
                crop_size=32,
                margin=0.3,
            )
            metric = dict(
                type='mmanon.FaceVerificationMetric',
                dataset=people,
                recognizer='discriminator',
                prefix='D',
            )
            settings = dict(custom_hooks=[hook], test_evaluator=[{}, metric])
            (run / 'test.json').write_text(json.dumps(settings))
            (run / 'train.py').write_text(f"# trains '{name}' < {run}\n")
            (run / 'train.log').write_text(f'$ python tools/train.py {run}/train.py\n')
            figures = {
                'faces/acc_original': 0.96 + 0.02 * seed,
                'faces/acc_modified': 0.25,
                'faces/num_identities': 60,
                'D/original_original/accuracy': 0.9125,
                'face_quality/psnr': 17.25,
            }
            (run / 'figures.json').write_text(json.dumps(figures))
            if method == 'learned':
                built = MODELS.build(modifier)
                built.record_update()
                # As it begins it would hardly change a face, and be covered for that.
                random = torch.Generator().manual_seed(0)
                with torch.no_grad():
                    for weight in built.parameters():
                        weight.uniform_(-0.5, 0.5, generator=random)
                torch.save(built.state_dict(), run / 'modifier.pth')
    write_rows(made_up_rows(), tmp_path / 'out' / 'tradeoff.json')
    for plot in plots:
        shutil.copy(plot, tmp_path / 'out')
    return tmp_path / 'out'


def report(*arguments):
    """Run the tool in this process."""
    main = runpy.run_path(str(TOOL))['main']
    main([str(one) for one in arguments])


def cells(page, first):
    """The cells of all table lines with this head."""
    lines = re.findall(r'<tr><th>([^<]*)</th>((?:<td>[^<]*</td>)+)</tr>', page)
    return [
        re.findall('<td>([^<]*)</td>', line) for head, line in lines if head == first
    ]


def test_what_a_bottleneck_tells_stands_beside_whom_d_names(work_dir):
    for path in (work_dir / 'runs/learned').rglob('figures.json'):
        figures = json.loads(path.read_text())
        told = {'faces/rate': 0.625, 'faces/share': 0.8}
        path.write_text(json.dumps({**figures, **told}))

    report(work_dir)

    page = (work_dir / 'report.html').read_text()
    assert 'rate in nats' in page
    assert ['0.62 ± 0.00', '80.0 ± 0.0'] in [one[-2:] for one in cells(page, 'learned')]
    assert ['–', '–'] in [one[-2:] for one in cells(page, 'downsample 8')]


def test_the_page_says_all_that_the_sweep_found(work_dir):
    report(work_dir)

    page = (work_dir / 'report.html').read_text()
    worst, of_d, of_unseen, discriminator, quality = cells(page, 'downsample 8')
    same = ['50.0 ± 0.0', '75.0 ± 0.0']
    assert of_d == ['2', '50.0 ± 0.0', '11.0 ± 1.4', *same, '21.0 ± 1.4', *same,
                    '31.0 ± 1.4', *same]  # fmt: skip
    assert 'Attacker: worst case' in page and worst == of_d
    assert 'rate in nats' not in page
    assert of_unseen[4] == of_unseen[7] == of_unseen[10] == '–'
    assert discriminator == ['2', '60', '97.0 ± 1.4', '25.0 ± 0.0', '91.2 ± 0.0']
    assert quality == ['17.250 ± 0.000']
    assert '94.75 %' in page
    assert 'data:image/svg+xml;base64,' in page
    for text in ('Attacker: D', 'Attacker: unseen', 'torch ', 'seeds 0, 1'):
        assert text in page


def test_configs_and_commands_are_there_without_the_folders_own_path(work_dir):
    report(work_dir)

    page = (work_dir / 'report.html').read_text()
    assert 'python tools/train.py WORK_DIR/runs/learned/seed_1/train.py' in page
    assert '# trains &#39;downsample_8&#39; &lt; WORK_DIR/runs/downsample_8/' in page
    assert str(work_dir) not in page


def test_grids_show_people_before_and_after(work_dir):
    grids = make_grids(read_sweep(work_dir), columns=3)

    assert [len(grid.heads) for grid in grids] == [3, 3, 3]
    assert len(set(grids[0].heads)) == 3
    for grid in grids[1:]:
        assert set(grid.heads) == {grid.title.rpartition(': ')[2]}
    rows = {row.name: row for row in grids[0].rows}
    assert list(rows) == ['original', 'raw', 'downsample 8', 'learned']
    assert rows['raw'].urls == rows['original'].urls
    for name in ('downsample 8', 'learned'):
        before, after = (
            decode_image_url(rows[one].urls[0]).astype(int)
            for one in ('original', name)
        )
        assert abs(before - after).mean() > 6
        assert rows[name].covered == 0 and after.std() > 1


def test_a_learned_modifier_that_was_never_trained_is_shown_covered(work_dir):
    path = work_dir / 'runs' / 'learned' / 'seed_0' / 'modifier.pth'
    torch.save(MODELS.build(tiny_modifier()).state_dict(), path)

    report(work_dir, '--columns', 2)

    grid = make_grids(read_sweep(work_dir), columns=2)[0]
    assert grid.rows[-1].covered == 2
    assert decode_image_url(grid.rows[-1].urls[0]).std() < 1
    assert '2 covered by a mask' in (work_dir / 'report.html').read_text()


@pytest.mark.parametrize(
    ('missing', 'message'),
    [
        ('tradeoff.json', 'is not the work dir of an mmanon tradeoff'),
        ('runs/raw/seed_1/figures.json', 'start mmanon tradeoff again'),
        ('runs/learned/seed_0/modifier.pth', 'modifier.pth do not exist'),
        ('../people', 'give their folder by --people'),
    ],
)
def test_what_is_missing_is_named(work_dir, missing, message, capsys):
    lost = work_dir / missing
    lost.rename(lost.with_name('elsewhere'))

    with pytest.raises(SystemExit, match=message) as error:
        report(work_dir)

    assert Path(missing).name in str(error.value)
    assert not (work_dir / 'report.html').exists()


def test_a_plot_is_needed_and_a_png_will_do(work_dir):
    (work_dir / 'tradeoff.svg').unlink()
    report(work_dir, '--no-pictures')
    assert 'data:image/png;base64,' in (work_dir / 'report.html').read_text()

    (work_dir / 'tradeoff.png').unlink()
    with pytest.raises(SystemExit, match=r'neither .*tradeoff.svg nor tradeoff.png'):
        report(work_dir, '--no-pictures')


def test_no_folder_and_no_rows_are_refused(work_dir):
    with pytest.raises(SystemExit, match='is not a folder; give the work dir'):
        report(work_dir / 'nowhere')
    (work_dir / 'tradeoff.json').write_text('[]')
    with pytest.raises(SystemExit, match='has no rows, because no run is finished'):
        report(work_dir)


def test_people_can_have_moved_or_be_left_out(work_dir):
    people = work_dir.parent / 'people'
    people.rename(work_dir.parent / 'moved')

    report(work_dir, '--people', work_dir.parent / 'moved')
    assert 'Faces before and after' in (work_dir / 'report.html').read_text()
    report(work_dir, '--no-pictures')
    assert 'Faces before and after' not in (work_dir / 'report.html').read_text()


# Audits by eye.


@pytest.fixture
def audited(work_dir):
    """The same, with attackers that look at the margin, and a restorer."""
    pixels = dict(type='mmanon.MarginPixelRecognizer', size=16)
    torch.manual_seed(0)
    restorer = dict(type='mmanon.NAFNetRestorer', base_channels=2)
    weights = work_dir / 'restorer.pth'
    torch.save(MODELS.build(restorer).state_dict(), weights)
    given = dict(type='Pretrained', checkpoint=str(weights))
    restoring = dict(
        type='mmanon.RestoringRecognizer',
        modifier=dict(type='mmanon.IdentityModifier'),
        restorer=dict(**restorer, init_cfg=given),
        recognizer=pixels,
        view='crop',
    )
    rows = list(made_up_rows())
    for row in made_up_rows():
        if row.attacker == 'D':
            rows.append(replace(row, attacker='pixels', view='crop', eer=row.eer / 2))
            rows.append(
                replace(row, attacker='unet', view='crop', eer=row.eer / 3 + 0.1)
            )
    write_rows(rows, work_dir / 'tradeoff.json')
    for path in work_dir.glob('runs/*/*/test.json'):
        settings = json.loads(path.read_text())
        [metric] = settings['test_evaluator'][1:]
        for name, recognizer in (('pixels-crop', pixels), ('unet-crop', restoring)):
            more = dict(metric, recognizer=recognizer, prefix=name, view='crop')
            settings['test_evaluator'].append(more)
        path.write_text(json.dumps(settings))
    return work_dir


def test_each_method_is_seen_through_its_worst_attacker(audited):
    audits = make_audits(read_sweep(audited), count=1)

    assert [audit.method for audit in audits] == ['raw', 'downsample 8', 'learned']
    assert {audit.attacker for audit in audits} == {'pixels-crop'}
    assert {audit.restorer for audit in audits} == {'unet-crop'}
    raw = audits[0]
    assert raw.people == 4
    # All four have the same three pictures: each finds its like in three others.
    [worst], [best] = raw.worst, raw.best
    assert worst.person != best.person and worst.rank <= best.rank
    for one in (worst, best):
        assert one.modified == one.original and one.restored != one.modified
        assert len(one.nearest) == 5
        assert one.original in [url for _, url in one.nearest]
        assert one.person not in [
            name for name, url in one.nearest if url == one.original
        ]


def test_audits_are_on_the_page_with_the_right_person_framed(audited):
    report(audited, '--audit', 1)
    page = (audited / 'report.html').read_text()
    assert 'Who is hidden worst, and who best' in page
    assert 'pixels-crop, 4 people; restored by unet-crop' in page
    assert page.count('hidden worst: ') == page.count('hidden best: ') == 3

    report(audited, '--audit', 0)
    assert 'hidden worst' not in (audited / 'report.html').read_text()
    with pytest.raises(SystemExit, match='must not be negative, got -1'):
        report(audited, '--audit', -1)


def test_the_discriminator_alone_is_no_auditor(work_dir):
    assert make_audits(read_sweep(work_dir)) == []


def test_places_count_people_and_leave_a_probes_own_picture_out():
    gallery = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0.7, 0.7]])
    labels = np.array([0, 0, 1, 1, 2])
    gallery = np.concatenate([gallery, [[0.7, 0.7]]])
    labels = np.append(labels, 2)
    places, alike = rank_people(gallery, gallery, labels)
    assert places.tolist() == [1] * 6
    assert np.isinf(np.diag(alike)).all()
    # Shown another's face, the right person is found last.
    probes = gallery[[2, 1, 2, 3, 4, 5]]
    assert rank_people(probes, gallery, labels)[0].tolist() == [3, 1, 1, 1, 1, 1]


def test_attributes_have_a_table_of_their_own(work_dir):
    for path in work_dir.glob('runs/*/*/figures.json'):
        figures = json.loads(path.read_text())
        figures['attributes/gender/chance'] = 0.5
        figures['attributes/gender/original/balanced_accuracy'] = 0.9
        figures['attributes/gender/modified/balanced_accuracy'] = 0.75
        path.write_text(json.dumps(figures))
    report(work_dir, '--no-pictures')
    page = (work_dir / 'report.html').read_text()
    found = cells(page, 'learned')[-2]
    assert found == ['gender', '50.0 ± 0.0', '90.0 ± 0.0', '75.0 ± 0.0']


def test_a_browser_shows_it_without_any_other_file(work_dir, tmp_path):
    report(work_dir)

    with open_browser(tmp_path) as browser:
        browser.open(work_dir / 'report.html')
        images = '[...document.images]'
        assert browser.run(f'{images}.every((one) => one.naturalWidth > 0)')
        # The plot, and three grids of four methods: 4 + 3 + 3 faces.
        assert browser.run(f'{images}.length') == 1 + 4 * (4 + 3 + 3)
        heads = browser.run("document.querySelector('.grid thead').innerText")
        assert NASTY in heads
        assert browser.problems == []
        assert all(one.startswith(('file:', 'data:')) for one in browser.requests)
