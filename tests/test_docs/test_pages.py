import ast
import inspect
import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from model_zoo import read_metafiles, zoo_page
from repository_links import without_outside_links

import mmanon
from mmanon.cli.main import COMMANDS
from mmanon.engine.hooks import AdversarialAnonymizationHook

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT / 'docs')) for path in (ROOT / 'docs').rglob('*.md')
)


def test_every_argument_of_the_hook_is_explained_and_no_other(docs):
    page = (docs / 'configs.md').read_text()
    part = page.split('## Every argument of the hook')[1].split('\n## ')[0]
    named = [
        name
        for row in re.findall(r'^\| (`.*?`) \|', part, re.M)
        for name in re.findall(r'`(\w+)`', row)
    ]

    parameters = inspect.signature(AdversarialAnonymizationHook).parameters
    arguments = [
        name for name, one in parameters.items() if one.kind != one.VAR_KEYWORD
    ]
    assert sorted(named) == sorted(arguments)


def test_the_defaults_that_are_told_are_the_hooks(docs):
    page = (docs / 'configs.md').read_text()
    told = dict(
        re.findall(r'^\| `(crop_size|margin|feather)` \| ([\d.]+) ', page, re.M)
    )

    parameters = inspect.signature(AdversarialAnonymizationHook).parameters
    assert {name: float(value) for name, value in told.items()} == {
        name: parameters[name].default for name in ('crop_size', 'margin', 'feather')
    }


def test_the_config_that_is_shown_changes_the_hook_of_its_base(docs):
    config = Config.fromfile(docs / 'examples' / 'anonymized_slowonly.py')

    hook, pictures = config.custom_hooks
    assert hook.type == 'mmanon.AdversarialAnonymizationHook'
    assert (hook.margin, hook.modifier.type) == (0.4, 'mmanon.UNetModifier')
    assert hook.discriminator.backbone.depth == 20
    assert pictures.type == 'mmanon.FacePictureHook'


@pytest.mark.parametrize('page', PAGES)
def test_python_of_a_page_is_python(blocks, page):
    for block in blocks(page):
        ast.parse(block)


@pytest.mark.parametrize('page', PAGES)
def test_files_that_a_page_names_exist(docs, page):
    text = re.sub(r'```.*?```', '', (docs / page).read_text(), flags=re.S)
    for link in re.findall(r'\]\(([^)#\s]+)', text):
        if not re.match(r'[a-z]+:', link):
            assert ((docs / page).parent / link).exists(), link


def test_commands_name_tools_that_exist(docs):
    for page in docs.rglob('*.md'):
        for tool in re.findall(r'(?<![\w/])tools/\w+\.(?:py|sh)', page.read_text()):
            assert (ROOT / tool).is_file(), f'{page}: {tool}'


def test_commands_are_commands_of_mmanon(docs):
    known = {name for group in COMMANDS.values() for name in group}
    converters = {path.stem for path in ROOT.glob('tools/dataset_converters/*.py')}
    found = set()
    for page in [ROOT / 'README.md', *docs.rglob('*.md')]:
        blocks = re.findall(r'```bash\n(.*?)```', page.read_text(), re.DOTALL)
        for line in re.findall(r'^ *mmanon +(\S+.*)$', '\n'.join(blocks), re.MULTILINE):
            command, *rest = line.split()
            assert command in {*known, '--help', 'COMMAND'}, f'{page}: mmanon {line}'
            if command == 'convert' and rest[0] != 'NAME':
                assert rest[0].replace('-', '_') in converters, f'{page}: mmanon {line}'
            found.add(command)
    assert {'train', 'test', 'export', 'detect-faces', 'convert'} <= found


def test_the_model_zoo_has_every_model_of_the_index():
    metafiles = read_metafiles()
    page = zoo_page(metafiles)

    listed = {path.parent.name for path in ROOT.glob('configs/*/metafile.yml')}
    assert listed == {Path(m['Models'][0]['Config']).parent.name for m in metafiles}
    for metafile in metafiles:
        for model in metafile['Models']:
            assert page.count(f'`{model["Config"].removeprefix("configs/")}`') == 1


@pytest.fixture
def zoo(tmp_path):
    """A repository of one metafile, which a test may spoil."""
    metafile = dict(
        Collections=[dict(Name='A', README='configs/a/README.md')],
        Models=[
            {
                'Name': 'a1',
                'In Collection': 'A',
                'Config': 'configs/a/a1.py',
                'Metadata': {'Training Data': 'AVA 2.1'},
                'Results': [{'Task': 'Detection', 'Metrics': {'mAP': 20.5}}],
                'Weights': 'https://example.org/a1.pth',
            }
        ],
    )
    (tmp_path / 'configs/a').mkdir(parents=True)
    for name in ('a1.py', 'README.md'):
        (tmp_path / 'configs/a' / name).touch()
    (tmp_path / 'model-index.yml').write_text('Import: [configs/a/metafile.yml]\n')

    def write():
        path = tmp_path / 'configs/a/metafile.yml'
        path.write_text(yaml.safe_dump(metafile))
        return tmp_path

    return metafile, write


def test_results_and_weights_of_a_metafile_are_shown(zoo):
    page = zoo_page(read_metafiles(zoo[1]()))

    assert '| config | data | Detection, mAP | weights |' in page
    row = '| `a/a1.py` | AVA 2.1 | 20.5 | [checkpoint](https://example.org/a1.pth) |'
    assert row in page


def test_a_metafile_that_names_a_missing_config_is_refused(zoo):
    zoo[0]['Models'][0]['Config'] = 'configs/a/gone.py'

    with pytest.raises(FileNotFoundError, match=r'a/metafile.yml names configs/a/gone'):
        read_metafiles(zoo[1]())


def test_a_model_of_an_unknown_collection_is_refused(zoo):
    zoo[0]['Models'][0]['In Collection'] = 'B'

    with pytest.raises(ValueError, match="a1 is in the collection 'B'"):
        read_metafiles(zoo[1]())


@pytest.mark.parametrize(
    'link, shown',
    [
        ('[configs/a](../configs/a)', '`configs/a`'),
        ('[`a1.py`](../configs/a/a1.py)', '`a1.py`'),
        ('[the config](../configs/a/a1.py#top)', 'the config (`configs/a/a1.py`)'),
        ('[a page](sub/page.md)', '[a page](sub/page.md)'),
        ('![a picture](../configs/a)', '![a picture](../configs/a)'),
    ],
)
def test_links_out_of_the_docs_become_their_text(zoo, link, shown):
    root = zoo[1]()
    page = root / 'docs' / 'page.md'

    assert without_outside_links(link, page, root / 'docs') == shown


def test_a_link_to_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'\.\./gone\.md does not exist'):
        without_outside_links('[x](../gone.md)', tmp_path / 'd/p.md', tmp_path / 'd')


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())

    assert citation['version'] == mmanon.__version__
    newest = (ROOT / 'CHANGELOG.md').read_text().split('\n## ')[1].splitlines()[0]
    assert newest == f'{mmanon.__version__} ({citation["date-released"]})'
