import pytest

from mmanon.datasets.preparation.mat_files import read_mat
from mmanon.datasets.preparation.problems import Problems

# The header of MATLAB 7.3, which is HDF5: 124 bytes of text, version, byte order.
VERSION_7_3 = b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM' + bytes(64)


@pytest.mark.parametrize(
    ('content', 'why'),
    [
        (VERSION_7_3, "v7.3 format (HDF5); save it again with '-v7'"),
        (VERSION_7_3[:100], ''),
        (b'', ''),
    ],
    ids=['version 7.3', 'cut off', 'empty'],
)
def test_a_file_that_cannot_be_read_is_a_problem_that_names_it(tmp_path, content, why):
    path, problems = tmp_path / 'annotations.mat', Problems()
    path.write_bytes(content)
    assert read_mat(path, 'annot', problems) is None
    assert problems.count('unreadable') == len(problems) == 1
    assert str(path) in str(problems) and why in str(problems)
