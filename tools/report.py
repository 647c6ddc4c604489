"""Make one web page of a trade-off's results: plot, tables, faces, configs.

python tools/report.py work_dirs/tradeoff_mini_small
"""

import sys

from mmanon.cli.report import main

if __name__ == '__main__':
    sys.exit(main())
