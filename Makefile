# gsock: what one does with it. `make` alone lists the targets.
#
# Every step says its name when it begins and its seconds when it ends. Cargo.lock is followed to the
# letter (--locked), and no target sets a variable that would make cargo build again for the next one.

STEP := .ci/step

.PHONY: all help setup run test doc check deny inspector inspector-setup inspector-test inspector-shot \
	install-inspector uninstall-inspector nets nets-setup torture torture-address torture-thread torture-setup torture-capi mutants controls build-benches bench bench-counts ci clean
# The targets stand on each other's builds: one after the other, also under `make -j`.
.NOTPARALLEL:

all: help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## */  make \1@/p' $(MAKEFILE_LIST) | awk -F @ '{ printf "%-19s %s\n", $$1, $$2 }'

setup: ## install what the build needs from the system (apt; elsewhere it says what to install)
	@$(STEP) "look for what the build needs" .ci/setup.sh

run: setup ## run the echo example (PEER=host:port talks to that peer)
	@$(STEP) "build the echo example" cargo build --locked --example echo
	@$(STEP) "run the echo example" cargo run --locked --quiet --example echo $(if $(PEER),-- $(PEER))

test: setup ## run all tests, those in the documentation too
	@$(STEP) "build the library, the examples and the tests" cargo test --locked --no-run
	@$(STEP) "run the tests" .ci/test.sh
	@# Those of tests/ see to it themselves that a warning nobody expects ends them.
	@$(STEP) "run the unit tests with fatal warnings" env G_DEBUG=fatal-warnings cargo test --locked --lib
	@$(STEP) "run the tests in the documentation" env G_DEBUG=fatal-warnings cargo test --locked --doc

doc: setup ## make the documentation of the crate, in target/doc
	@$(STEP) "cargo doc" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

