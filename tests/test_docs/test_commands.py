"""Runs the quick commands of the pages; `make docs-check` runs the long ones."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from commands import MARKS, marked_blocks, pages, read_blocks, run_page

ROOT = Path(__file__).parents[2]
QUICK = [page for page in pages() if marked_blocks(page, MARKS[:1])]
DOORS = {
    'mmanon-anonymize': ('-m', 'mmanon', 'anonymize'),
    'mmanon-audit': ('-m', 'mmanon', 'audit'),
    'mmanon-app': ('-m', 'mmanon', 'app'),
}
# Commands whose first argument names one of several.
WITH_PARTS = ('user-study', 'tools/user_study.py', 'tools/benchmark.py')


@pytest.mark.parametrize('page', QUICK, ids=lambda page: page.name)
def test_the_quick_commands_of_a_page_run(page, tmp_path):
    blocks = marked_blocks(page, MARKS[:1])

    assert [block for block, _ in run_page(blocks, tmp_path)] == blocks


def test_the_pages_of_the_first_steps_have_commands_that_run():
    assert {'README.md', 'get_started.md', 'audit.md', 'own_clips.md'} <= {
        page.name for page in QUICK
    }


def test_a_command_that_fails_is_named(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('<!-- run -->\n```bash\nls clip.mp4\nmmanon no-such-command\n```\n')
    folder = tmp_path / 'folder'
    folder.mkdir()

    with pytest.raises(RuntimeError, match=r'page\.md:2 ended with 2[^$]*no-such-comm'):
        list(run_page(read_blocks(page), folder))


@pytest.mark.parametrize(
    'text', ['<!-- run: soon -->\n```bash\nls\n```\n', '<!-- run -->\n\ntext\n']
)
def test_a_wrong_mark_is_refused(tmp_path, text):
    page = tmp_path / 'page.md'
    page.write_text(text)

    with pytest.raises(ValueError, match='run'):
        read_blocks(page)


@cache
def help_of(command: tuple[str, ...]) -> str:
    done = subprocess.run(
        [sys.executable, *command, '--help'], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f'{command}: {done.stderr}'
    if command[-1] == 'anonymize-on-ray':  # it passes all others on
        return done.stdout + help_of(DOORS['mmanon-anonymize'])
    return done.stdout


def commands_of(text: str):
    """Each command of ours in a block of bash: its program, and its options."""
    for line in text.replace('\\\n', ' ').splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quote over several lines
            continue
        while words and re.fullmatch(r'\w+=\S*', words[0]):
            words = words[1:]
        if len(words) < 2:
            continue
        if words[0] in DOORS:
            program = DOORS[words[0]]
        elif words[0] == 'mmanon' and words[1] == 'convert' and words[2] != 'NAME':
            name = words[2].replace('-', '_')
            program = (f'tools/dataset_converters/{name}.py',)
        elif words[0] == 'mmanon' and not words[1].startswith('-'):
            program = ('-m', 'mmanon', words[1])
        elif words[0] == 'python' and words[1].startswith('tools/'):
            program = (words[1],)
        else:
            continue
        if program[-1] in WITH_PARTS:
            program += (words[2],)
        yield (
            program,
            {word.split('=')[0] for word in words if re.match(r'--[a-z]', word)}
            - {'--help'},
        )


@pytest.mark.parametrize('page', pages(), ids=lambda page: page.name)
def test_options_that_a_page_names_are_options(page):
    for block in read_blocks(page):
        if block.language == 'bash':
            for program, options in commands_of(block.text):
                if options and program[-1] not in ('convert', 'COMMAND'):
                    said = help_of(program)
                    missing = {
                        one
                        for one in options
                        if not re.search(rf'{one}(?![\w-])', said)
                    }
                    assert not missing, f'{page}:{block.line}: {program} {missing}'
