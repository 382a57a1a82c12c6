# make study   the quickstart study, in an environment of its own
# make test    lint, types and tests
# make cluster-test   clusters of several hosts on this machine, AWS included: as root, on Debian or Ubuntu, with
#                     apt install openssh-server rsync iproute2 postgresql
# make venv    the environment alone; make lock writes the lock file anew from pyproject.toml

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: study test chaos cluster-test lint venv lock slow-test browser-test clean

study: venv
	$(BIN)/python study/launch.py --space search_spaces/quickstart.py

test: venv lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not cluster" -n 2 --dist loadgroup --durations=15

slow-test: venv
	$(BIN)/python -m pytest -m slow

chaos: venv
	$(BIN)/python -m tests.study.faults.chaos --seed $(or $(SEED),0) --kills 20 --out docs/results/chaos.md

cluster-test: venv .venv-moto/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m cluster -rs -v tests/cluster \
		-o junit_family=xunit1 --junitxml=build/cluster.xml; code=$$?; \
		$(BIN)/python -m tests.cluster.outcome build/cluster.xml > build/cluster.md; exit $$code

.venv-moto/installed:
	$(PYTHON) -m venv .venv-moto
	.venv-moto/bin/pip install --quiet 'moto[server,ec2,s3,iam,ssm]>=5.2'
	touch $@

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

venv: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=...')"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

lock:
	uv pip compile pyproject.toml --extra dev --extra timm --extra dashboard --extra cluster --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -o requirements.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
