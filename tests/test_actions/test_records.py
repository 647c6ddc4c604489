import json

import pyarrow.parquet as pq

from mmanon.actions.records import ActionRecord, write_records

DRINKS = ActionRecord(
    'a.mp4', 'raw', 8, 0.32, 1, 0.0, 1.0, 9.5, 10.0, 0.9, 'drinkt', 0.5
)
STANDS = ActionRecord('ä.mp4', 'anonymized', 0, 0.0, 0, 0.0, 1.0, 9.5, 10.0, 0.9)


def test_a_table_is_the_same_as_parquet_and_as_lines(tmp_path):
    parquet, lines = write_records([DRINKS, STANDS], tmp_path / 'new')
    rows = pq.read_table(parquet).to_pylist()
    assert rows == [json.loads(line) for line in lines.read_text('utf-8').splitlines()]
    assert [ActionRecord(**row) for row in rows] == [DRINKS, STANDS]


def test_a_table_may_be_empty_and_keeps_its_columns(tmp_path):
    parquet, lines = write_records([], tmp_path)
    assert lines.read_text() == ''
    table = pq.read_table(parquet)
    assert len(table) == 0 and table.column_names[:3] == ['video', 'shown', 'frame']
