# `make demo` and `make test` need nothing done before them: each makes the environment it lacks.
#
#   make demo        a simulated study from raw depth video to a report
#   make test        the tests that a fresh clone on this machine allows
#   make test-all    the same and those for which chromium or the extra 'peers' is installed
#   make test-gpu    on a machine with an NVIDIA GPU: contracts, sizes, bits and times, in nine minutes
#   make test-standin  the launches of GPU kernels, on a driver that runs none (installs numba-cuda, 0.3 GB)
#   make lint        formatters, linters, types, layers
#   make docs        the documentation, as pages in site/
#   make benchmark   what is recovered on fresh seeds (benchmarks/README.md has the others)
#   make schema      write the page and the JSON schema of all settings
#   make clean       forget results; raw data are never touched
#
# Variables: PYTHON (3.11 to 3.13), VENV, CORES, PIP_ARGS. On a Linux machine without an NVIDIA GPU
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
# takes the CPU build of torch (0.2 GB instead of several).

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV ?= .venv
CORES ?= all
PIP_ARGS ?=
BIN = $(VENV)/bin
# One thread in every numerical library: jobs, not threads, fill the cores.
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1

# The GPU's kernels in numba's simulator, which must be asked for before numba is imported.
CONTRACTS = $(addprefix tests/contracts/test_,backends.py cuda_chunks.py cuda_paths.py switching_filter.py)
SIMULATE = NUMBA_ENABLE_CUDASIM=1 $(BIN)/python -m pytest -q -k cuda $(CONTRACTS)

# Tests that fork: threads that others began in a process are not there after a fork, but their locks are.
ALONE = $(BIN)/python -m pytest -q -m alone tests/depth/test_damaged_inputs.py

.PHONY: demo test test-all test-gpu test-standin lint format schema docs picture benchmark clean
.DELETE_ON_ERROR:

demo: $(VENV)/.run
	$(BIN)/syllabary run --cores $(CORES)
	@echo
	@echo "Report: $(CURDIR)/results/report/index.html"

test: $(VENV)/.test
	@echo "Left out here, in 'make test-all': browser (needs chromium), peers (the extra 'peers'), slurm (slurmctld)."
	@test -n "$$SYLLABARY_REAL_DATA" || echo "No real recording: SYLLABARY_REAL_DATA is not set."
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not browser and not peers and not slurm and not alone"
	$(ALONE)
	$(SIMULATE)

test-all: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone"
	$(ALONE)
	$(SIMULATE)

test-gpu: $(VENV)/.test
	PYTHON=$(abspath $(BIN))/python bash benchmarks/gpu.sh

test-standin: $(VENV)/.gpu
	$(BIN)/python -m pytest -q tests/standin

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow benchmarks/recovery/Snakefile
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow benchmarks/recovery/Snakefile

schema: $(VENV)/.run
	$(BIN)/python -c "import json; from syllabary import study; \
	  open('docs/settings.md', 'w').write(study.reference()); \
	  open('workflow/schemas/config.schema.json', 'w').write(json.dumps(study.schema(), indent=1) + chr(10))"

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Documentation: $(CURDIR)/site/index.html"

# The picture of the README, from the report of a finished demo.
picture:
	$(BIN)/python docs/images/screenshot.py results/report/index.html docs/images/report.jpg

benchmark: $(VENV)/.test
	$(BIN)/snakemake -s benchmarks/recovery/Snakefile --cores $(CORES) --config stage=fresh

clean:
	rm -rf results logs .snakemake

# A stamp for each set of extras; the environment itself is made by whichever comes first.
$(VENV)/.run: EXTRAS =
$(VENV)/.test: EXTRAS = [test]
$(VENV)/.dev: EXTRAS = [dev,docs,test]
$(VENV)/.docs: EXTRAS = [docs]
$(VENV)/.gpu: EXTRAS = [test,gpu]
$(VENV)/.run $(VENV)/.test $(VENV)/.dev $(VENV)/.docs $(VENV)/.gpu: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed and '$(PYTHON)' is not one: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_ARGS) -c constraints.txt -e ".$(EXTRAS)"
	touch $@
