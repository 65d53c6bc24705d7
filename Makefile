# Videoflix on one machine. Needs Python 3.11 or later and GNU make, nothing else.
#
#   make run    [PORT=8000] [HOST=127.0.0.1] [DATA_DIR=instance] [WORKERS=cores] [DEMO=1]
#   make test   [ARGS="-k login"]
#   make test-deploy [ARGS=…]   of these, those of the files in deploy/
#   make lint
#   make bench  [ARGS=…]
#   make pins   write constraints.txt anew
#   make clean  remove everything that was made here, except DATA_DIR
#
# Variables given to make reach the programs as environment variables, and so does the environment.

SHELL := /bin/sh
.DEFAULT_GOAL := run
.NOTPARALLEL:
.SUFFIXES:
.PHONY: run test test-deploy lint bench clean setup setup-dev assets pins

PYTHON ?=
CANDIDATES := $(PYTHON) python3.12 python3.11 python3.13 python3.14 python3 python
VENV := .venv/bin/python

# What is installed is known by the content of these files, and by where the folder lies.
content = $(shell { cat $(1) constraints.txt; pwd -P; } | cksum | cut -d ' ' -f 1)
RUN_STAMP := .venv/stamps/run-$(call content,requirements.txt)
DEV_STAMP := .venv/stamps/dev-$(call content,requirements.txt requirements-dev.txt)
PIP := $(VENV) -m pip --disable-pip-version-check --no-input

# With stamps but without its Python, the environment is made again.
ifeq ($(wildcard $(VENV)),)
$(RUN_STAMP) $(DEV_STAMP): FORCE
FORCE:
.PHONY: FORCE
endif

run: setup assets
	@exec $(VENV) -m standalone --with-make

# One more at a time than there are processors: tests wait a quarter of their time.
test: setup-dev assets
	@exec $(VENV) -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)) \
		--dist loadgroup $(ARGS)

test-deploy: setup-dev assets
	@exec $(VENV) -m pytest tests/deploy $(ARGS)

lint: setup-dev
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m mypy
	.venv/bin/lint-imports

bench: setup-dev assets
	@exec $(VENV) -m bench $(ARGS)

setup: $(RUN_STAMP)

setup-dev: $(DEV_STAMP)

assets: $(RUN_STAMP)
	@$(VENV) -m standalone.assets

clean:
	rm -rf .venv node_modules app/static/vendor build htmlcov .coverage .pytest_cache \
		.mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Films, accounts and mails stay in DATA_DIR (instance/)."

# The newest versions that requirements-dev.txt allows, and all they bring along.
pins:
	@$(find-python); \
	rm -rf build/pins && mkdir -p build && "$$python" -m venv build/pins && \
	sed '/^-c /d' requirements.txt > build/requirements.txt && \
	cp requirements-dev.txt build/requirements-dev.txt && \
	build/pins/bin/python -m pip --disable-pip-version-check install --quiet \
		-r build/requirements-dev.txt && \
	{ echo '# Every package that is installed, made by `make pins`. Do not edit.'; \
	  build/pins/bin/python -m pip freeze; } > build/constraints.txt && \
	mv build/constraints.txt constraints.txt && rm -rf build/pins build/requirements*.txt

$(RUN_STAMP):
	@$(make-venv)
	@echo 'Installing what Videoflix needs into .venv (once, about a minute) …'
	@$(PIP) install --quiet -r requirements.txt || { $(say-why); exit 1; }
	@mkdir -p .venv/stamps && touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo 'Installing what the tests need into .venv (once) …'
	@$(PIP) install --quiet -r requirements-dev.txt || { $(say-why); exit 1; }
	@touch $@

define say-why
echo 'Installing failed; the lines above say why. Check the network connection and the free disk \
space, then run the same command again.'
endef

# Sets $python to the first candidate that is new enough and can make environments.
define find-python
python=; old=; \
for candidate in $(CANDIDATES); do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	old=$$candidate; \
	"$$candidate" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	python=$$candidate; break; \
done; \
if [ -z "$$python" ] && [ -n "$$old" ]; then \
	echo "$$old cannot make environments: install its venv module (Debian, Ubuntu:" \
		"sudo apt install python3-venv) and run the same command again."; exit 1; \
elif [ -z "$$python" ]; then \
	echo 'Python 3.11 or later was not found: install it, or name it: make run PYTHON=/path/to/python3'; \
	exit 1; \
fi
endef

# An environment knows its own place by heart: one that was moved or copied is made anew.
define make-venv
if ! grep -qsF "$$(pwd -P)/.venv/bin/python" .venv/bin/pip || ! $(VENV) -c 'import pip' 2>/dev/null; \
then \
	$(find-python); \
	echo "Making .venv with $$("$$python" --version) …"; \
	rm -rf .venv && "$$python" -m venv .venv; \
fi
endef
