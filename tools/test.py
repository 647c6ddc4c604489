"""Test a checkpoint: the detector on modified clips, and what D can still name.

python tools/test.py configs/mini/slowonly_resnet-sphereface_mini.py \\
    work_dirs/mini/joint/epoch_7.pth
"""

import sys

from mmanon.cli.test import main

if __name__ == '__main__':
    sys.exit(main())
