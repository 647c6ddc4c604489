import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope='module')
def site(docs, tmp_path_factory) -> Path:
    """The built site."""
    out = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html']
    built = subprocess.run(
        [*command, '-d', str(out / 'doctrees'), str(docs), str(out / 'html')],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return out / 'html'


def test_the_site_builds_without_warnings(site, docs):
    for page in docs.rglob('*.md'):
        assert (site / page.relative_to(docs)).with_suffix('.html').is_file(), page


def test_the_site_needs_nothing_from_elsewhere(site):
    for page in site.rglob('*.html'):
        text = page.read_text(encoding='utf-8')
        loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(
            r'<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="([^"]+)', text
        )
        assert not [one for one in loaded if '//' in one], page


def test_the_reference_shows_what_configs_name(site):
    for page, name in (
        ('models', 'mmanon.models.modifiers.ResNetModifier'),
        ('models', 'mmanon.models.attackers.AdaptiveRecognizer'),
        ('engine', 'mmanon.engine.hooks.AdversarialAnonymizationHook'),
        ('datasets', 'mmanon.datasets.face_identities.FaceIdentityDataset'),
        ('evaluation', 'mmanon.evaluation.FaceVerificationMetric'),
        ('anonymizer', 'mmanon.anonymizer.AnonymizerInferencer'),
        ('structures', 'mmanon.structures.face_table.FaceTable'),
        ('face_detectors', 'mmanon.face_detectors.MTCNNFaceDetector'),
        ('tracking', 'mmanon.tracking.offline_tracks.link_faces'),
        ('tradeoff', 'mmanon.tradeoff.pareto_front'),
        ('utils', 'mmanon.utils.atomic_write.written_whole'),
    ):
        assert f'id="{name}"' in (site / 'api' / f'{page}.html').read_text(), name


def test_examples_are_shown_whole(site, docs):
    shown = ' '.join(path.read_text() for path in site.glob('extending/*.html'))
    plain = re.sub(r'<[^>]+>', '', shown)
    for path in (docs / 'examples').glob('*.py'):
        if path.stem == 'anonymized_slowonly':
            continue
        first = path.read_text().splitlines()[-1].strip()
        assert first.split("'")[0] in plain, path
