"""Test a checkpoint: the detector and the discriminator on modified faces.

python tools/test.py configs/mini/slowonly_resnet-sphereface_mini.py \\
    work_dirs/mini/joint/epoch_7.pth
"""

import sys

from mmanon.cli.test import main

if __name__ == '__main__':
    sys.exit(main())
