# Everything here works on a fresh machine with Python 3.11 or newer, make and a package index.
PYTHON ?= python3
PORT ?= 9090
ARGS ?=
BENCH ?=
IMAGE ?= localhost/prebrush
# seconds of `make fuzz`, for all parsers together
TIME ?= 600

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# PREBRUSH_TEST_STUDIO names an environment that holds Label Studio already
STUDIO := $(if $(PREBRUSH_TEST_STUDIO),,.venv-studio/.studio)
SYSTEM := sh tests/install_system_parts.sh

.PHONY: serve demo test test-lowest fuzz faults audit lint format documents pictures e2e image package bench clean

.PHONY: install recordings screenshots

# The commands in .venv/bin, nothing started.
install: .venv/.serve

serve: .venv/.serve
	@$(BIN)/prebrush serve --port $(PORT) $(ARGS)

# A Label Studio with sample images and a connected prebrush; ends with Ctrl-C.
demo: .venv/.demo $(STUDIO)
	@$(BIN)/python -m demo

test: .venv/.test .venv-lowest/.test .venv-face/.face
	@$(SYSTEM) redis-server chromium haproxy
	$(BIN)/python -m pytest $(ARGS)
	$(MAKE) test-lowest

# The lowest versions pyproject.toml allows. The SDK, which is the judge elsewhere, needs newer ones and is left out.
test-lowest: .venv-lowest/.test
	PREBRUSH_TEST_LOWEST=1 .venv-lowest/bin/python -m pytest tests/unit

# Every parser, guided by coverage, for TIME seconds; what is found is left in .fuzz/findings.
fuzz: .venv/.test
	cd tests && PYTHONPATH=../backend ../$(BIN)/python -m fuzzing --seconds $(TIME)

# Faults and hostile input, each many times over and for longer than `make test` takes.
faults: .venv/.test
	@$(SYSTEM) redis-server
	PREBRUSH_TEST_LONG=1 $(BIN)/python -m pytest tests/with_redis tests/hostile tests/unit/storage $(ARGS)

# Known vulnerabilities in what constraints.txt pins, where the data about them can be reached.
audit: .venv-audit/.audit
	@sh tests/audit.sh .venv-audit/bin/pip-audit

lint: .venv/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# README tables, config.yaml and the methods' pages, from the code; `make pictures` makes their pictures.
documents: .venv/.test
	$(BIN)/python tests/documents.py
	$(BIN)/python tests/method_pages.py

pictures: .venv/.test
	$(BIN)/python docs/make_pictures.py
	$(BIN)/python docs/make_playground_pictures.py

# Every command on a terminal, and the editor of a real Label Studio.
recordings: .venv/.test $(STUDIO)
	PYTHONPATH=. $(BIN)/python docs/record_terminal.py

screenshots: .venv/.test $(STUDIO)
	@$(SYSTEM) chromium
	PYTHONPATH=.:tests $(BIN)/python docs/make_screenshots.py

e2e: .venv/.test $(STUDIO)
	@$(SYSTEM) chromium
	$(BIN)/python -m pytest -c tests/end_to_end/pytest.ini tests/end_to_end $(ARGS)

# Builds the container image where no engine runs, and starts it. With an engine: docker build -f docker/Dockerfile .
image: .venv/.test
	@$(SYSTEM) buildah debootstrap
	IMAGE=$(IMAGE) sh docker/build_without_engine.sh
	PREBRUSH_TEST_IMAGE=$(IMAGE) $(BIN)/python -m pytest tests/in_container

# Builds wheel and source archive into dist/, installs and uses each in a clean environment, and lists what the wheel
# brings along (a CycloneDX bill of materials).
package: .venv/.test .venv-audit/.audit
	rm -rf dist build .venv-package
	$(BIN)/python -m build --outdir dist . >/dev/null
	$(PYTHON) -m venv --without-pip .venv-package
	$(PIP) --python .venv-package/bin/python install -c constraints.txt dist/*.whl
	.venv-audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file dist/prebrush.cdx.json .venv-package/bin/python
	PREBRUSH_TEST_DIST=dist $(BIN)/python -m pytest tests/in_package

bench: .venv/.test
	$(BIN)/python -m bench $(BENCH)

# Many annotators for ten minutes, against one server and against three behind a proxy; ARGS="--minutes 2" for fewer.
.PHONY: soak
soak: .venv/.test
	@$(SYSTEM) redis-server haproxy
	$(BIN)/python -m bench.soak $(ARGS)

clean:
	rm -rf .venv .venv-lowest .venv-studio .venv-face .venv-audit .venv-package .e2e .fuzz build dist

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "prebrush needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=, as in: make PYTHON=python3.12 serve")'
	$(PYTHON) -m venv .venv
	$(PIP) install --upgrade -c constraints.txt pip
	@touch $@

.venv/.serve: .venv/.python pyproject.toml constraints.txt
	@echo "Installing into .venv and compiling: a few minutes, this once."
	$(PIP) install -c constraints.txt -e .
	@$(BIN)/prebrush warm-up
	@touch $@

.venv/.demo: .venv/.serve
	$(PIP) install -c constraints.txt --group demo
	@touch $@

.venv/.test: .venv/.serve
	$(PIP) install -c constraints.txt --group test
	@touch $@

.venv-audit/.audit: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip --disable-pip-version-check --quiet install --upgrade -c constraints.txt pip
	.venv-audit/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt --group audit
	@touch $@

.venv/.lint: .venv/.test
	$(PIP) install -c constraints.txt --group lint
	@touch $@

.venv-lowest/.test: pyproject.toml tests/constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip --disable-pip-version-check --quiet install --upgrade -c constraints.txt pip
	.venv-lowest/bin/python -m pip --disable-pip-version-check --quiet install -c tests/constraints-lowest.txt -e . --group test-core
	@touch $@

# prebrush under the label-studio-ml tool. Its old Werkzeug runs on Python up to 3.13; on newer ones the tests leave it out.
FACE_PIP := .venv-face/bin/python -m pip --disable-pip-version-check --quiet install -c tests/constraints-label-studio-ml.txt
.venv-face/.face: pyproject.toml tests/constraints-label-studio-ml.txt
	$(PYTHON) -m venv .venv-face
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 14))'; then \
		set -x; $(FACE_PIP) --upgrade pip && $(FACE_PIP) -e ".[label-studio-ml]" && .venv-face/bin/prebrush warm-up; fi
	@touch $@

.venv-studio/.studio: tests/end_to_end/constraints.txt
	$(PYTHON) -m venv .venv-studio
	.venv-studio/bin/python -m pip --disable-pip-version-check --quiet install -c tests/end_to_end/constraints.txt label-studio
	@touch $@
