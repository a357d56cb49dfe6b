PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test test-slow test-random lint bench-walk bench-text bench-detection bench-vectors bench-windows bench-peers
.PHONY: bench-rings bench-forensics bench-scale bench-live clean bench-forensics-model bench-decisions
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
	$(BIN)/pytest -m 'not slow' -n 2 --durations=15
test-slow: setup
	$(BIN)/pytest -m slow
test-random: setup
	$(BIN)/pytest -m 'not slow' -n 2 --hypothesis-profile random
bench-walk: setup
	$(BIN)/python benchmarks/walk.py
bench-text: setup
	$(BIN)/python benchmarks/text.py
COSTS := paraphrase human_times identities residential one_address low_rate cover no_skeleton fresh_tasks reseller relay \
  rotation probe grading stolen shared_proxy few_queries plain_data bare_interface independent
bench-detection: setup
	$(BIN)/python benchmarks/detection.py innocent
	$(BIN)/python benchmarks/detection.py quiet
	$(if $(PROMPTS),$(BIN)/python benchmarks/detection.py shuffled --prompts $(PROMPTS))
	$(BIN)/python benchmarks/detection.py evasions
	$(BIN)/python benchmarks/ablation.py --scale 0.4 --seed 12 --nobody 3
	$(BIN)/python benchmarks/early.py
	$(BIN)/python benchmarks/early.py --by 6h
	$(BIN)/python benchmarks/evasion_cost.py --scale 0.3 --growth 1.5 --levels '' $(COSTS)
	$(BIN)/python benchmarks/streams.py
	$(BIN)/python benchmarks/looks.py
	$(BIN)/python benchmarks/evaluation_page.py
bench-decisions: setup
	$(BIN)/python benchmarks/decisions.py
bench-rings: setup
	$(BIN)/python benchmarks/rings.py $(if $(TRACES),--traces $(TRACES))
bench-vectors: setup
	$(BIN)/python benchmarks/vectors.py $(if $(PROMPTS),--prompts $(PROMPTS)) $(if $(MODELS),--models $(MODELS))
	$(BIN)/python benchmarks/content_page.py
bench-windows: setup
	$(BIN)/python benchmarks/windows.py $(if $(PROMPTS),--prompts $(PROMPTS)) $(if $(MODELS),--models $(MODELS))
	$(BIN)/python benchmarks/content_page.py
bench-peers: setup
	$(BIN)/python benchmarks/peers/run.py
	$(BIN)/python benchmarks/peers/page.py
bench-scale: setup
	$(BIN)/python benchmarks/scale.py --scales 1 10 --memory 5GB
	$(BIN)/python benchmarks/scale.py --scales 1 10 --words 200 --memory 5GB
	$(BIN)/python benchmarks/scale.py --scales 10 --repeat 3 --memory 5GB
	$(BIN)/python benchmarks/scale.py --scales 10 --repeat 10 --memory 5GB
	$(BIN)/python benchmarks/scale.py --scales 10 --words 200 --repeat 10 --memory 5GB
	$(BIN)/python benchmarks/scale.py --scales 1 10 --memory 5GB --no-text
	$(BIN)/python benchmarks/scale.py --scales 10 --repeat 3 --memory 5GB --no-text
	$(BIN)/python benchmarks/scale.py --scales 10 --repeat 10 --memory 5GB --no-text
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/linking.py
	$(BIN)/python benchmarks/spark.py --masters 'local[2]' 'local-cluster[2,1,1024]'
	$(BIN)/python benchmarks/state.py --worlds demo:1 innocent:1 --merges 1
	$(BIN)/python benchmarks/performance_page.py
bench-live: setup
	$(BIN)/python benchmarks/live.py
	$(BIN)/python benchmarks/live_memory.py
	$(BIN)/python benchmarks/live_litellm.py
	$(BIN)/python benchmarks/live_peer.py
	$(BIN)/python benchmarks/live_page.py
bench-forensics: setup
	$(BIN)/python benchmarks/forensics_data.py $(if $(PROMPTS),--prompts $(PROMPTS))
	nice -n 5 $(BIN)/python benchmarks/forensics_large.py
bench-forensics-model: setup
	nice -n 5 $(BIN)/python benchmarks/forensics_exact.py
	nice -n 5 $(BIN)/python benchmarks/forensics_words.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[forensics]'
	nice -n 10 $(BIN)/python benchmarks/forensics_students.py --folder out/forensics $(if $(TEXT),--text $(TEXT)) $(if $(SCALE),--scale $(SCALE))
	nice -n 10 $(BIN)/python benchmarks/forensics_model.py --folder out/forensics
clean:
	rm -rf out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
