"""Anonymize the faces of images, folders, videos and cameras.

python tools/anonymize.py clips/ --out-dir anonymized/
"""

import sys

from mmanon.cli.anonymize import main

if __name__ == '__main__':
    sys.exit(main())
