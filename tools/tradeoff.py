"""Train and test a detector under many modifiers: how private, and how good?

python tools/tradeoff.py configs/tradeoff/tradeoff_mini.py --preset small
"""

import sys

from mmanon.cli.tradeoff import main

if __name__ == '__main__':
    sys.exit(main())
