"""Ask people whether they recognize modified faces, and count their answers.

python tools/user_study.py build --faces data/mini/faces/test \\
    --modifier my_config.py --weights modifier.pth --out study
python tools/user_study.py score study answers_*.json
"""

import sys

from mmanon.cli.user_study import main

if __name__ == '__main__':
    sys.exit(main())
