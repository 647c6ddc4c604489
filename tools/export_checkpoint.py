"""Export the plain detector and the modifier of a trained checkpoint.

python tools/export_checkpoint.py work_dirs/mini/joint/epoch_7.pth \\
    --detector detector.pth --modifier modifier.pth
"""

import sys

from mmanon.cli.export_checkpoint import main

if __name__ == '__main__':
    sys.exit(main())
