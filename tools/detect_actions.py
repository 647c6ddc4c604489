"""Anonymize videos and show which actions a detector still finds in them.

python tools/detect_actions.py CONFIG CHECKPOINT clips/ -o out --compare
"""

import sys

from mmanon.cli.detect_actions import main

if __name__ == '__main__':
    sys.exit(main())
