# Every target is one or two plain lines. On Windows type them yourself, with
# `py -m venv .venv` for the first and `.venv\Scripts\` in place of `.venv/bin/`.

PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
ROUNDS ?= 50
# An editable install runs the code of this tree. What it copies instead (the built front end, the
# server's configuration) makes it due again, as a change of the dependencies does.
COPIED := pyproject.toml $(shell find jupyter-config labextension/src labextension/style -type f) \
	$(wildcard labextension/*.json) jupyter_export/client/card.css

.PHONY: demo lab test fuzz bench chaos load lint format clean

demo: $(VENV)/.demo  ## Export real data in a notebook of a real Jupyter server
	$(BIN)/python notebooks/demo.py

lab: $(VENV)/.demo  ## Open the same notebook in JupyterLab
	$(BIN)/jupyter lab notebooks/quickstart.ipynb

test: $(VENV)/.dev  ## Run all tests: make test PYTEST="-k csv -x"
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST)

fuzz: $(VENV)/.dev  ## More nonsense for the server than "make test" has time for: make fuzz FUZZ=100
	FUZZ=$(or $(FUZZ),20) $(BIN)/python -m pytest -n 0 --timeout 0 \
		tests/server/test_contract.py tests/server/test_fuzz_specs.py tests/server/test_fuzz_uploads.py

bench: $(VENV)/.demo $(VENV)/.bench  ## Measure beside pandas, DuckDB, Polars, PyArrow: make bench BENCH="--only csv"
	$(BIN)/python -m benchmarks $(BENCH)

chaos: $(VENV)/.dev  ## Kill workers and servers at ROUNDS random moments each: make chaos ROUNDS=50 PYTEST="-k worker"
	JUPYTER_EXPORT_CHAOS=$(ROUNDS) $(BIN)/python -m pytest -n 0 tests/chaos $(PYTEST)

load: $(VENV)/.demo $(VENV)/.bench  ## Many clients of one server, all watching: make load LOAD="--jobs 200 --clients 20"
	$(BIN)/python -m benchmarks.load $(LOAD)

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
