PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-slow lint bench-walk bench-text bench-detection bench-peers clean
setup: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@
demo: setup
	$(BIN)/stillwatch demo --out out/demo
lint: setup
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
test: lint
	$(BIN)/pytest -m 'not slow' -n 2
test-slow: setup
	$(BIN)/pytest -m slow
bench-walk: setup
	$(BIN)/python benchmarks/walk.py
bench-text: setup
	$(BIN)/python benchmarks/text.py
bench-detection: setup
	$(BIN)/python benchmarks/detection.py calibration
	$(BIN)/python benchmarks/looks.py
	$(BIN)/python benchmarks/evaluation_page.py
bench-peers: setup
	$(BIN)/python benchmarks/peers/run.py
	$(BIN)/python benchmarks/peers/page.py
clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
