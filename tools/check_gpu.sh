#!/usr/bin/env bash
# Runs on a GPU the tests that need one, and measures the speed. It is for a machine
# with PyTorch and torchvision, without a network and without .venv:
#
#   tools/check_gpu.sh --wheels DIR --out DIR [--budget SECONDS] [--only PART,PART]
#   tools/check_gpu.sh --device cpu --out DIR      # the small part that needs no GPU
#
# DIR of --wheels has wheels of the missing packages (onedl-mmengine, onedl-mmcv,
# onedl-mmdetection, mmaction2, addict, yapf, termcolor, terminaltables, pycocotools,
# shapely, importlib_metadata, facenet-pytorch, av, …); they are installed into a
# separate folder. PYTHON is the Python to use. The results are in --out:
# check_gpu.json, check_gpu.md (for docs/scale.md) and check_gpu.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
wheels=
rest=()
while [ $# -gt 0 ]; do
  case $1 in
    --wheels)
      wheels=${2:?"--wheels takes a folder"}
      shift 2
      ;;
    *)
      rest+=("$1")
      shift
      ;;
  esac
done

if [ -n "$wheels" ]; then
  compgen -G "$wheels/*.whl" >/dev/null || {
    echo "no wheels in $wheels" >&2
    exit 2
  }
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir \
    --target "$site" "$wheels"/*.whl
  export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

# As in an installed mmanon, for names of configs that start with mmanon::.
if [ ! -e mmanon/.mim ]; then
  mkdir -p mmanon/.mim
  for name in configs tools model-index.yml; do
    ln -sfn "../../$name" "mmanon/.mim/$name"
  done
fi

"$python" -W ignore tools/check_gpu.py "${rest[@]}"
