# Two commands do it all on a fresh Debian or Ubuntu machine with root and Python 3.10 or later:
#   make demo   a rehearsal machine, installed, proven by a real call, with its report
#   make test   every part tested once, on rehearsal machines too
.DEFAULT_GOAL := help
.PHONY: help demo test test-all unit lint bench faults docs site install-docs messages wheel box clean
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
LAB_TOOLS := systemd-nspawn:systemd-container mmdebstrap:mmdebstrap nft:nftables ip:iproute2 \
             ssh:openssh-client ssh-keygen:openssh-client
TEST_TOOLS := chromium:chromium testssl:testssl.sh iperf3:iperf3 restic:restic groff:groff-base gpg:gpg gpg-agent:gpg-agent
VAGRANT_TOOLS := vagrant:vagrant-libvirt lxc-create:lxc redir:vagrant-lxc

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.base: pyproject.toml installer/bootstrap $(wildcard ucontact_appliance/language/locale/*/LC_MESSAGES/*.po)
	@installer/bootstrap venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m compileall -q ucontact_appliance # a machine may forbid it at run time
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.site: $(VENV)/.base
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[site]'
	@touch $@

demo: $(VENV)/.base ## a rehearsal machine, installed, proven by a real call, with its report
	@installer/bootstrap tools $(LAB_TOOLS)
	@$(BIN)/python installer/demo.py

test: $(VENV)/.dev ## every part tested once; the tests on machines need root
	@installer/run-tests fast $(BIN) $(LAB_TOOLS) $(TEST_TOOLS)

test-all: $(VENV)/.dev ## all tests (second suites, Python 2.7, load, crashes ...), then all faults: hours
	@installer/run-tests all $(BIN) $(LAB_TOOLS) $(TEST_TOOLS) $(VAGRANT_TOOLS)
	@$(BIN)/python -m tests.faults --machines $(MACHINES)

unit: $(VENV)/.dev ## the tests that need no machine
	$(BIN)/python -m pytest tests/unit

lint: $(VENV)/.dev ## ruff, mypy, import-linter, ansible-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	ANSIBLE_INVENTORY_UNPARSED_FAILED=false ANSIBLE_CONFIG=installer/ansible.cfg PATH="$(abspath $(BIN)):$$PATH" $(BIN)/ansible-lint --offline --strict roles installer/playbooks

PARTS :=
bench: $(VENV)/.dev ## speed, memory and load, as ratios taken in one run (PARTS=load: only that)
	@installer/bootstrap tools $(LAB_TOOLS)
	$(BIN)/python -m tests.bench $(PARTS)

MACHINES := 2
faults: $(VENV)/.dev ## every fault of the catalogue on machines (MACHINES=2): cause, silence, remedy
	@installer/bootstrap tools $(LAB_TOOLS)
	$(BIN)/python -m tests.faults --machines $(MACHINES) --page docs/faults-table.md

docs: $(VENV)/.dev ## the pages that are made from code and tables: checks, site.yml, roles
	$(BIN)/python -m tests.pages

site: docs $(VENV)/.site ## the documentation as pages, in build/site; fails on a broken link
	@# not --quiet, which hides from `strict` the warnings that it counts
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --clean

PREFIX := /usr/local
install-docs: $(VENV)/.base ## manual pages and completions of ucontact, below PREFIX (/usr/local)
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null) $(BIN)/python installer/manual.py $(PREFIX)/share

messages: $(VENV)/.dev ## the catalogues of translations, brought up to date and compiled
	$(BIN)/python -m tests.messages

SIGN_WITH :=
wheel: $(VENV)/.dev ## the installable wheel with the evaluation release, in dist/
	@installer/bootstrap tools $(LAB_TOOLS)
	@$(BIN)/python installer/wheel.py $(if $(SIGN_WITH),--sign-with $(SIGN_WITH))

box: $(VENV)/.base ## the lab's image as a box for vagrant-lxc, in build/
	@installer/bootstrap tools $(LAB_TOOLS)
	@$(BIN)/python installer/box.py

clean: ## what make made, but for rehearsal machines (ucontact lab down --all)
	rm -rf build dist $(VENV)
