# Two commands matter: `make run` and `make test`. Both set everything up first.
# PYTHON picks the interpreter (3.11 to 3.13), PROFILE, DATA, WEIGHTS and LIMIT what `make run` runs on.
PYTHON  ?= python3
PROFILE ?= sample
DATA    ?= sample
WEIGHTS ?=
LIMIT   ?=
ARGS    ?=

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
RUN    := $(BIN)/python -m utkface_mt run --profile $(PROFILE) --data $(DATA) \
          $(if $(WEIGHTS),--weights $(WEIGHTS)) $(if $(LIMIT),--limit $(LIMIT)) $(ARGS)

.PHONY: run test test-slow test-browser lint unit notebooks-check audit bench docs lab setup readme lock notebooks clean help

run: setup ## Set up, then run all notebooks (PROFILE=sample|cpu|full DATA=PATH WEIGHTS=PATH LIMIT=N)
	$(RUN)

test: setup lint unit notebooks-check ## Set up, lint, unit tests, nbval over the committed notebooks

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: setup ## The unit tests alone (under two minutes)
	$(BIN)/python -m pytest tests -m "not slow and not browser"

test-slow: setup ## The tests that start processes and compile many networks
	$(BIN)/python -m pytest tests -m "slow and not browser"

test-browser: setup ## The report in headless Chromium (needs chromium and chromedriver on the path)
	$(BIN)/python -m pytest tests -m browser

notebooks-check: setup ## nbval: the tagged cells of the committed notebooks against a fresh run
	rm -rf runs/nbval
	UTKFACE_MT_RUNS=runs/nbval $(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=900 \
	    --override-ini addopts= notebooks

audit: setup ## Look the locked packages up among known vulnerabilities (needs network)
	$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes --requirement requirements.lock

bench: setup ## Measure speed against plain Keras on this machine (some minutes)
	$(BIN)/python -m utkface_mt bench

docs: setup ## Render the docstrings of the package as HTML into runs/docs
	$(BIN)/pdoc --docformat google --output-directory runs/docs utkface_mt
	@echo "Open runs/docs/index.html"

lab: setup ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir notebooks

notebooks: setup ## For maintainers: run the sample and copy its cleaned outputs into notebooks/
	$(BIN)/python -m utkface_mt publish

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	    f"Python {v[0]}.{v[1]} is not supported: TensorFlow needs 3.11 to 3.13. Try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

readme: setup ## For maintainers: renew tables and figures of README and docs from utkface_mt/reference/
	$(BIN)/python -m utkface_mt.readme
	$(BIN)/python -m utkface_mt.measured_figures

lock: ## For maintainers: renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra notebooks --extra photos --extra export \
	    --extra tensorboard --extra docs --extra test \
	    --no-emit-index-url --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## Remove the environment and everything that runs produced
	rm -rf $(VENV) runs

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
