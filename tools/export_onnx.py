"""Write a modifier as an ONNX file, which runs without PyTorch.

python tools/export_onnx.py work_dirs/x/config.py work_dirs/x/epoch_20.pth m.onnx
"""

import sys

from mmanon.cli.export_onnx import main

if __name__ == '__main__':
    sys.exit(main())
