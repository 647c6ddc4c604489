"""``python -m mmanon``: the command ``mmanon``."""

import sys

from mmanon.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
