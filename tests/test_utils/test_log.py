import logging

from mmanon.utils.log import print_log, show_messages


def test_messages_are_of_the_logger_mmanon(caplog):
    with caplog.at_level(logging.INFO, 'mmanon'):
        print_log('an hour left')
        print_log('no face', logging.WARNING)
    assert [(one.name, one.levelname) for one in caplog.records] == [
        ('mmanon', 'INFO'),
        ('mmanon', 'WARNING'),
    ]


def test_a_command_shows_them_once(monkeypatch, capsys):
    logger = logging.getLogger('mmanon')
    monkeypatch.setattr(logger, 'handlers', [])
    monkeypatch.setattr(logger, 'level', logging.NOTSET)
    show_messages()
    show_messages()
    print_log('an hour left')
    assert capsys.readouterr().out.count('an hour left') == 1
