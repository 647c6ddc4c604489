from pathlib import Path

from mmanon.utils.user_cache import user_cache


def test_it_is_where_the_system_says(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert user_cache() == tmp_path / 'mmanon'
    for unusable in ('', 'relative'):
        monkeypatch.setenv('XDG_CACHE_HOME', unusable)
        assert user_cache() == Path.home() / '.cache' / 'mmanon'
    assert not (tmp_path / 'mmanon').exists()
