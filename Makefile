# Everything a fresh machine needs is Python 3.11 or newer and make:
#
#   make tutorial                  the lesson about attention
#   make tutorial T=01_rnn
#   make experiment E=gpt ARGS="--quick"
#   make test                      the tests, on the three Keras backends
#   make test BACKENDS=jax ARGS="-k lstm"
#
#   make notebooks                 of the lessons, in build/notebooks
#   make pages T=01_rnn            execute a lesson for the site
#   make site                      the site, in build/site
#   make test-site                 its tests, in Chromium
#   make look                      the look-inside page, at loopback (needs npm)
#   make look ARGS=build           the same, in build/look
#   make look ARGS=train           train its models again
#   make test-look                 its tests, in Chromium
#
#   make bench    time beside other libraries    make lint    check the style
#   make format   format the code                make clean   delete what was made
#   make diagrams draw docs/diagrams

PYTHON ?= python3
T ?= 05_attention
E ?= attention
BACKENDS ?= tensorflow jax torch
WORKERS ?= 2
BENCHMARKS ?= recurrent decoding transformer generation bert vit memory scaling
ARGS ?=

# Exactly this release: a bare `torch` takes the newest, which on Linux brings
# gigabytes of CUDA, while this pin is met by the CPU build 2.13.0+cpu too, and
# pip prefers that build where it is offered (for example by PIP_FIND_LINKS).
TORCH := torch==2.13.0

VENV := .venv
RUN := $(VENV)/bin/python

# A stamp per extra of setup.cfg that is installed, so that a second call is
# quick. TensorFlow needs no extra: the package itself requires it.
with = $(addprefix $(VENV)/.with-,$(filter-out tensorflow,$(1)))

.PHONY: tutorial experiment test notebooks pages site test-site look test-look bench \
  diagrams lint format clean

# TensorFlow leaves oneDNN off on processors without AVX-512 VNNI or the like.
tutorial experiment: export TF_ENABLE_ONEDNN_OPTS ?= 1
tutorial: $(call with,tutorials)
	$(RUN) tutorials/$(T).py

experiment: $(call with,tutorials)
	$(RUN) -m experiments.$(E) $(ARGS)

# One process per backend; a failure on one does not keep the next from
# running, but it is the outcome.
test: $(call with,test $(BACKENDS))
	@failed=; \
	for backend in $(BACKENDS); do \
	  echo; echo "==== tests on $$backend ===="; \
	  KERAS_BACKEND=$$backend $(RUN) -m pytest \
	    -n $(WORKERS) --dist worksteal $(ARGS) \
	    || failed="$$failed $$backend"; \
	done; \
	if [ -n "$$failed" ]; then echo "Tests failed on:$$failed"; exit 1; fi

notebooks: $(call with,docs)
	$(RUN) docs/notebooks.py

# Of all lessons whose script has changed, or of the one that T names: here its
# default above is not meant.
pages: $(call with,tutorials docs)
	$(RUN) -m docs.pages $(if $(filter command line environment,$(origin T)),$(T))

site: export TF_CPP_MIN_LOG_LEVEL ?= 3
site: $(call with,tutorials pretrained docs)
	$(RUN) -m docs.website

# axe-core, which examines the accessibility of pages, is an npm package.
AXE := build/axe-core/package/axe.min.js
$(AXE):
	mkdir -p build/axe-core
	cd build/axe-core && npm pack --silent axe-core@4.14.1 && tar xzf *.tgz
	touch $@

test-site: site $(AXE) $(call with,test docs)
	$(RUN) -m pytest -n 0 tests/test_site.py $(ARGS)

look: $(call with,tutorials)
	$(RUN) -m look $(or $(ARGS),serve)

test-look: $(AXE) $(call with,test docs)
	$(RUN) -m look build
	KERAS_SEQ_LOOK=1 $(RUN) -m pytest -n 0 tests/test_look.py \
	  tests/test_look_numbers.py tests/test_look_exports.py \
	  tests/test_look_python.py $(ARGS)

bench: $(call with,torch $(BACKENDS))
	@set -e; for backend in $(BACKENDS); do \
	  for name in $(BENCHMARKS); do \
	    KERAS_BACKEND=$$backend $(RUN) -m benchmarks.$$name $(ARGS); \
	  done; \
	done

# Only the standard library is needed.
diagrams:
	$(PYTHON) -m diagrams

lint: $(call with,test)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: $(call with,test)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) build dist runs *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("keras_seq needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.with-%: $(VENV)/.made setup.cfg pyproject.toml
	$(RUN) -m pip install --quiet --editable ".[$*]" $(if $(filter torch,$*),$(TORCH))
	@touch $@
