"""Serve a page on which images and videos are anonymized, to this machine alone.

python tools/app.py --recognizer mobilefacenet.pt --people people/
"""

import sys

from mmanon.cli.app import main

if __name__ == '__main__':
    sys.exit(main())
