"""Align the photographs of a config's face sets once, before distributed training.

python tools/align_faces.py configs/slowonly/slowonly-r50_resnet9-sphereface20_ava21.py
"""

import sys

from mmanon.cli.align_faces import main

if __name__ == '__main__':
    sys.exit(main())
