# Bare "make" lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

GO ?= go
# sudo only where it is needed and there.
ROOT := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: bin/picket ## build bin/picket

.PHONY: bin/picket
bin/picket:
	@$(GO) version >/dev/null || { echo "Go 1.26 or newer is needed: see your distribution's golang package"; exit 1; }
	@$(GO) build -o bin/picket ./cmd/picket

.PHONY: demo
demo: ## build, then run the whole job end to end on a sample
	@[ -x bin/picket ] || echo "Building Picket: the first time takes a minute or two …"
	@$(MAKE) --no-print-directory bin/picket
	@bin/picket demo

.PHONY: test
test: setup check ## install what tests need, then run every check
	DIFFTEST_QUERIES=10000 $(GO) test -race ./...

.PHONY: check
check: ## formatting and vet
	@out="$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go'))"; [ -z "$$out" ] || { echo "gofmt -w these:"; echo "$$out"; exit 1; }
	$(GO) vet ./...

# The end-to-end test attacks a real sshd with a real client, delivered by a real logger; journals are read by the real journalctl.
TOOLS := sshd:openssh-server ssh:openssh-client sshpass:sshpass rsyslogd:rsyslog logger:bsdutils python3:python3-minimal node:nodejs npm:npm \
	journalctl:systemd systemd-journal-remote:systemd-journal-remote
# Folders whose package-lock.json lists what tests run under Node.
NODE_TESTS := kql/syntax/testdata/kusto app/testdata/npm cmd/picket/testdata/npm
# Debian installs one syslog daemon only: syslog-ng is unpacked beside rsyslog, here.
SYSLOG_NG := bin/syslog-ng
# What the benchmarks are compared with.
BENCH_TOOLS := rg:ripgrep
# install makes a recipe line that installs the Debian packages of missing programs,
# given as program:package.
define install
	@missing=""; for t in $(1); do \
	  PATH="$$PATH:/usr/sbin:/sbin:/lib/systemd" command -v "$${t%%:*}" >/dev/null || missing="$$missing $${t##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  if command -v apt-get >/dev/null; then \
	    echo "installing for $(2):$$missing"; \
	    $(ROOT) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(ROOT) apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "some of $(2) will be skipped; they need:$$missing"; fi; fi
endef

.PHONY: setup
setup: # install the programs the tests drive, where they are missing
	$(call install,$(TOOLS),the tests)
	@if [ -x /usr/bin/python3 ] && command -v apt-get >/dev/null && ! /usr/bin/python3 -c 'import azure.monitor.query, azure.kusto.data' 2>/dev/null; then \
	  $(ROOT) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(ROOT) apt-get install -y -qq --no-install-recommends python3-azure python3-azure-kusto-data >/dev/null \
	  || echo "some tests will be skipped: python3-azure or python3-azure-kusto-data is not to be had"; fi
	@ls /usr/lib/*/rsyslog/lmnsd_ossl.so >/dev/null 2>&1 || ! command -v apt-get >/dev/null || \
	  { $(ROOT) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(ROOT) apt-get install -y -qq --no-install-recommends rsyslog-openssl >/dev/null; } \
	  || echo "some tests will be skipped: rsyslog-openssl is not to be had"
	@command -v syslog-ng >/dev/null || [ -x $(SYSLOG_NG)/usr/sbin/syslog-ng ] || ! command -v apt-get >/dev/null || { \
	  $(ROOT) apt-get update -qq && rm -rf $(SYSLOG_NG) && mkdir -p $(SYSLOG_NG) && cd $(SYSLOG_NG) && apt-get download -qq -o APT::Sandbox::User=root syslog-ng-core && \
	  DEBIAN_FRONTEND=noninteractive $(ROOT) apt-get install -y -qq --no-install-recommends \
	    $$(dpkg-deb -f *.deb Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g') >/dev/null && dpkg-deb -x *.deb . && rm *.deb; } \
	  || echo "some tests will be skipped: syslog-ng is not to be had"
	@for d in $(NODE_TESTS); do [ $$d/node_modules -nt $$d/package-lock.json ] || (cd $$d && npm ci --silent && touch node_modules) \
	  || echo "some tests will be skipped: npm ci failed in $$d"; done

.PHONY: lint
lint: ## golangci-lint, when it is installed
	golangci-lint run

.PHONY: bench-setup
bench-setup: # install what the benchmarks are compared with
	$(call install,$(BENCH_TOOLS),the benchmarks)

.PHONY: bench
bench: bench-setup ## benchmarks; PICKET_BENCH_ROWS (default 10000000) scales the tables
	$(GO) test -run '^$$' -bench 'BenchmarkDetections|BenchmarkSearch' -benchtime 5x -timeout 40m ./workspace
	$(GO) test -run '^$$' -bench BenchmarkIngest -benchtime 3x -timeout 20m ./workspace
	$(GO) test -run '^$$' -bench 'BenchmarkSteady|BenchmarkRetain' -benchtime 1x -timeout 20m ./workspace
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v /workspace$$)

.PHONY: soak
SOAK ?= 1h
soak: ## look up addresses for SOAK (default 1h) while every provider misbehaves
	SOAK=$(SOAK) $(GO) test -run '^TestSoak$$' -v -count=1 -timeout 0 ./cmd/picket

.PHONY: fuzz
FUZZTIME ?= 30s
QUERIES ?= 1000000
fuzz: ## every fuzz target, FUZZTIME each (default 30s); then QUERIES random queries (default 1000000)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r f; do \
	  for t in $$(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$f" | cut -d' ' -f2); do \
	    echo "== $$t ($$(dirname "$$f"))"; $(GO) test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$f")" || exit 1; done; done
	$(GO) test -v -timeout 0 -run TestDifferential ./kql/difftest -seed $$(date +%s) -queries $(QUERIES)

.PHONY: update
update: ## rewrite expected results of file-based tests
	$(GO) test ./kql ./kql/syntax -update

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
