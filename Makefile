# Two commands to know: `make demo` and `make test`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := bin
GO ?= go
# Formatters and linters are pinned in a module of their own, apart from what the product depends on.
GOFUMPT := $(BIN)/gofumpt
STATICCHECK := $(BIN)/staticcheck
DEMO_FLAGS ?=
BENCH ?= .
BENCH_FLAGS ?=
FUZZTIME ?= 30s
KILLS ?= 50
CHAOS ?= 30m

.PHONY: help demo build test test-deps race check fmt bench bench-peers microbench pgo fuzz chaos soak examples example-web generate chaos-line clean

# What is tested is built without the profile: with it, everything would be compiled twice.
test race check: export GOFLAGS += -pgo=off

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## start a synthetic shop with simulated shoppers and a live view
	@$(BIN)/eligibility demo $(DEMO_FLAGS)

build: ## build bin/eligibility
	@mkdir -p $(BIN)
	$(GO) build -trimpath -o $(BIN)/eligibility ./cmd/eligibility

test-deps: ## install what the tests need beside Go: PostgreSQL's programs, without starting a server, Chromium, and the SDKs that run against us
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then \
	  echo "PostgreSQL is there"; \
	else \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo mkdir -p /etc/postgresql-common; \
	  [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' | $$sudo tee /etc/postgresql-common/createcluster.conf >/dev/null; \
	  $$sudo apt-get update; $$sudo apt-get install -y --no-install-recommends postgresql; \
	fi
	@if command -v chromium chromium-browser google-chrome >/dev/null; then \
	  echo "Chromium is there"; \
	else \
	  sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update; $$sudo apt-get install -y --no-install-recommends chromium; \
	fi
	@if command -v npm >/dev/null; then for dir in sdk/compat sdk/web examples/web examples/sender-ts; do npm ci --prefix $$dir --ignore-scripts --no-audit --no-fund; done; else echo "npm is absent: the SDK tests will be skipped"; fi

test: ## run every test; what a laptop lacks is named, in CI its absence fails
	$(GO) test -timeout 14m ./...

race: ## run every test under the race detector
	$(GO) test -race -timeout 25m ./...

check: $(GOFUMPT) $(STATICCHECK) ## formatting, vet, staticcheck, import laws
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	if [ -n "$$out" ]; then echo "not gofumpt-clean (make fmt mends it):"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...
	$(GO) test ./internal/archtest

fmt: $(GOFUMPT) ## format the code
	$(GOFUMPT) -w .

bench: ## measure the engine beside its floors, in about twenty minutes; results and plots go to bench/results (BENCH_FLAGS=-quick for one minute)
	$(GO) run ./bench $(BENCH_FLAGS)

bench-peers: ## ask other engines what the engine is asked, answers compared first (BENCH_FLAGS); the page goes to bench/results
	cd bench/peers && $(GO) run -mod=mod . $(BENCH_FLAGS)

microbench: ## run the micro-benchmarks that stand beside the code (BENCH=regexp)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

pgo: ## renew the profile that the build optimises by
	@rm -rf $(BIN)/pgo
	$(GO) run -pgo=off ./bench -scenarios hit -promotions 1000 -rounds 1 -span 5s -profile $(BIN)/pgo -out $(BIN)/pgo
	$(GO) tool pprof -proto $(BIN)/pgo/reused.pprof $(BIN)/pgo/computed.pprof > cmd/eligibility/default.pgo

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@for target in $$(grep -rhoE '^func (Fuzz[A-Za-z0-9]+)' --include='*_test.go' -l . | xargs grep -oHE '^func Fuzz[A-Za-z0-9]+' | sed 's/:func /:/'); do \
	  file=$${target%%:*}; name=$${target##*:}; \
	  $(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file); \
	done

chaos: ## break the links and processes of a cluster for half an hour and judge what its clients saw (CHAOS=duration)
	ELIGIBILITY_TEST_CHAOS=$(CHAOS) $(GO) test -timeout 120m -count=1 -v -run TestChaos ./internal/app

chaos-line: ## draw what clients saw of a cluster under faults, into docs/concepts/chaos.svg
	ELIGIBILITY_TEST_CHAOS_LINE=$(CURDIR)/docs/concepts/chaos.svg ELIGIBILITY_TEST_CHAOS=40s $(GO) test -timeout 10m -count=1 -v -run TestChaosIsNever ./internal/app

soak: ## the kill tests with 500 kills, 10 million simulated histories, 50 million evaluations and 10 million pairs through the index against cel-go, and the fuzz targets for longer
	ELIGIBILITY_TEST_KILLS=500 $(GO) test -timeout 60m -run TestKillLoses ./internal/app/...
	ELIGIBILITY_TEST_KILLS=50 $(GO) test -timeout 60m -v -run TestKillOf ./internal/app
	ELIGIBILITY_TEST_KILLS=100 $(GO) test -timeout 60m -run Kill ./internal/store/crdb
	ELIGIBILITY_TEST_SCHEDULES=10000000 $(GO) test -timeout 600m -count=1 -v -run TestSchedules ./internal/sim
	ELIGIBILITY_TEST_EVALUATIONS=50000000 $(GO) test -timeout 60m -count=1 -v -run TestEngineAgreesWithCEL ./internal/rules
	ELIGIBILITY_TEST_PAIRS=10000000 $(GO) test -timeout 60m -count=1 -v -run TestWalkAgreesWithCEL ./internal/rules
	ELIGIBILITY_TEST_CROWD=100000 $(GO) test -timeout 60m -count=1 -v -run TestHotUsers ./internal/cache
	$(MAKE) fuzz FUZZTIME=5m

examples: build ## check and test the example promotions
	@$(BIN)/eligibility promotions test examples/shop

example-web: ## build the example page and serve it against the running demo
	@for dir in sdk/web examples/web; do [ -d $$dir/node_modules ] || npm ci --prefix $$dir --ignore-scripts --no-audit --no-fund; done
	@npm run --silent --prefix examples/web build
	@node examples/web/server.mjs

generate: ## renew generated files (golden test data, the error reference)
	$(GO) generate ./...

clean: ## remove what was built
	rm -rf $(BIN)

$(GOFUMPT): tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && $(GO) build -o ../$@ mvdan.cc/gofumpt

$(STATICCHECK): tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && $(GO) build -o ../$@ honnef.co/go/tools/cmd/staticcheck
