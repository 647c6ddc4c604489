"""Reads and checks the files of a study: the key, the page and answers."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .build import ANSWERS_FORMAT, KEY_FILE, KEY_FORMAT, PAGE_FILE

__all__ = ['Answers', 'Key', 'read_answers', 'read_key', 'read_page']

_DATA = re.compile(r'<script type="application/json" id="study">(.*?)</script>', re.S)


@dataclass(frozen=True)
class Key:
    """The right answers of a study.

    Attributes:
        study: Id of the study.
        margin: Enlargement of the face box on each side of the shown crops, as a
            fraction of its side.
        right: The right answer to each question.
        kinds: Kind of each question, ``'pairs'`` or ``'names'``.
        options: The possible answers to each question.
    """

    study: str
    margin: float
    right: dict[str, Any]
    kinds: dict[str, str]
    options: dict[str, list]


@dataclass(frozen=True)
class Answers:
    """The answers of one person, or of a machine.

    Attributes:
        path: The file.
        kind: ``'person'`` or ``'machine'``.
        respondent: A random number, or the name of the machine.
        given: The answer to each answered question.
    """

    path: Path
    kind: str
    respondent: str
    given: dict[str, Any]


def read_key(folder: Path) -> Key:
    """Read the key of a study.

    Args:
        folder (Path): Folder of ``mmanon user-study build``.

    Raises:
        FileNotFoundError: If the key does not exist.
        ValueError: If the file is not a key.
    """
    path = folder / KEY_FILE
    content = _read_json(path, KEY_FORMAT, 'the key of a study')
    questions = content['questions']
    return Key(
        study=content['study'],
        margin=content['margin'],
        right={name: question['right'] for name, question in questions.items()},
        kinds={name: question['kind'] for name, question in questions.items()},
        options={name: question['options'] for name, question in questions.items()},
    )


def read_page(folder: Path, key: Key) -> dict[str, Any]:
    """Read the content of the page of a study: ``questions`` and ``images``.

    Raises:
        FileNotFoundError: If the page does not exist.
        ValueError: If the file is not a page, or belongs to another study than the
            key.
    """
    path = folder / PAGE_FILE
    found = _DATA.search(path.read_text(encoding='utf-8'))
    if found is None:
        raise ValueError(f'{path} is not a page of a study')
    study = json.loads(found[1])
    if study['id'] != key.study:
        raise ValueError(
            f'{path} belongs to the study {study["id"]}, but the key next to it to '
            f'{key.study}: build them again'
        )
    return study


def read_answers(path: Path, key: Key) -> Answers:
    """Read the answers that a page has saved, or those of a machine.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the answers belong to another study, or an answer is invalid;
            the message names the question.
    """
    content = _read_json(path, ANSWERS_FORMAT, 'a file of answers')
    if content.get('study') != key.study:
        raise ValueError(
            f'{path} answers the study {content.get("study")!r}, but the key belongs '
            f'to {key.study!r}'
        )
    respondent = content.get('respondent')
    respondent = respondent if isinstance(respondent, dict) else {}
    kind, name = respondent.get('kind'), respondent.get('id')
    if kind not in ('person', 'machine') or not isinstance(name, str) or not name:
        raise ValueError(
            f"{path}: respondent must have a kind, 'person' or 'machine', and an id, "
            f'got {respondent}'
        )
    given: dict[str, Any] = {}
    answers = content.get('answers')
    for entry in answers if isinstance(answers, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get('question'), str):
            raise ValueError(f'{path}: {entry!r} is not an answer to a question')
        question, answer = entry['question'], entry.get('answer')
        if question not in key.right:
            raise ValueError(
                f'{path} answers {question!r}, which is not a question of the study'
            )
        if question in given:
            raise ValueError(f'{path} answers {question!r} twice')
        if isinstance(answer, bool) or answer not in key.options[question]:
            raise ValueError(
                f'{path}: the answer to {question!r} must be one of '
                f'{key.options[question]}, got {answer!r}'
            )
        given[question] = answer
    if not given:
        raise ValueError(f'{path} has no answers')
    return Answers(path, kind, name, given)


def _read_json(path: Path, form: str, what: str) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f'{path}, {what}, does not exist')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not JSON: {error}') from None
    if not isinstance(content, dict) or content.get('format') != form:
        raise ValueError(f'{path} is not {what}: its `format` is not {form!r}')
    return content
