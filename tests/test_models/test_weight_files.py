import io
import zipfile
from collections import OrderedDict
from pathlib import PurePosixPath

import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmanon.models.pretrained import WholePretrained
from mmanon.models.weight_files import (
    check_checkpoint,
    extract_part,
    load_weights,
    save_weights,
)


def saved(what, **kwargs):
    file = io.BytesIO()
    torch.save(what, file, **kwargs)
    return file.getvalue()


def weights(count=2):
    return {f'layer{index}.weight': torch.rand(40, 40) for index in range(count)}


def zipped(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr(name, 'x')
    return file.getvalue()


def scripted():
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), file)
    return file.getvalue()


OLD = dict(_use_new_zipfile_serialization=False)
BROKEN = {
    'text': (lambda: b'epoch 3, loss 0.2\n', 'seems to be a text file'),
    'accented text': (lambda: 'é'.encode() * 400, 'seems to be a text file'),
    'web page': (
        lambda: b'\n<!DOCTYPE html>\n<html><title>404</title>',
        'seems to be a web page.*fetch it again',
    ),
    'pointer': (
        lambda: b'version https://git-lfs.github.com/spec/v1\noid',
        'git lfs pull',
    ),
    'empty': (lambda: b'', 'seems to be empty'),
    'cut short': (lambda: saved(weights())[:-300], 'was cut short'),
    'cut short, old format': (lambda: saved(weights(), **OLD)[:-300], 'cut short'),
    'cut to its head, old format': (lambda: saved(weights(), **OLD)[:60], 'cut short'),
    'picture': (lambda: b'\x89PNG\r\n\x1a\n' + bytes(40), 'seems to be a picture'),
    'archive': (lambda: zipped('model/weights.bin'), 'zip archive: unpack it'),
    'program': (scripted, 'TorchScript'),
    'noise': (lambda: bytes(range(7, 255)) * 3, 'damaged or a file of another kind'),
    'a list': (lambda: saved([torch.ones(2)]), 'holds a list, not weights'),
    'no weights': (
        lambda: saved(dict(epoch=3, name='x')),
        'no weights.*it holds epoch, name',
    ),
    'objects': (
        lambda: saved(dict(state_dict=weights(), path=PurePosixPath('a'))),
        'holds objects of pathlib.PurePosixPath in addition to weights',
    ),
}


@pytest.mark.parametrize('kind', BROKEN)
@pytest.mark.parametrize('read', [load_weights, check_checkpoint])
def test_a_broken_checkpoint_is_named_with_what_it_seems_to_be(tmp_path, kind, read):
    content, message = BROKEN[kind]
    path = tmp_path / 'broken.pth'
    path.write_bytes(content())

    with pytest.raises(ValueError, match=f'(?s)broken.pth.*{message}') as refusal:
        read(path)

    said = str(refusal.value)
    # PyTorch's own advice would run whatever code the file holds.
    assert 'weights_only' not in said and 'WEIGHTS_ONLY' not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize('read', [load_weights, check_checkpoint])
def test_a_checkpoint_that_is_not_there_is_named(tmp_path, read):
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        read(tmp_path / 'none.pth')
    with pytest.raises(ValueError, match='a folder: name a file in it'):
        read(tmp_path)


@pytest.mark.parametrize('options', [{}, OLD], ids=['format', 'old format'])
def test_checkpoints_and_state_dicts_are_read(tmp_path, options):
    state = OrderedDict(weights())
    for what in (state, dict(state_dict=state, meta=dict(epoch=1))):
        path = tmp_path / 'a.pth'
        path.write_bytes(saved(what, **options))

        check_checkpoint(path)

        assert torch.equal(load_weights(path)['layer1.weight'], state['layer1.weight'])


def test_mmengines_logs_are_read_along(tmp_path):
    buffer = HistoryBuffer()
    buffer.update(0.5)
    path = tmp_path / 'a.pth'
    path.write_bytes(saved(dict(state_dict=weights(), message_hub=dict(loss=buffer))))

    check_checkpoint(path)

    assert set(load_weights(path)) == set(weights())


def test_an_address_is_not_looked_at():
    check_checkpoint('https://example.org/a.pth')


def test_pretrained_weights_are_refused_alike(tmp_path):
    path = tmp_path / 'page.pth'
    path.write_text('<html>404')

    with pytest.raises(ValueError, match='page.pth.*a web page'):
        WholePretrained().load_pretrained(path)


def test_weights_are_written_whole(tmp_path):
    save_weights(tmp_path / 'new' / 'a.pth', weights(), exported='detector')

    file = torch.load(tmp_path / 'new' / 'a.pth', weights_only=True)
    assert file['meta'] == dict(exported='detector')
    assert set(file['state_dict']) == set(weights())
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.pth']


def test_the_same_weights_make_the_same_file(tmp_path):
    state = weights()
    for name in ('a', 'b'):
        save_weights(tmp_path / f'{name}.pth', state, exported='modifier')

    assert (tmp_path / 'a.pth').read_bytes() == (tmp_path / 'b.pth').read_bytes()


def test_a_part_comes_out_by_its_own_names():
    state = {f'detector.{name}': one for name, one in weights().items()}

    assert set(extract_part(state, 'detector.')) == set(weights())
    with pytest.raises(KeyError, match='no weights named discriminator'):
        extract_part(state, 'discriminator.')


@pytest.mark.parametrize('name', ['load_weights', 'save_weights', 'extract_part'])
def test_the_old_place_gives_the_same_and_says_where_it_is(name):
    from mmanon.engine import checkpoints
    from mmanon.models import weight_files

    with pytest.warns(DeprecationWarning, match=f'weight_files.{name} now'):
        assert getattr(checkpoints, name) is getattr(weight_files, name)
