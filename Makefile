# Weft: build, try, test. "make help" says what there is.

.DEFAULT_GOAL := help
.PHONY: help build demo test lint unit soak bench clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## */make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## build the programs into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

demo: ## three hosts, three networks, on this machine (root; KEEP=1 leaves it running)
	@test/setup demo
	@$(MAKE) --no-print-directory build
	@bin/weft lab demo $(if $(KEEP),--keep)

test: ## everything: lint and all tests (root; WEFT_TEST_STRICT=1 allows no skips)
	@test/setup test
	@test/lint
	@test/unit

lint: ## gofmt, go vet, staticcheck, shellcheck
	@test/lint

unit: ## all tests, without lint (ARGS go to go test)
	@test/unit $(ARGS)

soak: ## the long form: many faults, long fuzzing (an hour or more; root)
	@test/setup test
	@WEFT_TEST_LONG=1 test/unit -count=1 -timeout=120m
	@test/fuzz $(or $(FUZZTIME),5m)

ifeq ($(PKG),)
bench: ## Weft's speed beside others', 15 minutes (root; ARGS='-h' for more; PKG=./plan: Go's benchmarks there)
	@test/setup bench
	@$(MAKE) --no-print-directory build
	@go build -modfile=tools/go.mod -o bin/wireguard-go golang.zx2c4.com/wireguard
	@go run ./bench/compare $(ARGS)
else
bench:
	go test -run='^$$' -bench=. -benchmem $(PKG)
endif

clean: ## remove what was built
	rm -rf bin .cache