check: setup doc ## format, lints, documentation, and the scripts in .ci
	@$(STEP) "cargo fmt" cargo fmt --all --check
	@$(STEP) "cargo fmt of the inspector" cargo fmt --manifest-path examples/inspector/Cargo.toml --check
	@$(STEP) "cargo fmt of the fuzz targets" cargo fmt --manifest-path fuzz/Cargo.toml --check
	@$(STEP) "cargo clippy" cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(STEP) "check the package" .ci/check-package.sh
	@$(STEP) "check the layout" .ci/check-layout.sh
	@$(STEP) "check the layers" .ci/check-layers.sh
	@$(STEP) "check the versions" .ci/check-versions.sh
	@$(STEP) "check the documents" .ci/check-docs.sh
	@$(STEP) "check the facts" .ci/check-facts.sh --figure
	@$(STEP) "check the tests" .ci/check-tests.sh --figure
	@$(STEP) "check the ports" .ci/check-ports.sh
	@$(STEP) "check the inspector" .ci/check-inspector.sh
	@$(STEP) "check the controls" .ci/if-installed.sh patch .ci/check-controls.sh
	@$(STEP) "test the checks" .ci/test-checks.sh
	@$(STEP) "test the setup" .ci/test-setup.sh
	@$(STEP) "shellcheck" .ci/if-installed.sh shellcheck shellcheck -x .ci/run .ci/step .ci/*.sh .ci/nets/*.sh capi/*.sh

nets-setup: ## install what the nets and the tests of the C library need beyond that
	@$(STEP) "look for what the nets need" .ci/setup.sh nets

torture-setup: ## install what make torture and make mutants need beyond that: compilers and tools of their own
	@$(STEP) "look for what torture needs" .ci/setup.sh torture

# What each of them does stands in its first lines.
nets: nets-setup ## run the tests under everything that may find something, and show that it can
	@# Where it says "each", a part of them, another one on the next day: make torture has all. What is in the suite already is not run
	@# again here to be counted: the points of cancellation, and ten thousand connections at once.
	@$(STEP) "the tests on the default main context" .ci/nets/contexts.sh default --each 6
	@# Without arguments: all of them.
	@$(STEP) "the tests of waiting on the portable back end" .ci/nets/contexts.sh sources \
		--test streams --test halves --test engine --test home --test threads
	@$(STEP) "the tests of waiting with the poll function" .ci/nets/contexts.sh poll-function \
		--test halves --test engine --test fork
	@$(STEP) "GIO's own test programs" .ci/nets/oracle.sh
	@$(STEP) "a hundred thousand connections" cargo test --locked --test socket_service -- --ignored
	@$(STEP) "system calls that fail" .ci/nets/faults.sh --shallow 1000
	@$(STEP) "system calls that fail, by strace" .ci/nets/faults-strace.sh
	@$(STEP) "panics in what C calls" .ci/nets/panics.sh
	@$(STEP) "bad input, counted" .ci/nets/bad-input.sh
	@$(STEP) "what fuzzing has found" .ci/nets/fuzz.sh
	@$(STEP) "old bugs in a network of their own" cargo test --locked --test socket_client -- --ignored bug_
	@$(STEP) "sequences of calls beside a model" .ci/nets/model.sh
	@$(STEP) "ten million simulated steps" .ci/nets/simulation.sh
	@$(STEP) "bad networks" .ci/nets/networks.sh
	@$(STEP) "real peers" .ci/nets/peers.sh
	@$(STEP) "address and leak sanitizer" .ci/nets/asan.sh --each 10
	@$(STEP) "valgrind" .ci/nets/valgrind.sh
	@$(STEP) "expectations turned round" .ci/nets/expectations.sh --every 400
	@# Of the nets whose copies are quick to build; make controls has all.
	@$(STEP) "a control for each kind of fault" .ci/nets/controls.sh --kinds cancel counters engine faults panics relay unix valgrind
	@$(STEP) "the table of docs/reliability.md" .ci/reliability.sh

# An hour and a half. Builds of their own take long: the sanitizers of addresses and leaks have the even days of the year, that of
# threads the odd ones (SANITIZERS=address or thread says which). Lines that run in tests are counted by make mutants.
SANITIZERS ?= $(if $(filter 0,$(shell expr $$(date +%-j) % 2)),address,thread)
torture: torture-setup ## the nets in full: all cases, the whole suite ten times over, another GLib; fuzzing, soak, a sanitizer
	@$(STEP) "all tests ten times over, the last time on the default main context" .ci/nets/repeat.sh 10
	@$(STEP) "the tests of waiting on the portable back end" .ci/nets/contexts.sh sources \
		--test streams --test halves --test engine --test home --test threads
	@$(STEP) "the tests of waiting with the poll function" .ci/nets/contexts.sh poll-function \
		--test halves --test engine --test fork
	@$(STEP) "GIO's own test programs" .ci/nets/oracle.sh
	@$(STEP) "cancelled and dropped at every point" .ci/nets/cancel.sh
	@$(STEP) "a hundred thousand connections" cargo test --locked --test socket_service -- --ignored
	@$(STEP) "system calls that fail" .ci/nets/faults.sh --shallow 5000
	@$(STEP) "system calls that fail, by strace" .ci/nets/faults-strace.sh
	@$(STEP) "panics in what C calls" .ci/nets/panics.sh --all
	@$(STEP) "bad input, counted" .ci/nets/bad-input.sh --every
	@$(STEP) "old bugs in a network of their own" cargo test --locked --test socket_client -- --ignored bug_
	@$(STEP) "sequences of calls beside a model" .ci/nets/model.sh
	@$(STEP) "a billion simulated steps" .ci/nets/simulation.sh --steps 1000000000
	@$(STEP) "bad networks" .ci/nets/networks.sh --all
	@$(STEP) "real peers" .ci/nets/peers.sh
	@$(STEP) "19,000 connections at once" .ci/nets/load.sh --connections 19000
	@$(STEP) "ten minutes of connections that come and go" .ci/nets/soak.sh
	@$(MAKE) --no-print-directory torture-$(SANITIZERS)
	@$(STEP) "valgrind" .ci/nets/valgrind.sh --all
	@$(STEP) "fuzzing" .ci/nets/fuzz.sh --seconds 30
	@$(STEP) "the tests with a newer GLib" .ci/nets/newer-glib.sh
	@$(STEP) "expectations turned round" .ci/nets/expectations.sh --every 120
	@$(STEP) "the table of docs/reliability.md" .ci/reliability.sh

torture-address: torture-setup
	@$(STEP) "address and leak sanitizer" .ci/nets/asan.sh
	@$(STEP) "address and leak sanitizer, optimised" .ci/nets/asan.sh --release --each 6

torture-thread: torture-setup
	@$(STEP) "thread sanitizer" .ci/nets/tsan.sh
	@$(STEP) "a race that it finds" .ci/nets/controls.sh tsan-counter

# Hours in one piece: SHARD=0/20 is the first of twenty, and counts the lines that run in tests as well.
mutants: torture-setup ## change one thing in the library at a time, and see whether a test notices: SHARD=K/N for a part
	@case "$(or $(SHARD),0/1)" in 0/*) $(STEP) "lines and error branches that run" .ci/nets/coverage.sh ;; esac
	@$(STEP) "mutants" .ci/nets/mutants.sh $(if $(SHARD),--shard $(SHARD)) $(AREAS)
	@$(STEP) "the table of docs/reliability.md" .ci/reliability.sh

# Six minutes or so. The second fetches a small Debian.
torture-capi: nets-setup ## the C library built from nothing: without network, and on a Debian that has nothing
	@$(STEP) "vendored, and without network" .ci/test-vendored.sh
	@$(STEP) "a machine that has nothing" .ci/test-bare-machine.sh

# Half an hour.
controls: nets-setup ## show for every control that its net finds it
	@$(STEP) "all controls" .ci/nets/controls.sh

# A crate of its own with a Cargo.lock of its own, for it needs GTK. What the two have in common is built once.
INSPECTOR = --locked --manifest-path examples/inspector/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target)
INSPECTOR_ID = org.gsock.Inspector
inspector_built = $(or $(CARGO_TARGET_DIR),target)/$(patsubst dev,debug,$(PROFILE))/gsock-inspector
staged_inspector = $(abspath $(or $(CARGO_TARGET_DIR),target))/inspector-staged

inspector-setup: ## install what the inspector needs beyond that: GTK and libadwaita, and Xvfb for its tests
	@$(STEP) "look for what the inspector needs" .ci/setup.sh inspector

inspector: inspector-setup ## build and start the connection inspector, a GTK application
	@$(STEP) "build the inspector" cargo build $(INSPECTOR)
	@$(STEP) "run the inspector" cargo run --quiet $(INSPECTOR)

# Its lints belong here, and not to `check`: they need GTK.
inspector-test: inspector-setup ## drive the inspector on a display of its own, and read its widgets
	@$(STEP) "lint the inspector" cargo clippy $(INSPECTOR) --all-targets -- -D warnings
	@$(STEP) "build the inspector and its tests" cargo test $(INSPECTOR) --no-run
	@$(STEP) "test the inspector" .ci/on-display.sh cargo test --quiet $(INSPECTOR)
	@$(STEP) "put it into a folder" $(MAKE) --no-print-directory install-inspector PROFILE=dev PREFIX=/usr DESTDIR=$(staged_inspector)
	@$(STEP) "what the desktop reads of it" .ci/if-installed.sh desktop-file-validate \
		desktop-file-validate $(staged_inspector)/usr/share/applications/$(INSPECTOR_ID).desktop
	@$(STEP) "what software centres read of it" .ci/if-installed.sh appstreamcli \
		appstreamcli validate-tree --no-net $(staged_inspector)

# The words are those of `make install`, which is for the C library.
install-inspector: inspector-setup ## build the inspector and install it: PREFIX=… DESTDIR=…
	@$(STEP) "build the inspector ($(PROFILE))" cargo build --profile $(PROFILE) $(INSPECTOR)
	install -D -m 755 $(inspector_built) $(DESTDIR)$(PREFIX)/bin/gsock-inspector
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/applications examples/inspector/data/$(INSPECTOR_ID).desktop
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/metainfo examples/inspector/data/$(INSPECTOR_ID).metainfo.xml
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/icons/hicolor/scalable/apps \
		examples/inspector/resources/icons/scalable/apps/$(INSPECTOR_ID).svg
	install -D -m 644 -t $(DESTDIR)$(DATADIR)/icons/hicolor/symbolic/apps \
		examples/inspector/resources/icons/symbolic/apps/$(INSPECTOR_ID)-symbolic.svg

uninstall-inspector: ## take it away again, with the same words
	rm -f $(DESTDIR)$(PREFIX)/bin/gsock-inspector \
		$(DESTDIR)$(DATADIR)/applications/$(INSPECTOR_ID).desktop \
		$(DESTDIR)$(DATADIR)/metainfo/$(INSPECTOR_ID).metainfo.xml \
		$(DESTDIR)$(DATADIR)/icons/hicolor/scalable/apps/$(INSPECTOR_ID).svg \
		$(DESTDIR)$(DATADIR)/icons/hicolor/symbolic/apps/$(INSPECTOR_ID)-symbolic.svg

inspector-shot: inspector-setup ## the same, and draw the pictures in docs/images
	@$(STEP) "build the inspector and its tests" cargo test $(INSPECTOR) --no-run
	@mkdir -p docs/images
	@$(STEP) "draw the inspector" .ci/on-display.sh \
		cargo test --quiet $(INSPECTOR) --test drive -- --pictures $(abspath docs/images)

# Ratios of times want a machine with nothing else to do; counts are the same everywhere.
BENCHES := cargo run --locked --quiet --package gsock-benches --profile bench-release --

build-benches:
	@$(STEP) "build the benches" cargo build --locked --package gsock-benches --profile bench-release

bench: setup build-benches ## measure beside GIO, gio-rs, tokio, std and epoll (ONLY=echo: that part of it)
	@$(STEP) "measure" $(BENCHES) table docs $(ONLY)

bench-counts: nets-setup build-benches ## compare instructions and system calls with benches/counts.txt (UPDATE=1: write it)
	@$(STEP) "count" $(BENCHES) counts benches/counts.txt $(if $(UPDATE),--update)

# A test that fails does not hide the others here. The C library is built as the tests are: the release
# profile would build everything anew.
ci: export NEXTEST_PROFILE = ci
ci: export PROFILE = dev
ci: test check deny nets-setup test-capi inspector-test nets bench-counts ## everything that must pass before a change goes in

deny: ## look at licences, sources, versions and, where they can be had, advisories of the dependencies, where cargo-deny is installed
	@$(STEP) "what the dependencies are" .ci/if-installed.sh cargo-deny .ci/deny.sh

# ---- the C library: capi, install, uninstall, deb, doc-c, test-capi
include capi/Makefile.inc
# ---- end of the C library

clean: ## delete what was built
	cargo clean
