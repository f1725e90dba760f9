# make demo   run the main job           make check  linter, formatter, types
# make test   pass the tests             make bench  time it against gradient x input
# make slow   the tests that are left out there: whole sweeps, fresh installs, pages in a browser
# make coverage, make parity   docs/coverage.md and docs/parity.md, with the peers installed
# make training DATA=folder    docs/training-results.md: small networks trained with relevance
# make faithfulness            docs/faithfulness.md: rules and fills by feature removal
# make tuned  docs/tuned.md: what tuned rules gain; DATA is a folder of data sets, WORK one of networks
# make ideas  docs/recipe-ideas.md: recipes averaged, rules of attention heads; DATA, WORK likewise
# make pruning                 docs/pruning.md: channels removed by relevance; DATA: the data sets
# make selection  docs/selection.md: feature selection beside other methods
# make docs   the site, in docs/_build  make pictures  what its pages show
# make fuzz   300 random graphs, of which the tests take 20
# Each makes the virtual environment in .venv when it is missing.

PYTHON ?= python3
VENV ?= .venv
OUT ?= relprop-demo
PAGES ?= docs/_build
BIN := $(VENV)/bin

DATA ?= ../shared/data
WORK ?= $(VENV)/networks

.PHONY: demo test slow check bench coverage parity faithfulness tuned ideas training pruning selection \
	docs pictures fuzz format clean

demo: $(VENV)/ready
	$(BIN)/relprop demo --out "$(OUT)"

test: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m "not slow"

slow: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto -m slow

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/lxt/ready
	$(VENV)/lxt/bin/python benchmarks/bench.py --out docs/benchmarks.md --json docs/benchmarks.json
	$(VENV)/lxt/bin/python benchmarks/sizes.py --out docs/benchmark-sizes.md

coverage: $(VENV)/bench
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/architectures.py --out docs/coverage.md

parity: $(VENV)/lxt/ready $(VENV)/zennit1/ready $(VENV)/crp/ready
	OMP_NUM_THREADS=1 PYTHONPATH=$(VENV)/zennit1 $(VENV)/lxt/bin/python benchmarks/parity.py \
		--only "Zennit 1*" --json $(VENV)/zennit1/rows.json
	OMP_NUM_THREADS=1 $(VENV)/lxt/bin/python benchmarks/parity.py --out docs/parity.md \
		--rows $(VENV)/zennit1/rows.json --crp-python $(VENV)/crp/bin/python

faithfulness: $(VENV)/ready
	$(BIN)/python benchmarks/faithfulness.py --out docs/faithfulness.md

tuned: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tuned.py "$(DATA)" --work "$(WORK)" --out docs/tuned.md

ideas: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/recipe_ideas.py "$(DATA)" --work "$(WORK)"

training: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/relevance_drop.py "$(DATA)" --out docs/training-results.md

pruning: $(VENV)/ready
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/pruning.py --data "$(DATA)" --work "$(WORK)"

selection: $(VENV)/selection/ready
	OMP_NUM_THREADS=1 $(VENV)/selection/bin/python benchmarks/selection.py "$(DATA)" \
		--work "$(VENV)/selection/runs" --out docs/selection.md

# Warnings are errors. PAGES: where the site is written to.
docs: $(VENV)/ready
	$(BIN)/python -m sphinx --nitpicky --fail-on-warning --keep-going --quiet docs "$(PAGES)"

pictures: $(VENV)/ready
	for script in examples/*.py; do $(BIN)/python $$script docs/pictures || exit 1; done

fuzz: $(VENV)/ready
	OMP_NUM_THREADS=1 RELPROP_GRAPHS=300 $(BIN)/python -m pytest --numprocesses auto \
		tests/whole_package/test_random_graphs.py

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[dev]"
	touch $@

$(VENV)/bench: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[bench]"
	touch $@

# LXT needs an older transformers than the tests ran with: all else has the tests' versions.
$(VENV)/lxt/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)/lxt
	grep -vE '^(transformers|tokenizers|huggingface_hub)==' constraints.txt > $(VENV)/lxt/constraints.txt
	$(VENV)/lxt/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(VENV)/lxt/constraints.txt --editable ".[lxt]"
	touch $@

# Zennit 1.0.0 asks for Python 3.11.11, and runs on earlier ones.
$(VENV)/zennit1/ready: $(VENV)/lxt/ready
	$(VENV)/lxt/bin/python -m pip install --quiet --disable-pip-version-check --upgrade \
		--target $(VENV)/zennit1 --ignore-requires-python --no-deps zennit==1.0.0
	touch $@

# zennit-crp needs an older Zennit.
$(VENV)/crp/ready: constraints.txt
	$(PYTHON) -m venv $(VENV)/crp
	grep -v '^zennit==' constraints.txt > $(VENV)/crp/constraints.txt
	$(VENV)/crp/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(VENV)/crp/constraints.txt zennit-crp==0.6.0
	touch $@

# SHAP's DeepExplainer is compared with; nothing else needs it.
$(VENV)/selection/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)/selection
	$(VENV)/selection/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[fit]" shap
	touch $@

clean:
	rm -rf $(VENV) $(OUT) $(PAGES) docs/reference
