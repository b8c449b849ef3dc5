# make demo: an agent learns to hop from 700 comparisons.   make test: everything that must hold.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test install

demo: install
	$(BIN)/prefrl train Hopper --labels 700 --steps 500000 --seed 0 --out runs/demo-$$(date +%Y%m%d-%H%M%S)

test: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
