# make help lists what there is. PYTHON, VENV and LIBRARY may be set on the command line.
PYTHON  ?= python3
VENV    ?= .venv
LIBRARY ?=
ARCHIVES ?=
FROM = $(if $(ARCHIVES),--archives $(ARCHIVES))

BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test lint types docs bench weights clean

help:           ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

# The set-up, once: everything is installed with the versions of constraints.txt.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "inscape needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: $(READY)  ## install, predict the spectra of quartz, name the files written
	$(BIN)/inscape predict examples/quartz.cif --output demo
	@echo; echo "Written:"; ls -1 demo/quartz.* | sed 's/^/  /'

test: $(READY)  ## install, run the tests in two processes
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: $(READY)  ## ruff
	$(BIN)/ruff check .

types: $(READY) ## mypy --strict on src/
	$(BIN)/mypy --strict src

docs: $(READY)  ## build the documentation into docs/_build/html, warnings as errors
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "Written: docs/_build/html/index.html"

bench: $(READY) ## measure what docs/benchmarks.md states (LIBRARY=path of a library, where a script needs one)
	$(BIN)/python benchmarks/speed.py
	@[ -n "$(LIBRARY)" ] || { echo "accuracy needs the path of a library: make bench LIBRARY=phonondb.zarr"; exit 2; }
	$(BIN)/inscape evaluate --library $(LIBRARY) --split val
	LIBRARY=$(LIBRARY) $(BIN)/python benchmarks/codes.py
	LIBRARY=$(LIBRARY) $(BIN)/python benchmarks/whole_map.py

weights: $(READY) ## train the shipped models again from LIBRARY=path and ARCHIVES=path, the folder of the phonondb
	@[ -n "$(LIBRARY)" ] || { echo "make weights needs the path of a library: make weights LIBRARY=phonondb.zarr"; exit 2; }
	$(BIN)/inscape train autoencoder configs/autoencoder-dos.toml --library $(LIBRARY)
	$(BIN)/inscape train autoencoder configs/autoencoder-powder.toml --library $(LIBRARY)
	$(BIN)/inscape train structure configs/structure-charges.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-small.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-again.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-unstable.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-last.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-energies.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train structure configs/structure-force-constants-second.toml --library $(LIBRARY) $(FROM)
	$(BIN)/inscape train pseudo-labels --library $(LIBRARY)
	$(BIN)/inscape train structure configs/structure-dos.toml --library $(LIBRARY)
	$(BIN)/inscape train structure configs/structure-powder.toml --library $(LIBRARY)
	$(BIN)/inscape train structure configs/structure-crystal.toml --library $(LIBRARY)
	$(BIN)/inscape train denoise configs/denoise-powder.toml --library $(LIBRARY)
	$(BIN)/inscape train denoise configs/denoise-dos.toml --library $(LIBRARY)
	$(BIN)/inscape train calibration --library $(LIBRARY)
	$(BIN)/inscape train calibration --library $(LIBRARY) --road force-constants
	$(BIN)/inscape index build $(LIBRARY) -o src/inscape/index/phonondb.safetensors

clean:          ## remove the environment and everything built
	rm -rf $(VENV) demo build dist docs/_build docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
