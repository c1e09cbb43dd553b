# SSD, box by box. `make help` lists the targets; `make book` is the one to start with.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL: # the targets run in order; each parallelises its own work
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
CASES ?= 10000 # of make fuzz
LAB_FLAGS ?= # such as --no-browser, or --allow-root in a container
# Tests run in one process per core, at most four: each loads PyTorch (0.5 GB).
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))

BIN := $(VENV)/bin
RUN := $(BIN)/python -m
STAMP := $(VENV)/.installed
HTML := _build/html/index.html
AXE := tests/browser/node_modules/.package-lock.json
LIVE := book/_live/node_modules/.package-lock.json

# Threads that wait sleep instead of spinning: with two processes on two cores, training is several
# times faster.
export OMP_WAIT_POLICY ?= PASSIVE
export GOMP_SPINCOUNT ?= 0
export PYTHONUNBUFFERED := 1

# Python keeps what it has compiled, even where containers tell it not to: without that, every process
# that imports torchvision compiles PyTorch again, 7 of 15 seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## list the targets
	@echo "SSD, box by box"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo "Settings: PYTHON=$(PYTHON) VENV=$(VENV) PORT=$(PORT) JOBS=$(JOBS), as in: make serve PORT=8001"

# --- the environment -------------------------------------------------------------------------

.PHONY: env
env: $(STAMP) ## create .venv and install the package and its tools

