#!/usr/bin/env bash
# Sets up .venv of this checkout with everything the project needs, or does nothing when
# that has been done. Called by `make`; a call that was cut short is continued by the next.
#
#   PYTHON             the Python to use (3.10, 3.11 or 3.12); default: that of .venv, or
#                      the first that fits
#   MMANON_WHEELHOUSE  where the compiled mmcv is kept for the next set-up
#                      (default ~/.cache/mmanon/wheelhouse)
#   MAX_JOBS           compilers at once while building mmcv (default: one for each core)
#   FORCE_CUDA=1       build mmcv's operators for CUDA on a machine that shows no GPU
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=.venv
python=$venv/bin/python
stamp=$venv/.mmanon-set-up           # what the finished set-up was made from
made_with=$venv/.mmanon-python       # the Python .venv was made with
installing=$venv/.mmanon-installing  # there while pip writes packages

say() { printf '[setup] %s\n' "$*"; }
fail() {
  printf '[setup] error: %s\n' "$*" >&2
  exit 1
}

# --- Is there anything to do? ---------------------------------------------------------

# The path belongs to the key: a venv and an editable install do not survive a move.
wanted_key() {
  { pwd -P && cat requirements/*.txt setup.py pyproject.toml tools/setup_env.sh; } |
    { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1
}
key=$(wanted_key)

asked_python=
if [ -n "${PYTHON:-}" ]; then
  asked_python=$(command -v "$PYTHON") || fail "PYTHON=$PYTHON is not a program"
fi

is_set_up() {
  local done_key
  [ -f "$stamp" ] && [ ! -e "$installing" ] || return 1
  read -r done_key <"$stamp" && [ "$done_key" = "$key" ] || return 1
  [ -z "$asked_python" ] || [ "$asked_python" = "$(cat "$made_with")" ] || return 1
  "$python" -c '' 2>/dev/null
}
if is_set_up; then exit 0; fi

# --- One set-up at a time -------------------------------------------------------------

# Flock's lock is held by what this call starts as well: an orphaned pip still counts.
# Where there is no flock, or none on this file system, a folder tells who is at it.
lock=.venv.lock
locked=
beside=
clean_up() {
  [ -z "$beside" ] || rm -rf "$beside"
  [ -z "$locked" ] || rm -rf "$lock"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
waits() { say "another set-up of this checkout is running${1:-}: waiting for it"; }

# Kill says nothing of another user's process.
lives() { kill -0 "$1" 2>/dev/null || ps -p "$1" >/dev/null 2>&1; }

take_lock() {
  local status=0 owner said=
  if command -v flock >/dev/null; then
    exec 9<.
    flock -n -E 75 9 || status=$?
    if [ "$status" = 75 ]; then
      waits
      status=0
      flock 9 || status=$?
    fi
    [ "$status" != 0 ] || return 0
  fi
  until mkdir "$lock" 2>/dev/null; do
    [ -d "$lock" ] || [ -w . ] || fail "cannot write to $PWD"
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    # Of several that see a dead owner, one makes this folder and takes over.
    if [ -n "$owner" ] && ! lives "$owner" &&
      mkdir "$lock/after.$owner" 2>/dev/null; then
      break
    fi
    [ -n "$said" ] || waits " (if it is not, remove $lock)"
    said=1
    sleep 1
  done
  locked=1
  echo $$ >"$lock/pid"
}
take_lock
if is_set_up; then exit 0; fi

# --- A Python that fits ---------------------------------------------------------------

probe='
import sys, sysconfig, os
version = "%d.%d" % sys.version_info[:2]
if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.exit("is Python %s" % version)
if sys.maxsize < 2**32:
    sys.exit("is a 32-bit Python")
try:
    import ensurepip, venv
except ImportError:
    sys.exit("cannot make virtual environments (Debian: install python%s-venv)" % version)
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    sys.exit("has no Python.h to compile with (Debian: install python%s-dev)" % version)
'
# Says why a Python does not fit; silent when it does.
misfit() {
  local answer
  answer=$("$1" -c "$probe" 2>&1 </dev/null) && return 0
  printf '%s\n' "${answer:-does not run}" | head -n 1
}

base_python=
if [ -n "$asked_python" ]; then
  why=$(misfit "$asked_python")
  [ -z "$why" ] || fail "PYTHON=$PYTHON $why; it takes Python 3.10, 3.11 or 3.12"
  base_python=$asked_python
elif [ -f "$made_with" ] && [ -z "$(misfit "$(cat "$made_with")")" ]; then
  base_python=$(cat "$made_with")
else
  tried=
  for name in python3.11 python3.12 python3.10 python3 python; do
    while read -r candidate; do
      [ -n "$candidate" ] || continue
      why=$(misfit "$candidate")
      if [ -z "$why" ]; then
        base_python=$candidate
        break 2
      fi
      tried+=$'\n'"  $candidate: $why"
    done <<<"$(type -aP "$name" 2>/dev/null)"
  done
  [ -n "$base_python" ] || fail "it takes Python 3.10, 3.11 or 3.12; name one by" \
    "PYTHON=/path/to/python.${tried:+ Tried:$tried}"
fi

# --- The virtual environment ----------------------------------------------------------

# The same interpreter can be called in several ways: compare what they really are.
real_prefix='import os, sys; print(os.path.realpath(sys.base_prefix), sys.version)'
usable_venv() {
  [ ! -e "$installing" ] && [ -x "$python" ] &&
    [ "$("$python" -c "$real_prefix" 2>&1)" = "$("$base_python" -c "$real_prefix")" ] &&
    "$python" -m pip --version >/dev/null 2>&1
}

if ! usable_venv; then
  if [ -e "$installing" ]; then
    say "the last set-up was stopped while it wrote packages: starting .venv anew"
  fi
  say "making .venv with $base_python ($("$base_python" -V 2>&1))"
  rm -rf "$venv"
  "$base_python" -m venv "$venv" || fail "could not make .venv with $base_python"
  printf '%s\n' "$base_python" >"$made_with"
fi
rm -f "$stamp"

# pip undoes what it did when it fails by itself. When it is killed, a half-written
# package may be left that pip would take for a whole one: the mark stays, and the next
# set-up starts .venv anew.
quiet=-q
[ ! -t 1 ] || quiet=
pip_install() {
  : >"$installing"
  local status=0
  # shellcheck disable=SC2086  # an empty $quiet is no argument
  "$python" -m pip install $quiet --disable-pip-version-check --no-input \
    -c requirements/constraints.txt "$@" || status=$?
  [ "$status" -gt 1 ] || rm -f "$installing"
  return "$status"
}

say "installing PyTorch and the libraries (a few minutes; some GB on Linux)"
pip_install -r requirements/stack.txt -r requirements/build.txt \
  -r requirements/train.txt \
  -r requirements/runtime.txt -r requirements/optional.txt \
  -r requirements/app.txt -r requirements/ray.txt -r requirements/docs.txt \
  -r requirements/tests.txt || fail "pip could not install requirements/*.txt (see above)"

# --- mmcv, compiled once --------------------------------------------------------------

# pip's own cache forgets which PyTorch a wheel was compiled against.
wheel_key=$("$python" - <<'EOF'
import logging, os, platform, sys, sysconfig
logging.disable(logging.WARNING)  # PyTorch remarks on a CUDA toolkit without a GPU
import torch
from torch.utils.cpp_extension import CUDA_HOME
wanted = torch.cuda.is_available() or os.environ.get('FORCE_CUDA') == '1'
ops = 'cuda' if CUDA_HOME and torch.version.cuda and wanted else 'cpu'
libc = '-'.join(platform.libc_ver()) or 'libc'
print(f'{sys.implementation.cache_tag}-torch{torch.__version__}-'
      f'{sysconfig.get_platform()}-{libc}-{ops}')
EOF
) || fail "the installed PyTorch does not import (see above)"
# A container's root may come without HOME.
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}
wheelhouse=${MMANON_WHEELHOUSE:-$cache/mmanon/wheelhouse}/$wheel_key
mmcv=$(sed -n 's/^onedl-mmcv==//p' requirements/constraints.txt)
[ -n "$mmcv" ] || fail "requirements/constraints.txt does not say onedl-mmcv==..."

find_wheel() { compgen -G "$wheelhouse/onedl_mmcv-$mmcv-*.whl" | head -n 1; }

build_mmcv() {
  command -v "${CXX:-g++}" >/dev/null || command -v c++ >/dev/null ||
    fail "mmcv's operators are compiled here and there is no C++ compiler" \
      "(Debian: apt-get install g++)"
  mkdir -p "$wheelhouse"
  # What builds that were killed left behind; a younger one may still run.
  find "$wheelhouse" -maxdepth 1 -name '.building.*' -mmin +240 -exec rm -rf {} +
  beside=$(mktemp -d "$wheelhouse/.building.XXXXXX")
  local hide=()
  if [[ $wheel_key == *-cpu ]]; then
    # A GPU without nvcc would make mmcv try to compile CUDA code all the same.
    hide=(env -u FORCE_CUDA CUDA_VISIBLE_DEVICES=)
    if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
      say "warning: no CUDA toolkit (nvcc) here: mmcv's operators run on the CPU only"
    fi
  fi
  say "compiling onedl-mmcv $mmcv into $wheelhouse (5 to 15 minutes, once)"
  MMCV_WITH_OPS=1 MAX_JOBS=${MAX_JOBS:-$("$python" -c 'import os; print(os.cpu_count())')} \
    PATH="$PWD/$venv/bin:$PATH" ${hide[@]+"${hide[@]}"} \
    "$python" -m pip wheel $quiet --disable-pip-version-check --no-input --no-deps \
    --no-build-isolation --no-cache-dir --no-binary onedl-mmcv \
    -w "$beside" "onedl-mmcv==$mmcv" || fail "mmcv could not be compiled (see above)"
  mv "$beside"/onedl_mmcv-"$mmcv"-*.whl "$wheelhouse"/
}

wheel=$(find_wheel || true)
if [ -z "$wheel" ]; then
  build_mmcv
  wheel=$(find_wheel)
fi

say "installing mmcv, mmengine, mmdet, mmaction2 and mmanon"
pip_install --no-deps --force-reinstall "$wheel" || fail "pip could not install $wheel"
# imaug is what onedl-mmdetection imports as imgaug; it would bring headless OpenCV.
pip_install --no-deps --no-build-isolation \
  onedl-mmengine onedl-mmdetection mmaction2 imaug ||
  fail "pip could not install the OpenMMLab packages (see above)"
pip_install --no-deps --no-build-isolation -e . || fail "pip could not install mmanon"

# --- Does it run? ---------------------------------------------------------------------

if ! "$python" -c 'import cv2' 2>/dev/null; then
  # A bare system has no libGL or GLib. The headless build needs neither; it only cannot
  # open windows.
  say "OpenCV does not load ($("$python" -c 'import cv2' 2>&1 | tail -n 1));" \
    "using its headless build. For windows: Debian's libgl1 and libglib2.0-0, then" \
    "make clean"
  pip_install --no-deps --force-reinstall opencv-contrib-python-headless ||
    fail "pip could not install opencv-contrib-python-headless"
fi
"$python" -c 'import cv2, torch, torchvision, mmengine, mmcv.ops, mmdet' ||
  fail "the installed packages do not import (see above)"

printf '%s\n' "$base_python" >"$made_with"
printf '%s\n' "$key" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "done: $("$python" -V) in .venv"
