"""Train and test a detector with many modifiers: measure privacy and detection.

python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --preset small
"""

import sys

from mmanon.cli.tradeoff import main

if __name__ == '__main__':
    sys.exit(main())
