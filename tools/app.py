"""Serve a web page that anonymizes images and videos, to this machine only.

python tools/app.py --recognizer mobilefacenet.pt --people people/
"""

import sys

from mmanon.cli.app import main

if __name__ == '__main__':
    sys.exit(main())
