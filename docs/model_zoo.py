"""The directive ``model-zoo``: a table of each metafile that model-index.yml names."""

from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]


def read_metafiles(root: Path = ROOT) -> list[dict]:
    """The metafiles in the order of ``model-index.yml``.

    Raises:
        FileNotFoundError: When a metafile, or a config or README that it names, is not
            there.
        ValueError: When a model is of a collection that its metafile lacks.
    """
    index = yaml.safe_load((root / 'model-index.yml').read_text(encoding='utf-8'))
    metafiles = []
    for name in index['Import']:
        metafile = yaml.safe_load((root / name).read_text(encoding='utf-8'))
        collections = {one['Name'] for one in metafile['Collections']}
        named = [one['README'] for one in metafile['Collections'] if 'README' in one]
        for model in metafile['Models']:
            if model['In Collection'] not in collections:
                raise ValueError(
                    f'{name}: {model["Name"]} is in the collection '
                    f'{model["In Collection"]!r}, which the metafile does not have; it '
                    f'has {sorted(collections)}'
                )
            named.append(model['Config'])
        for path in named:
            if not (root / path).is_file():
                raise FileNotFoundError(f'{name} names {path}, which does not exist')
        metafiles.append(metafile)
    return metafiles


def zoo_page(metafiles: list[dict]) -> str:
    """Markdown: a section for each collection, a row for each model."""
    lines = []
    for metafile in metafiles:
        for collection in metafile['Collections']:
            lines += _section(collection, metafile['Models'])
    return '\n'.join(lines)


def _section(collection: dict, models: list[dict]) -> list[str]:
    models = [one for one in models if one['In Collection'] == collection['Name']]
    parts = ', '.join(collection.get('Metadata', {}).get('Architecture', []))
    paper = collection.get('Paper')
    lines = [f'## {collection["Name"]}', '']
    if parts:
        lines += [f'Made of {parts}.', '']
    if paper:
        lines += [f'[{paper["Title"]}]({paper["URL"]})', '']
    kinds = sorted({kind for model in models for kind in _metrics(model)})
    weights = any('Weights' in model for model in models)
    header = ['config', 'data', *kinds, *(['weights'] if weights else [])]
    lines += [_row(header), _row(['---'] * len(header))]
    for model in models:
        metrics = _metrics(model)
        row = [f'`{model["Config"].removeprefix("configs/")}`']
        row.append(str(model.get('Metadata', {}).get('Training Data', '')))
        row += [str(metrics.get(kind, '')) for kind in kinds]
        if weights:
            url = model.get('Weights')
            row.append(f'[checkpoint]({url})' if url else '')
        lines.append(_row(row))
    return [*lines, '']


def _metrics(model: dict) -> dict[str, object]:
    """Results by ``task, metric``."""
    return {
        f'{result["Task"]}, {name}': value
        for result in model.get('Results', [])
        for name, value in result.get('Metrics', {}).items()
    }


def _row(cells: list[str]) -> str:
    return '| ' + ' | '.join(cells) + ' |'


class ModelZoo(SphinxDirective):
    """Puts :func:`zoo_page` in the place of the directive."""

    def run(self) -> list[nodes.Node]:
        metafiles = [ROOT / 'model-index.yml', *ROOT.glob('configs/**/metafile.yml')]
        for path in metafiles:
            self.env.note_dependency(str(path))
        lines = zoo_page(read_metafiles()).splitlines()
        holder = nodes.Element()
        self.state.nested_parse(
            StringList(lines, source='metafiles'), 0, holder, match_titles=True
        )
        return holder.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive('model-zoo', ModelZoo)
    return dict(parallel_read_safe=True)
