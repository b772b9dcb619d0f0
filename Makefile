# One virtual environment, made here, serves every target.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# Where the stand-in for SkyServer listens while the demo runs: `make demo PORT=8500` if another program has this one.
PORT ?= 8417
INSTALLED := .venv/installed

.PHONY: demo test check soak clean

demo: $(INSTALLED)  ## the whole job on simulated galaxies, into demo/
	$(BIN)/metalight simulate --galaxies 1500 --seed 1 --side 64 -o demo/survey
	$(BIN)/metalight simulate serve demo/survey --port $(PORT) > demo/stand-in.txt & \
	stand_in=$$!; trap "kill $$stand_in" EXIT; \
	until grep -q answers demo/stand-in.txt; do kill -0 $$stand_in 2> /dev/null || { trap - EXIT; exit 1; }; sleep 0.2; done; \
	$(BIN)/metalight run demo --run-dir demo/run --set skyserver.base_url=http://127.0.0.1:$(PORT)

# Workers that compute with several threads each would wait for one another more than they compute.
test soak: export OMP_NUM_THREADS = 1

test: check  ## the checks, and the tests that take minutes
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(INSTALLED)  ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(INSTALLED)  ## the tests that take longer
	$(BIN)/pytest -m soak --numprocesses auto --maxprocesses 4 --dist loadfile

clean:  ## what the targets made, apart from the environment
	rm -rf demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# Hashes and editable installs exclude each other, so there are two steps. Whatever pip is told elsewhere, it takes no
# file whose hash is not in requirements.txt, and builds metalight with the hatchling from there.
$(INSTALLED): pyproject.toml requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(INSTALLED)