# Runs again only if a requirement has changed: pip takes seconds to say "already satisfied" 150 times.
# The lock names everything, so that pip has nothing to resolve; Python compiles what it imports.
$(STAMP): pyproject.toml requirements-lock.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or newer is needed to build the pages; {sys.executable} is {v.major}.{v.minor}. Choose another one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) \
	    || { echo "$(PYTHON) cannot create a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV): about 6.5 GB on Linux, a few minutes the first time ..."
	@$(RUN) pip install $$(test -t 1 || echo -qq) --no-deps --no-compile --requirement requirements-lock.txt
	@$(RUN) pip install --quiet --no-deps --editable .
	@touch $@

.PHONY: check
check: $(STAMP) ## check this environment and report fixes
	@$(RUN) ssd_book.check_env

.PHONY: lock
lock: $(STAMP) ## update requirements-lock.txt to the newest releases that pyproject.toml allows
	@$(RUN) pip install --quiet uv
	@$(RUN) uv pip compile --universal --python-version 3.10 --extra dev --upgrade --quiet \
	    --annotation-style line --custom-compile-command "make lock" \
	    pyproject.toml --output-file requirements-lock.txt
	@git --no-pager diff --stat -- requirements-lock.txt

# --- the book --------------------------------------------------------------------------------

# Sphinx warns about a page only when it reads it, so a failed build must not leave its doctrees
# behind, or the next one would pass. The execution cache stays.
.PHONY: book
book: $(STAMP) live-files ## execute the chapters and build the pages; unchanged chapters come from the cache
	@rm -rf _build/html/reports && mkdir -p _build
	@$(BIN)/jupyter-book build . -n -W --keep-going 2> >(tee _build/stderr.log >&2) || { \
	    rm -rf _build/.doctrees; \
	    find _build/html/reports -name '*.err.log' -exec sh -c 'echo "== $$1"; cat "$$1"' _ {} \; 2>/dev/null; \
	    echo "== make book failed. The warnings and errors (details above):"; \
	    grep -E 'WARNING: |ERROR: |CRITICAL: ' _build/stderr.log; exit 1; } >&2
	@$(BIN)/python -c 'import pathlib; print("The book is built. Open", pathlib.Path("$(HTML)").resolve().as_uri())'

# What the live page needs from npm. A book without it is a book all the same.
.PHONY: live-files
live-files: $(LIVE) ## fetch the runtime of the live page's detector from npm (150 MB); `book` does it

$(LIVE): book/_live/package-lock.json
	@if command -v npm >/dev/null; then \
	    npm ci --prefix book/_live --ignore-scripts --no-audit --no-fund && touch $@ \
	        || echo "npm failed, so the live page keeps its picture: make live-files tries again"; \
	else echo "npm is not on PATH, so the live page keeps its picture; with npm, it gets a detector"; fi

.PHONY: serve
serve: book ## build the book and serve it at localhost:8000
	@echo "Serving the book at http://localhost:$(PORT)/ (Ctrl-C stops; another port: make serve PORT=8001)"
	@$(RUN) http.server --bind 127.0.0.1 --directory _build/html $(PORT)

.PHONY: pdf
pdf: book ## print the book to one PDF, _build/pdf/book.pdf; needs Chromium
	@$(BIN)/python tools/pdf.py

.PHONY: lab
lab: $(STAMP) ## open the chapters in JupyterLab; one of them: make lab CHAPTER=08_matching
	@test -z "$(CHAPTER)" || test -f "notebooks/$(CHAPTER:.ipynb=).ipynb" \
	    || { echo "make lab: there is no notebooks/$(CHAPTER:.ipynb=).ipynb; the chapters are:" $$(cd notebooks && ls [0-9][0-9]_*.ipynb 2>/dev/null) >&2; exit 1; }
	@$(RUN) jupyterlab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks$(if $(CHAPTER),/$(CHAPTER:.ipynb=).ipynb) $(LAB_FLAGS)

# --- the tests -------------------------------------------------------------------------------

# Quick tests run first. The last part opens the built pages, so `test` builds the book.
.PHONY: test
test: test-tools test-unit test-notebooks test-pages ## run every test: the package's, the notebooks', the pages'

.PHONY: test-unit
test-unit: $(STAMP) $(LIVE) ## tests/ without the browser
	@OMP_NUM_THREADS=1 $(RUN) pytest tests --ignore=tests/browser -n $(JOBS) --dist worksteal

.PHONY: test-notebooks
test-notebooks: $(STAMP) ## execute every chapter and compare it with its stored results
	@PYTHONPATH=tools $(RUN) pytest -p nbval_cache --nbval book/ -n $(JOBS) --dist loadfile

.PHONY: test-pages
test-pages: test-tools $(AXE) book ## build the book and open its pages in Chromium
	@$(RUN) pytest tests/browser -n $(JOBS) --dist loadgroup

# Check it first: minutes of tests should not end in "no browser".
.PHONY: test-tools
test-tools: $(STAMP)
	@said=$$(PYTHONPATH=tools $(BIN)/python -c 'import built_site; built_site.find_chromium()' 2>&1) \
	    || { echo "make test opens the built pages: $${said##*Error: }" >&2; exit 1; }
	@command -v npm >/dev/null \
	    || { echo "make test checks accessibility with npm's axe-core, and npm is not on PATH. On Debian: apt-get install npm" >&2; exit 1; }

$(AXE): tests/browser/package-lock.json
	@npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: screenshots
screenshots: book ## take screenshots of all pages, light and dark, wide and narrow, into _build/screenshots
	@$(BIN)/python tools/screenshots.py --out _build/screenshots

.PHONY: kills
kills: $(STAMP) ## kill a training run 20 times and compare it with an undisturbed one (`make test`: 4)
	@$(BIN)/python tests/training/test_faults.py --kills 20

.PHONY: gpu-record
gpu-record: $(STAMP) ## record what this GPU does, in calls of 9 minutes that resume: again until exit code 0
	@$(BIN)/python tools/gpu_record.py $(GPU_RECORD)

.PHONY: parity
parity: $(STAMP) $(LIVE) ## compare JavaScript with the package: 10 000 cases each, 300 pictures (`make test`: a sample)
	@$(RUN) tests.parity.javascript --cases 10000
	@$(RUN) tests.parity.live --pictures 300

.PHONY: fuzz
fuzz: $(STAMP) ## attack the package with hostile files and numbers: 10 000 cases (`make test`: a sample)
	@$(RUN) tests.fuzz --cases $(CASES)

.PHONY: mutants
mutants: $(STAMP) ## change the eleven modules and see whether tests fail; some: make mutants MODULES="boxes loss"
	@$(BIN)/python tools/mutants.py $(MODULES)

.PHONY: colab
colab: $(STAMP) ## run the chapters as Colab does (own environment, 5 GB); one: make colab CHAPTER=08_matching
	@$(BIN)/python tools/colab.py $(CHAPTER)

.PHONY: test-install
test-install: $(STAMP) ## install the package in every way, each into an empty environment (5 GB, one by one)
	@$(BIN)/python tools/try_install.py

.PHONY: test-versions
test-versions: $(STAMP) $(LIVE) ## run the unit tests with the lowest and the newest torch (6 GB each, one by one)
	@$(BIN)/python tools/try_versions.py

.PHONY: lint
lint: $(STAMP) ## ruff (code and notebooks), and the lint of the book
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(BIN)/python tools/lint_book.py
	@$(BIN)/python tools/exercises.py check
	@$(BIN)/python tools/readme.py --check
	@$(BIN)/python tools/plain.py --check

.PHONY: bench
bench: $(STAMP) ## time the package against torchvision, pycocotools and torchmetrics
	@$(RUN) benchmarks

.PHONY: vitals
vitals: $(STAMP) ## measure LCP, CLS and the first answer of an explorer on a slow phone, on built pages
	@$(BIN)/python tools/vitals.py

.PHONY: live
live: $(STAMP) ## time the detector of the live page, on built pages and a quiet machine
	@$(BIN)/python tools/live_times.py

.PHONY: growth
growth: $(STAMP) ## time and memory over objects, batch and pictures, into data/runs/growth_cpu
	@$(RUN) benchmarks.growth --clock processor --record growth_cpu

.PHONY: clean
clean: ## remove the output of builds and tests; keep the environment
	@rm -rf _build dist .pytest_cache .ruff_cache .hypothesis tests/browser/node_modules book/_live/node_modules
	@find . -name .venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -print0 | xargs -0 rm -rf
