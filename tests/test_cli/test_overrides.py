import pytest
from mmengine.config import Config

from mmanon.cli.overrides import check_overrides
from mmanon.cli.run_config import read_config, read_overrides


@pytest.fixture
def config():
    return Config(
        dict(
            custom_hooks=[dict(type='mmanon.AdversarialAnonymizationHook', margin=0.6)],
            train_cfg=dict(max_epochs=2),
            load_from=None,
        )
    )


def test_what_is_there_is_overridden(config):
    assert check_overrides(config, {'custom_hooks.0.margin': 0.4}) == []
    assert check_overrides(config, {'load_from': 'x.pth'}) == []


@pytest.mark.parametrize(
    'key, said',
    [
        (
            'custom_hooks.1.margin',
            "custom_hooks is a list, whose entries are 0 to 0, not '1'",
        ),
        (
            'custom_hooks.margin',
            "custom_hooks is a list, whose entries are 0 to 0, not 'margin'",
        ),
        ('load_from.file', "load_from is None, which has no 'file'"),
        (
            'custm_hooks.0.margin',
            "the config has no 'custm_hooks' and nothing would read it; did you mean "
            "'custom_hooks'",
        ),
        ('zzz', "the config has no 'zzz' and nothing would read it; write it into"),
    ],
)
def test_a_place_that_is_not_there_is_refused(config, key, said):
    with pytest.raises(ValueError) as error:
        check_overrides(config, {key: 1})
    assert str(error.value).startswith(f'{key}: {said}')


def test_what_mmengine_reads_may_be_added(config):
    for key in ('randomness.seed', 'auto_scale_lr.enable', 'compile', 'resume'):
        assert check_overrides(config, {key: 1}) == []


def test_a_new_key_much_like_one_that_is_there_is_said(config):
    (said,) = check_overrides(config, {'train_cfg.max_epoch': 1, 'train_cfg.begin': 1})
    assert said == (
        "train_cfg.max_epoch: train_cfg has no 'max_epoch', so it is added; "
        "but it has 'max_epochs'"
    )


def test_values_are_read_as_mmengine_reads_them():
    given = ['a.b=1', 'c=[x,2]', 'd=true', 'e=f=g']
    assert read_overrides(given) == {'a.b': 1, 'c': ['x', 2], 'd': True, 'e': 'f=g'}
    assert read_overrides(None) == {}
    with pytest.raises(SystemExit, match='Imbalanced brackets'):
        read_overrides(['a=[(1,2]'])


def test_a_config_is_read_with_its_overrides(config, tmp_path, capsys):
    config.dump(tmp_path / 'config.py')
    path = str(tmp_path / 'config.py')
    assert (
        read_config(path, ['custom_hooks.0.margin=0.4']).custom_hooks[0].margin == 0.4
    )
    read_config(path, ['train_cfg.max_epoch=3'])
    assert capsys.readouterr().err.startswith('warning: --cfg-options train_cfg.max_ep')
    with pytest.raises(SystemExit, match=r'--cfg-options custom_hooks\.3'):
        read_config(path, ['custom_hooks.3.margin=0.4'])
    with pytest.raises(SystemExit, match='does not exist'):
        read_config(str(tmp_path / 'nowhere.py'))
