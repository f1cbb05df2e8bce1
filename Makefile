# Two commands matter: `make run` and `make test`. Both set everything up first.
# PYTHON picks the interpreter (3.11 to 3.13), PROFILE, DATA, WEIGHTS and LIMIT what `make run` runs on.
PYTHON  ?= python3
ARGS    ?=

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# What users give goes to the recipes as it is, through the environment: it may hold spaces, `$` and quotes.
GIVEN  := ARGS PROFILE DATA WEIGHTS LIMIT ROW SEED N TRAIN ALL URL
$(foreach name,$(GIVEN),$(eval override $(name) := $$(value $(name))))
export $(GIVEN)
PROFILED := $${PROFILE:+--profile "$$PROFILE"}
RUN      := $(BIN)/python -m utkface_mt run $(PROFILED) $${DATA:+--data "$$DATA"} \
	$${WEIGHTS:+--weights "$$WEIGHTS"} $${LIMIT:+--limit "$$LIMIT"} "$$@"
SPLIT    := eval "set -- $$ARGS"
TESTS    := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
FACES    := --data "$$DATA" $${WEIGHTS:+--weights "$$WEIGHTS"} $(PROFILED)

.PHONY: run workers test test-slow test-browser lint unit notebooks-check audit bench docs lab setup notebooks readme \
	collect reproduce bundle margins exports backbones pretrain label-audit wheel lock clean help

run: setup ## Set up, then run all notebooks (PROFILE=sample|cpu|full DATA=PATH WEIGHTS=PATH LIMIT=N)
	$(SPLIT); $(RUN)

workers: setup ## The same with N processes on this machine that train together (N=2)
	@$(SPLIT); all=$$(seq -s, -f '127.0.0.1:%.0f' 29500 $$((29499 + $${N:-2}))); \
	for rank in $$(seq $$(($${N:-2} - 1))); do $(RUN) --workers "$$all" --rank $$rank & done; \
	$(RUN) --workers "$$all" --rank 0 && wait

test: setup lint unit notebooks-check ## Set up, lint, unit tests, nbval over the committed notebooks

lint: setup ## Ruff: style and format, notebooks too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

unit: setup ## The unit tests alone (some minutes)
	$(TESTS) tests -m "not slow and not browser"

test-slow: setup ## The tests that start processes and compile many networks
	$(TESTS) tests -m "slow and not browser"

test-browser: setup ## The report in headless Chromium (needs chromium and chromedriver on the path)
	$(BIN)/python -m pytest tests -m browser

notebooks-check: setup ## nbval: the tagged cells of the committed notebooks, which find what `make run` has trained
	$(TESTS) --nbval-lax --nbval-cell-timeout=900 --override-ini addopts= notebooks

audit: setup ## Look the locked packages up among known vulnerabilities (needs network)
	$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes --requirement requirements.lock

bench: setup ## Measure speed against plain Keras on this machine (a quarter of an hour)
	$(BIN)/python -m tools.bench

docs: setup ## Render the docstrings of the package as HTML into runs/docs
	$(BIN)/pdoc --docformat google --output-directory runs/docs utkface_mt
	@echo "Open runs/docs/index.html"

lab: setup ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir notebooks

setup: $(STAMP) ## Make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	    f"Python {v[0]}.{v[1]} is not supported: TensorFlow needs 3.11 to 3.13. Try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

reproduce: setup ## Train a row of the results again and compare (ROW=03_baseline DATA=PATH WEIGHTS= SEED= PROFILE=cpu)
	$(BIN)/python -m tools.reproduce "$$ROW" $(FACES) $${SEED:+--seed "$$SEED"}

notebooks: setup ## For maintainers: run the sample and copy its cleaned outputs into notebooks/
	$(BIN)/python -m tools.publish

readme: setup ## For maintainers: renew tables and figures of README and docs from utkface_mt/reference/
	$(BIN)/python -m tools.readme

collect: setup ## For maintainers: copy what a run measured into utkface_mt/reference/ (PROFILE=cpu|full)
	$(BIN)/python -m tools.collect $(PROFILED)

bundle: setup ## For maintainers: make a row's network the bundled model (ROW=10_full_recipe DATA=PATH WEIGHTS= PROFILE=); ALL=1: trained on all faces
	$(BIN)/python -m tools.bundle "$$ROW" $(FACES) $${ALL:+--all-faces}

label-audit: setup ## Rank UTKFace's labels by out-of-fold answers (DATA=PATH WEIGHTS=; a night); TRAIN=1: train without the suspicious
	$(BIN)/python -m tools.label_audit $(FACES) $${TRAIN:+--train}

margins: setup ## For maintainers: measure how UTKFace's crops are cut (DATA=PATH WEIGHTS=)
	$(BIN)/python -m tools.margins $(FACES)

exports: setup ## For maintainers: measure every exported file, and what int8 needs (DATA=PATH WEIGHTS=)
	$(BIN)/python -m tools.exports $(FACES)

backbones: setup ## For maintainers: measure what each backbone costs
	$(BIN)/python -m tools.backbones

pretrain: setup ## For maintainers: train the weights that the sample starts from
	$(BIN)/python -m tools.pretrain

wheel: setup ## For maintainers: build what goes to PyPI, its page's links leading to URL=https://github.com/OWNER/REPOSITORY
	$(BIN)/python -m tools.wheel "$$URL"

lock: ## For maintainers: renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra notebooks --extra photos --extra export \
	    --extra tensorboard --extra docs --extra test \
	    --no-emit-index-url --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## Remove the environment and everything that runs produced
	rm -rf $(VENV) runs

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18
