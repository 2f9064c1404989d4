# Every target sets up what it needs by itself, and runs alone.
.PHONY: help demo test test-rust test-lab test-lab-soak test-lab-and-platforms test-python test-python-all test-kotlin test-swift test-fuzz fuzz check-docs check-scenarios check-platforms check-windows lint fmt bench bench-faults \
	bench-python bench-kotlin bench-swift docs-kotlin clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## what can be asked for
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17

demo: ## five faults, a naive client beside a Keepline client, measured here and now
	@cargo run --release --locked -p keepline-cli -- demo

test: lint test-rust test-lab-and-platforms test-python test-kotlin test-swift check-scenarios test-fuzz check-docs ## everything that is tested

test-rust: ## machine, driver, testkit, program and bridge, against real servers
	@tools/test_rust.sh

test-lab: ## NAT expiry, black holes, roaming, frozen peers, in network namespaces (root)
	@tools/test_lab.sh

test-lab-soak: ## the same five times in a row, on a busy machine
	@tools/test_lab.sh soak

# The lab mostly waits and holds on a busy machine; the check only computes, and takes what is left over. What both may have to
# install comes first.
test-lab-and-platforms: ## test-lab and check-platforms, beside each other
	@tools/setup.sh
	@$${PYTHON:-python3} -B tools/side_by_side.py target/logs \
		::: lab tools/test_lab.sh ::: platforms nice -n 19 tools/check_platforms.sh

test-python: ## the wheel, built and tested
	@tools/test_python.sh

test-python-all: ## the wheel in a fresh environment of every CPython from 3.11 on that is here, all its tests on each; wheel and sources as a user installs them
	@tools/test_python.sh all

test-kotlin: ## the Kotlin library, under JUnit on the Java virtual machine
	@tools/test_kotlin.sh

test-swift: ## the Swift package, under XCTest (in a chroot of Debian where there is no Swift: root)
	@tools/test_swift.sh

test-fuzz: ## the inputs that fuzzing found, and ten seconds more for each target
	@tools/fuzz.sh 10

fuzz: ## a minute for each target
	@tools/fuzz.sh 60

check-docs: ## links, names and defaults in the documents; their examples are run
	@tools/check_docs.sh

check-scenarios: ## every scenario of the contract has passed in every language that was tested
	@$${PYTHON:-python3} tools/check_scenarios.py

check-platforms: ## every crate but Python's type-checked for Android, iOS, macOS and Windows, in a chroot (root)
	@tools/check_platforms.sh

check-windows: ## the core's tests, built for Windows and run under Wine, in a chroot (root)
	@tools/check_windows.sh

lint: ## formatting, clippy and rustdoc, warnings refused
	@tools/lint.sh

fmt: ## formats the sources
	@cargo fmt --all

bench: ## throughput, latency, memory, CPU, beside the kernel's limit and other clients
	@tools/bench.sh

bench-faults: ## black holes, NAT expiry, frozen peers: who notices when, beside other clients (root)
	@tools/bench_faults.sh

bench-python: ## the Python library beside asyncio's streams, uvloop's, nats-py and redis-py
	@tools/bench_python.sh

bench-kotlin: ## the Kotlin library beside NIO, blocking streams and ktor-network
	@tools/bench_kotlin.sh

bench-swift: ## the Swift library beside plain sockets (in a chroot of Debian where there is no Swift: root)
	@tools/bench_swift.sh

docs-kotlin: ## the reference of the Kotlin library, by Dokka; what is public and has no word about it fails
	@tools/docs_kotlin.sh

clean: ## removes everything that was built
	@cargo clean && rm -rf target
