"""Check whether faces of the originals can still be matched in the results.

python tools/audit.py clips/ anonymized/ --recognizer mobilefacenet.pt --threshold 0.3
"""

import sys

from mmanon.cli.audit import main

if __name__ == '__main__':
    sys.exit(main())
