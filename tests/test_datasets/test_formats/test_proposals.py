import subprocess
import sys

import numpy as np


def test_importing_mmanon_alone_teaches_mmengine_to_load_arrays(tmp_path):
    # As a config does by `custom_imports`, before mmaction2 builds its data sets.
    np.savez(tmp_path / 'p.npz', **{'v,0001': np.float32([[0, 0, 0.5, 1, 0.9]])})
    code = """
import sys
import mmanon
from mmengine.fileio import load

assert load(sys.argv[1])['v,0001'].shape == (1, 5)
assert 'torch' not in sys.modules
"""
    path = tmp_path / 'p.npz'
    subprocess.run([sys.executable, '-c', code, path], check=True)
