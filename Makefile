# Every target is one or two plain lines. On Windows type them yourself, with
# `py -m venv .venv` for the first and `.venv\Scripts\` in place of `.venv/bin/`.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
# An editable install runs the code of this tree. What it copies instead (the built front end, the
# server's configuration) makes it due again, as a change of the dependencies does.
COPIED := pyproject.toml $(shell find jupyter-config labextension/src labextension/style -type f) \
	$(wildcard labextension/*.json)

.PHONY: demo lab test bench lint format clean

demo: $(VENV)/.demo  ## Export real data in a notebook of a real Jupyter server
	$(BIN)/python notebooks/demo.py

lab: $(VENV)/.demo  ## Open the same notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/quickstart.ipynb

test: $(VENV)/.dev  ## Run all tests: make test PYTEST="-k csv -x"
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST)

bench: $(VENV)/.demo $(VENV)/.bench  ## Measure beside pandas, DuckDB, Polars, PyArrow: make bench BENCH="--only csv"
	$(BIN)/python -m benchmarks $(BENCH)

lint: $(VENV)/.dev  ## Style, types and the direction of imports
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy && $(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## Let ruff repair what it can
	$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) jupyter_export/labextension labextension/lib labextension/node_modules benchmarks/output

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# .demo, .dev and .bench: the extra of that name is installed in the environment.
$(VENV)/.%: $(COPIED) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@
