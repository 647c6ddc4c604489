import json
import re
import time
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from browser import open_browser
from torch import nn

from mmanon.datasets.face_identities import FaceIdentityDataset
from mmanon.evaluation.user_study import (
    PAGE_FILE,
    Answers,
    Key,
    answer_by_machine,
    build_study,
    draw_questions,
    read_answers,
    read_key,
    read_page,
    score_answers,
    scores_table,
    wilson_interval,
)
from mmanon.models.modifiers import (
    DownsampleModifier,
    GaussianNoiseModifier,
    IdentityModifier,
    ResNetModifier,
)
from mmanon.utils.inline_images import decode_image_url

LABELS = np.repeat(np.arange(8), 10)
EVIL = '<script>alert(1)</script> & "Zoë"'


class ByColour(nn.Module):
    """Knows people by the mean colour of a face."""

    def embed(self, faces):
        return faces.mean((2, 3)) + 1e-3


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Six people of one colour each, six images a person; one has a nasty name."""
    root = tmp_path_factory.mktemp('people')
    random = np.random.default_rng(0)
    for person, name in enumerate(['ann', 'bob', 'cid', 'dan', 'eve', 'f']):
        folder = root / (name if name != 'f' else EVIL.replace('/', '∕'))
        folder.mkdir()
        colour = np.array([person & 1, person >> 1 & 1, person >> 2 & 1]) * 150 + 50
        for image in range(6):
            pixels = colour + random.integers(-9, 9, (32, 32, 3))
            cv2.imwrite(str(folder / f'{image}.png'), pixels.astype(np.uint8))
    return FaceIdentityDataset(root, crop_size=32, margin=0.3, test_mode=True)


def make_study(people, folder, modifier=None, **drawing):
    drawing = {'pairs': 6, 'names': 6, 'choices': 3, **drawing}
    questions = draw_questions(people.labels, **drawing)
    build_study(folder, people, questions, modifier or DownsampleModifier(8))
    key = read_key(folder)
    return key, read_page(folder, key)


def answers_of(key, given, kind='person', respondent='1'):
    return Answers(None, kind, respondent, given)


# --- The questions --------------------------------------------------------------------


def test_half_of_the_pairs_are_of_one_person():
    pairs = draw_questions(LABELS, pairs=20, names=0).pairs

    assert sum(one.same for one in pairs) == 10
    assert all((LABELS[one.first] == LABELS[one.second]) == one.same for one in pairs)
    answers = [one.same for one in pairs]
    assert answers not in (sorted(answers), sorted(answers, reverse=True))


def test_no_image_is_asked_about_twice_in_one_kind():
    drawn = draw_questions(LABELS, pairs=24, names=40)

    in_pairs = [i for one in drawn.pairs for i in (one.first, one.second)]
    assert len(set(in_pairs)) == 48
    assert len({one.image for one in drawn.names}) == 40


def test_the_references_are_asked_about_nowhere():
    drawn = draw_questions(LABELS, pairs=24, names=40, references=3)

    asked = {i for one in drawn.pairs for i in (one.first, one.second)}
    asked |= {one.image for one in drawn.names}
    for person, shown in drawn.references.items():
        assert len(shown) == 3 and set(LABELS[shown]) == {person}
        assert not asked & set(shown)


def test_each_person_is_the_right_name_as_often_and_stands_anywhere():
    drawn = draw_questions(LABELS, pairs=0, names=64, choices=4)

    for one in drawn.names:
        assert one.choices[one.right] == LABELS[one.image]
        assert len(set(one.choices)) == 4
    assert set(Counter(LABELS[one.image] for one in drawn.names).values()) == {8}
    assert {one.right for one in drawn.names} == {0, 1, 2, 3}


def test_a_seed_draws_the_same_questions():
    first, again, other = (draw_questions(LABELS, pairs=20, seed=s) for s in (3, 3, 4))

    assert first == again != other


def test_people_with_too_few_images_take_no_part():
    labels = np.append(LABELS, [8, 8, 8])

    drawn = draw_questions(labels, pairs=20, references=2)

    assert drawn.left_out == [8] and 8 not in drawn.references


@pytest.mark.parametrize(
    ('asked', 'message'),
    [
        (dict(pairs=7), 'pairs must be an even number'),
        (dict(pairs=0, names=0), 'names must not be negative, and not 0'),
        (dict(choices=1), 'choices must be at least 2'),
        (dict(references=0), 'references must be at least 1'),
        (dict(choices=9), '9 people with at least 4 images .* only 8 of 8 have'),
        (dict(references=9), '5 people with at least 11 images .* only 0 of 8 have'),
        (dict(pairs=34), '34 pairs of 68 different images'),
        (dict(pairs=0, names=65), '65 questions for names need 65 images'),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        draw_questions(LABELS, **asked)


# --- The page -------------------------------------------------------------------------


def test_the_page_holds_no_answer_no_seed_and_no_file(people, tmp_path):
    key, page = make_study(people, tmp_path)

    text = (tmp_path / PAGE_FILE).read_text()
    assert 'right' not in json.dumps(page['questions'])
    assert {frozenset(one) for one in page['questions']} == {
        frozenset(('id', 'kind', 'images', 'choices'))
    }
    assert set(page) == {'answers_format', 'questions', 'images', 'id'}
    assert not re.search(r'\.png["<]|ann/|"seed"|' + key_hint(tmp_path), text)
    # Nor do the pictures' ids: they count up as the questions come.
    ids = [i for one in page['questions'] for i in one['images']]
    first = list(dict.fromkeys(ids))
    assert first == [f'p{n + 1}' for n in range(len(first))]


def key_hint(folder):
    return re.escape(str(folder))


def test_the_same_person_is_shown_by_the_same_references(people, tmp_path):
    _, page = make_study(people, tmp_path)

    shown = {}
    for question in page['questions']:
        for choice in question['choices']:
            if choice['images']:
                shown.setdefault(choice['label'], set()).add(tuple(choice['images']))
    assert all(len(one) == 1 for one in shown.values())


def test_modified_pictures_are_what_the_modifier_made(people, tmp_path):
    modifier = DownsampleModifier(4)

    key, page = make_study(people, tmp_path, modifier)

    files = json.loads((tmp_path / 'key.json').read_text())['questions']
    index = {p.relative_to(people.data_root).as_posix(): n for n, p in
             enumerate(people.paths)}  # fmt: skip
    for question in page['questions']:
        sources = files[question['id']]['images']
        for picture, file in zip(question['images'], sources, strict=True):
            original = people[index[file]]['image']
            wanted = (modifier(original[None])[0].permute(1, 2, 0) + 1) * 127.5
            pixels = decode_image_url(page['images'][picture])
            assert abs(pixels - wanted.numpy()).max() <= 0.51


def test_a_modifier_without_weights_shows_masks_and_says_so(people, tmp_path):
    key, page = make_study(people, tmp_path, ResNetModifier(base_channels=4))

    content = json.loads((tmp_path / 'key.json').read_text())
    assert content['covered'] == content['modified'] > 0
    for question in page['questions']:
        for picture in question['images']:
            assert decode_image_url(page['images'][picture]).std() == 0


def test_a_random_modifier_draws_the_same_study_again(people, tmp_path):
    state = torch.get_rng_state()
    pages = []
    for name in 'ab':
        make_study(people, tmp_path / name, GaussianNoiseModifier(0.5))
        pages.append((tmp_path / name / PAGE_FILE).read_bytes())

    assert pages[0] == pages[1]
    assert torch.equal(state, torch.get_rng_state())


def test_names_are_escaped_or_hidden(people, tmp_path):
    questions = draw_questions(people.labels, pairs=0, names=6, choices=6)
    for hide in (False, True):
        build_study(tmp_path, people, questions, IdentityModifier(), hide_names=hide)
        page = read_page(tmp_path, read_key(tmp_path))
        text = (tmp_path / PAGE_FILE).read_text()
        labels = {c['label'] for q in page['questions'] for c in q['choices']}

        assert '<script>alert' not in text
        assert ('ann' in labels) != hide
        assert labels == {f'Person {one}' for one in 'ABCDEF'} or not hide


# --- The answers and their scores -----------------------------------------------------


def test_wilson_interval_against_scipy():
    from scipy.stats import binomtest

    for right, total in ((0, 5), (8, 10), (53, 100), (40, 40), (1, 1)):
        for confidence in (0.9, 0.95):
            wanted = binomtest(right, total).proportion_ci(confidence, 'wilson')
            found = wilson_interval(right, total, confidence)
            assert found == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    with pytest.raises(ValueError, match='3 of 2 is not a proportion'):
        wilson_interval(3, 2)


def hand_made_key():
    right = {f'pair-{i}': 'same' for i in range(4)} | {f'name-{i}': 2 for i in range(5)}
    kinds = {name: 'pairs' if name[0] == 'p' else 'names' for name in right}
    options = {'pairs': ['same', 'different'], 'names': [0, 1, 2, 3]}
    return Key('abc', 0.3, right, kinds, {n: options[k] for n, k in kinds.items()})


def test_people_are_scored_together_and_machines_apart():
    key = hand_made_key()
    perfect = dict(key.right)
    poor = {**key.right, 'pair-0': 'different', 'name-0': 1, 'name-1': 0}
    del poor['name-4']

    scores = score_answers(
        key,
        [
            answers_of(key, perfect, respondent='1'),
            answers_of(key, poor, 'machine', 'net'),
            answers_of(key, poor, respondent='2'),
        ],
    )

    found = [(s.who, s.kind, s.asked, s.answered, s.right, s.chance) for s in scores]
    assert found == [
        ('people', 'pairs', 8, 8, 7, 0.5),
        ('people', 'names', 10, 9, 7, 0.25),
        ('machine net', 'pairs', 4, 4, 3, 0.5),
        ('machine net', 'names', 5, 4, 2, 0.25),
    ]
    assert [s.verdict for s in scores] == [
        'better than chance',
        'better than chance',
        'no different from chance',
        'no different from chance',
    ]
    table = scores_table(scores)
    assert '| 2 people | same person or not | 7 / 8 / 8 | 87.5 % |' in table
    assert '| machine net | which of these people | 2 / 4 / 5 | 50.0 % |' in table


def test_one_respondent_counts_once():
    key = hand_made_key()
    both = [answers_of(key, key.right), answers_of(key, key.right)]

    with pytest.raises(ValueError, match='both come from the person 1'):
        score_answers(key, both)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(study='other'), "answers the study 'other', but the key belongs"),
        (dict(format='x'), 'its `format` is not'),
        (dict(respondent=dict(kind='cat', id='1')), 'respondent must have a kind'),
        (dict(answers=[dict(question='z', answer=1)]), "'z', which is not a question"),
        (dict(answers=[dict(question='pair-1', answer=7)]), "'pair-1' must be one of"),
        (dict(answers=[dict(question='name-1', answer=True)]), 'must be one of'),
        (dict(answers=[dict(question='name-1', answer=1)] * 2), "'name-1' twice"),
        (dict(answers=['?']), 'is not an answer to a question'),
        (dict(answers=[]), 'has no answers'),
    ],
)
def test_answers_that_do_not_fit_are_refused(change, message, tmp_path):
    content = dict(
        format='mmanon user study answers 1',
        study='abc',
        respondent=dict(kind='person', id='1'),
        answers=[dict(question='pair-1', answer='same')],
    )
    path = tmp_path / 'answers.json'
    path.write_text(json.dumps(content))
    assert read_answers(path, hand_made_key()).given == {'pair-1': 'same'}

    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(ValueError, match=message):
        read_answers(path, hand_made_key())


def test_a_page_and_a_key_of_two_studies_are_refused(people, tmp_path):
    make_study(people, tmp_path / 'a')
    other, _ = make_study(people, tmp_path / 'b', seed=1)

    with pytest.raises(ValueError, match='belongs to the study .* build them again'):
        read_page(tmp_path / 'a', other)


# --- A machine ------------------------------------------------------------------------


def test_a_recognizer_that_sees_through_answers_all_and_a_mask_stops_it(
    people, tmp_path
):
    for name, modifier in (('seen', DownsampleModifier(8)), ('covered', None)):
        modifier = modifier or ResNetModifier(base_channels=4)
        key, page = make_study(people, tmp_path / name, modifier, names=18, pairs=8)
        path = tmp_path / name / 'machine.json'
        path.write_text(json.dumps(answer_by_machine(page, ByColour(), 'colours')))
        scores = score_answers(key, [read_answers(path, key)])

        assert {one.who for one in scores} == {'machine colours'}
        if name == 'seen':
            assert [one.accuracy for one in scores] == [1.0, 1.0]
        else:
            assert all(one.accuracy < 0.9 for one in scores)


# --- The page in a browser ------------------------------------------------------------


def test_a_person_answers_in_a_browser_and_is_scored(people, tmp_path):
    key, page = make_study(people, tmp_path, names=4, pairs=4)
    wrong = {'pair-2': {'same': 'different', 'different': 'same'}[key.right['pair-2']]}
    wanted = {**key.right, **wrong}

    with open_browser(tmp_path) as browser:
        browser.open(tmp_path / PAGE_FILE)
        browser.click('#start')
        for number, question in enumerate(page['questions']):
            browser.wait_for(
                f"document.getElementById('progress').textContent == "
                f"'Question {number + 1} of 8'"
            )
            browser.wait_for('[...document.images].every((one) => one.naturalWidth)')
            shown = browser.run("document.querySelectorAll('#question img').length")
            assert shown == sum(
                len(one['images']) for one in [question, *question['choices']]
            )
            answers = [one['answer'] for one in question['choices']]
            place = answers.index(wanted[question['id']])
            if number == 3:
                # Loaded again it goes on; an answer can be taken back.
                browser.open(tmp_path / PAGE_FILE)
                # On a busy machine Chromium gives a page its storage back late.
                until = time.monotonic() + 60
                while not browser.run('localStorage.length'):
                    assert time.monotonic() < until, 'the page has lost its answers'
                    time.sleep(0.2)
                    browser.open(tmp_path / PAGE_FILE)
                browser.press(str(2 - place))
                browser.wait_for("document.getElementById('progress').textContent"
                                 ".startsWith('Question 5')")  # fmt: skip
                browser.click('#back')
                browser.wait_for("document.querySelector('button.chosen') !== null")
                browser.press(str(place + 1))
            else:
                browser.click(f'#answers button:nth-of-type({place + 1})')
        browser.wait_for("!document.getElementById('finish').hidden")
        browser.click('#save')
        saved = browser.saved_file()
        assert browser.problems == []
        assert all(one.startswith(('file:', 'data:')) for one in browser.requests)

    answers = read_answers(saved, key)
    assert answers.kind == 'person' and answers.given == wanted
    pairs, names = score_answers(key, [answers])
    assert (pairs.right, pairs.asked, names.right) == (3, 4, 4)
