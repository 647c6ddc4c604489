"""A user study: can people tell whom a modified image shows?"""

from .build import KEY_FILE, PAGE_FILE, build_study
from .files import Answers, Key, read_answers, read_key, read_page
from .machine import answer_by_machine
from .questions import Questions, draw_questions
from .scores import Score, score_answers, scores_table, wilson_interval

__all__ = [
    'Answers',
    'KEY_FILE',
    'Key',
    'PAGE_FILE',
    'Questions',
    'Score',
    'answer_by_machine',
    'build_study',
    'draw_questions',
    'read_answers',
    'read_key',
    'read_page',
    'score_answers',
    'scores_table',
    'wilson_interval',
]
