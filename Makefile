# Everything that this project does to itself. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
GO ?= go
BIN := bin/proxmox-mcp
LINT_VERSION := v2.15.0
TOOLS := $(CURDIR)/.tools
# The race detector watches our code and what it calls, but not the inside of SQLite, translated from C: that alone was a third of the time.
RACE := -race -gcflags='modernc.org/...=-race=false -d=checkptr=0'

.DEFAULT_GOAL := help
.PHONY: help build test limits test-fast lint bench fuzz cross golden mcpb tidy-check e2e-deps e2e-full

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## build bin/proxmox-mcp
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o $(BIN) ./cmd/proxmox-mcp

test: e2e-deps ## fetch what the tests need and run them all, race detector on
	$(GO) test $(RACE) -timeout 20m ./...
	@$(MAKE) --no-print-directory limits

limits: ## what is bounded by DESIGN 10, one package at a time and without race detector, as one table
	LIMITS=1 $(GO) test -timeout 20m -p 1 -count=1 -v -run '^TestLimit|^TestBudget|^TestSoak$$' ./tools ./change ./inventory ./store ./app ./iac/terraform ./proxmox/pvesim ./e2e | ./.ci/budgets

test-fast: ## the tests without race detector and without the programs that npm brings
	$(GO) test -short ./...

lint: $(TOOLS)/golangci-lint ## golangci-lint, pinned outside go.mod
	$(TOOLS)/golangci-lint run ./...

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

bench: ## benchmarks, then every budget with its limit beside an echo server of the same run
	$(GO) test -run '^$$' -bench . -benchmem -count 1 -timeout 30m ./...
	@$(MAKE) --no-print-directory limits

fuzz: ## run each fuzz target for FUZZTIME (default 20s)
	./.ci/fuzz $(or $(FUZZTIME),20s)

cross: ## build for Linux, macOS and Windows on amd64 and arm64
	./.ci/cross

golden: ## write the golden files and the generated docs anew
	UPDATE_GOLDEN=1 $(GO) test ./tools ./inventory ./cli ./deploy

mcpb: e2e-deps ## pack bin/proxmox-mcp.mcpb, a bundle for Claude Desktop on this kind of machine
	GO='$(GO)' ./deploy/mcpb/pack bin/proxmox-mcp.mcpb

tidy-check: ## go.mod and go.sum are as go mod tidy writes them
	$(GO) mod tidy -diff

e2e-deps: ## what the end-to-end tests drive: npm packages, Terraform's provider (skipped where there is no npm or terraform)
	./.ci/e2e-deps

e2e-full: test ## the long sets at their full size: OpenTofu, every action under every fault, a machine that boots with our seed, random worlds, a day of churn under faults, half an hour of HTTP clients, fuzz targets, benchmarks
	$(GO) test -timeout 60m -count=1 -v -run '^TestNoFalseHistory$$' ./inventory -rapid.checks=$(or $(CHECKS),20000)
	$(GO) test -timeout 60m -count=1 -v -run '^(TestRandomOperations|TestMachinesStayWhole|TestLocksProperty|TestACLProperty)$$' ./proxmox/pvesim -rapid.checks=$(or $(SIM_CHECKS),2000)
	$(GO) test -timeout 60m -count=1 -v -run '^(TestBudgetMatrix|TestWriteFaults|TestCrash)$$' ./change | grep -v '^ *=== '
	SEEDS=$(or $(SEEDS),1000) $(GO) test -timeout 60m -count=1 -v -run '^TestSeeds$$' ./change
	$(GO) test -timeout 60m -count=1 -v -run '^TestUndoProperty$$' ./change -rapid.checks=$(or $(UNDO_CHECKS),5000)
	CHURN=$(or $(CHURN),24h) $(GO) test -timeout 60m -count=1 -v -run '^TestChurn$$' ./app
	TOFU=$$(./.ci/e2e-deps tofu) $(GO) test -timeout 20m -count=1 -v -run '^TestOpenTofu$$' ./e2e
	./.ci/boot-image $(TOOLS)/boot
	BOOT_IMAGE=$(TOOLS)/boot $(GO) test -timeout 60m -count=1 -v -run '^TestBoot$$' ./e2e
	SOAK=$(or $(SOAK),30m) $(GO) test -timeout 60m -count=1 -v -run '^TestSoak$$' ./app
	./.ci/fuzz $(or $(FUZZTIME),60s)
	$(MAKE) bench
