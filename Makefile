# lipc needs GNU make (gmake on the BSDs), a C11 compiler, and Go for the Go side.

VERSION := $(shell awk '/^#define LIPC_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $$3; dot = "." }' include/lipc.h)
# The part of the version that is in the soname: until 1.0 the major and the minor version, then the major version.
PARTS   := $(subst ., ,$(VERSION))
ABI     := $(firstword $(PARTS))$(if $(filter 0,$(firstword $(PARTS))),.$(word 2,$(PARTS)))

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
CC         ?= cc
CFLAGS     ?= -O2 -g
GO         ?= go
SOAK       ?= 2m
SIGNAL_SECONDS ?= 600
BUILD      := build

WARNINGS := -Wall -Wextra -pedantic
COMPILE   = $(CC) -std=c11 $(WARNINGS) $(CFLAGS) -fvisibility=hidden -Iinclude
SOURCES  := $(wildcard csrc/*.[ch] csrc/*/*.[ch] include/*.h)
HEADERS  := $(wildcard include/*.h)
MANUALS  := $(wildcard man/*.3)
# The functions in the NAME section of a manual page: each gets a page that refers to that one.
ALIASES   = $(shell awk '/^\.Sh/ { name = $$2 == "NAME" } name && $$1 == ".Nm" && $$2 != "lipc" { print $$2 }' $(1))

SYSTEM := $(shell uname -s)
ifeq ($(SYSTEM),Darwin)
  SHARED      := liblipc.$(VERSION).dylib
  SONAME      := liblipc.$(ABI).dylib
  LINK_NAME   := liblipc.dylib
  SHARED_FLAGS = -dynamiclib -install_name $(SONAME) -current_version $(VERSION) -compatibility_version $(ABI) \
                 -Wl,-exported_symbol,'_lipc_*'
else
  SHARED      := liblipc.so.$(VERSION)
  SONAME      := liblipc.so.$(ABI)
  LINK_NAME   := liblipc.so
  SHARED_FLAGS = -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(BUILD)/lipc.map
endif
STATIC := liblipc.a

# Where lipcTargets.cmake finds the headers: relative to the libraries if both are below PREFIX, so that it can be
# moved.
BELOW    = $(patsubst $(PREFIX)/%,%,$(filter $(PREFIX)/%,$(1)))
UP       = $(subst / ,/,$(foreach part,$(subst /, ,$(call BELOW,$(LIBDIR))),../))
CMAKE_HEADERS = $(if $(and $(call BELOW,$(LIBDIR)),$(call BELOW,$(INCLUDEDIR))),$${lipc_libraries}/$(UP)$(call \
                BELOW,$(INCLUDEDIR)),$(INCLUDEDIR))

# To make, a name ends at a space.
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
  $(foreach folder,DESTDIR PREFIX LIBDIR INCLUDEDIR MANDIR,$(if $(findstring $(SPACE),$($(folder))),$(error \
    $(folder) must not have a space in it: "$($(folder))")))
endif

# The size of a pointer, which CMake compares. It is empty, and not compared, if the compiler does not report it.
POINTER_SIZE = $(filter 4 8,$(shell echo __SIZEOF_POINTER__ | $(CC) $(CFLAGS) -x c -E -P - 2>/dev/null))

# Fills in a template.
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
       -e 's|@VERSION@|$(VERSION)|' -e 's|@ABI@|$(ABI)|' -e 's|@SYSTEM_LIBRARIES@|-lpthread|' \
       -e 's|@HEADERS@|$(CMAKE_HEADERS)|' -e 's|@STATIC@|$(STATIC)|' -e 's|@SHARED@|$(SHARED)|' \
       -e 's|@SONAME@|$(SONAME)|' -e 's|@POINTER_SIZE@|$(POINTER_SIZE)|'
PACKAGE := $(LIBDIR)/cmake/lipc

.PHONY: all demo test soak test-signals test-model test-programs test-windows test-systems abi bench bench-channel \
        docs lint version install uninstall clean help
all: $(BUILD)/$(STATIC) $(BUILD)/$(SHARED) ## build the static and the shared C library (the default)

$(BUILD):
	mkdir -p $@

$(BUILD)/lipc.o: $(SOURCES) | $(BUILD)
	$(COMPILE) -c csrc/all.c -o $@

$(BUILD)/lipc.pic.o: $(SOURCES) | $(BUILD)
	$(COMPILE) -fPIC -DLIPC_BUILD_SHARED -c csrc/all.c -o $@

$(BUILD)/$(STATIC): $(BUILD)/lipc.o
	rm -f $@
	$(AR) rcs $@ $<

$(BUILD)/lipc.map: csrc/lipc.map.in include/lipc.h | $(BUILD)
	$(FILL) $< > $@

$(BUILD)/$(SHARED): $(BUILD)/lipc.pic.o $(BUILD)/lipc.map
	$(CC) $(LDFLAGS) $(SHARED_FLAGS) $< -o $@

demo: ## run processes that talk over local sockets
	GO=$(GO) CC=$(CC) $(GO) run ./examples/demo

test: ## run all tests that this machine can run, and print what was left out
	GO=$(GO) CC=$(CC) MAKE=$(MAKE) tests/run

soak: ## kill a server and 200 clients at random, and look for what is lost or left; SOAK=2m says for how long
	SOAK=$(SOAK) $(GO) test -count=1 -timeout 0 -v ./tests/soak

test-signals: ## watch signals under load, with the race detector; SIGNAL_SECONDS=600 says for how long
	SIGNAL_SECONDS=$(SIGNAL_SECONDS) $(GO) test -race -count=1 -timeout 0 -v \
	    -run 'LosesNothingWhatever|ArrivesOnceFromTen|AreLostAreCounted|Burst' ./tests

test-model: ## try the ring of a channel in each execution that the memory model allows, with loom
	cd tests/model && CC=$(CC) CARGO_TARGET_DIR=$(abspath $(BUILD))/model cargo test --locked

test-programs: ## talk to Redis, PostgreSQL, D-Bus, gRPC, ttrpc, curl, Java and asyncio
	cd tests/programs && $(GO) test -race -count=1 -timeout 5m .

test-windows: ## build the tests for Windows with mingw-w64, and run them under Wine
	GO=$(GO) tests/windows/run

test-systems: ## compile for the other systems, and run the tests on musl, 386, arm64 and s390x
	GO=$(GO) tests/systems/run

BENCH = cd bench && GO=$(GO) CC=$(CC) $(GO) run .
bench: ## compare the speed with other local IPC in Go, C and Rust; on Linux only
	$(BENCH) $(BENCHFLAGS)

bench-channel: ## compare channels with their targets; BENCHFLAGS="-pin 0,1" sets the processors of both sides
	$(BENCH) -target channel $(BENCHFLAGS)

docs: ## render the reference from the headers, by Doxygen, to build/docs/html
	mkdir -p $(BUILD)/docs
	LIPC_VERSION=$(VERSION) LIPC_DOCS=$(BUILD)/docs doxygen docs/Doxyfile
	@echo "$(BUILD)/docs/html/index.html"

abi: ## record the ABI for the test that compares it, after a new version was set in include/lipc.h
	MAKE=$(MAKE) CC=$(CC) BUILD=$(BUILD) tests/abi/run record

lint: ## check formatting, go vet, the headers in C and C++, warnings, static analysis, manual pages, lines
	GO=$(GO) CC=$(CC) tests/lint

version: ## print the version, which include/lipc.h has
	@echo $(VERSION)

install: all ## install the C library, headers, manual pages, and what pkg-config and CMake look for (PREFIX, DESTDIR)
	install -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(PACKAGE) $(INCLUDEDIR) $(MANDIR)/man3)
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(BUILD)/$(STATIC) $(DESTDIR)$(LIBDIR)
	install -m 755 $(BUILD)/$(SHARED) $(DESTDIR)$(LIBDIR)
ifeq ($(SYSTEM),Darwin) # programs look for the library at the path in its id
	install_name_tool -id $(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SHARED)
endif
	ln -sf $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/$(LINK_NAME)
	$(FILL) lipc.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/lipc.pc
	for file in lipcConfig lipcConfigVersion lipcTargets; do \
	    $(FILL) cmake/$$file.cmake.in > $(DESTDIR)$(PACKAGE)/$$file.cmake || exit; \
	done
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/lipc.pc $(DESTDIR)$(PACKAGE)/*.cmake
	install -m 644 $(MANUALS) $(DESTDIR)$(MANDIR)/man3
	$(foreach manual,$(MANUALS),for name in $(call ALIASES,$(manual)); do \
	    [ man/$$name.3 = $(manual) ] || echo '.so man3/$(notdir $(manual))' > $(DESTDIR)$(MANDIR)/man3/$$name.3 || exit; \
	done;)

uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(STATIC) $(SHARED) $(SONAME) $(LINK_NAME) pkgconfig/lipc.pc)
	rm -f $(foreach file,lipcConfig lipcConfigVersion lipcTargets,$(DESTDIR)$(PACKAGE)/$(file).cmake)
	rmdir $(DESTDIR)$(PACKAGE) 2>/dev/null || true
	rm -f $(addprefix $(DESTDIR)$(MANDIR)/man3/,$(notdir $(MANUALS)) $(addsuffix .3,$(call ALIASES,$(MANUALS))))

clean: ## remove everything that was built here
	rm -rf $(BUILD)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
