#!/usr/bin/env bash
# All that a GPU must show, in at most nine minutes; the results are one file to commit.
#
#     bash benchmarks/gpu.sh [FILE]      default: benchmarks/gpu_results.txt
#
# Every step has its own limit, so that one that fails loses nothing of those before it.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
file=${1:-benchmarks/gpu_results.txt}
tests="tests/contracts/test_backends.py tests/contracts/test_cuda_chunks.py tests/contracts/test_cuda_paths.py"
few="tests/contracts/test_cuda_paths.py -k forgetful"
export OMP_NUM_THREADS=1

if ! $python -c 'import sys; from syllabary.messages.backends import cuda; sys.exit(not cuda.available())'; then
  echo "gpu.sh needs an NVIDIA GPU, torch with CUDA and numba-cuda, and finds none here: install syllabary[gpu]." >&2
  exit 1
fi
: > "$file"

# step LIMIT TITLE COMMAND...
step() {
  local limit=$1 title=$2 begun=$SECONDS status
  shift 2
  printf '\n## %s\n\n' "$title" | tee -a "$file"
  timeout "$limit" "$@" 2>&1 | tail -n 80 | tee -a "$file"
  status=${PIPESTATUS[0]}
  printf '\n(status %s, %s s of %s)\n' "$status" $((SECONDS - begun)) "$limit" | tee -a "$file"
  return "$status"
}

versions() {
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  $python -c 'from importlib.metadata import version as v; print(*(f"{n} {v(n)}" for n in ("syllabary", "torch", "numba", "numba-cuda")))'
  git rev-parse HEAD
}
export -f versions
export python

step 10 "Versions" bash -c versions
step 30 "One call" $python benchmarks/gpu.py --one || exit 1
step 120 "Contracts on the device" $python -m pytest -q -k cuda $tests
step 170 "Sizes, bits and times" $python benchmarks/gpu.py
for check in memcheck racecheck; do
  if command -v compute-sanitizer > /dev/null; then
    step 45 "compute-sanitizer, $check" compute-sanitizer --tool $check $python -m pytest -q -x $few
  fi
done
if command -v ncu > /dev/null; then
  step 35 "Nsight Compute" ncu --section SpeedOfLight --section WarpStateStats --section Occupancy \
    --kernel-name-base demangled -c 12 $python benchmarks/gpu.py --one
fi
step 85 "200 iterations of fit" $python benchmarks/gpu_fit.py --minutes 0.2 --devices cuda cpu
