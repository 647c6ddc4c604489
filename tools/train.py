"""Train a detector, a face modifier and a face discriminator together.

python tools/train.py configs/mini/slowonly_resnet-sphereface_mini.py
"""

import sys

from mmanon.cli.train import main

if __name__ == '__main__':
    sys.exit(main())
