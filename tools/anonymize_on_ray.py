"""Anonymize many files with several workers, on one machine or many.

python tools/anonymize_on_ray.py --workers 2 clips/ --out-dir anonymized/
"""

import sys

from mmanon.cli.anonymize_on_ray import main

if __name__ == '__main__':
    sys.exit(main())
