"""Measure a modifier: all figures of its model card.

python tools/measure.py configs/measuring/portraits.py new_head --workers 2
"""

import sys

from mmanon.cli.measure import main

if __name__ == '__main__':
    sys.exit(main())
