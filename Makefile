# lipc needs GNU make (gmake on the BSDs), a C11 compiler, and Go for the Go side.

VERSION := $(shell awk '/^#define LIPC_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $$3; dot = "." }' include/lipc.h)
# What the soname carries: the versions that can stand in for one another. Until 1.0 that is one minor version.
PARTS   := $(subst ., ,$(VERSION))
ABI     := $(firstword $(PARTS))$(if $(filter 0,$(firstword $(PARTS))),.$(word 2,$(PARTS)))

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
CC         ?= cc
CFLAGS     ?= -O2 -g
GO         ?= go
BUILD      := build

WARNINGS := -Wall -Wextra -pedantic
COMPILE   = $(CC) -std=c11 $(WARNINGS) $(CFLAGS) -fvisibility=hidden -Iinclude
SOURCES  := $(wildcard csrc/*.[ch] csrc/*/*.[ch] include/*.h)
HEADERS  := $(wildcard include/*.h)

SYSTEM := $(shell uname -s)
ifeq ($(SYSTEM),Darwin)
  SHARED      := liblipc.$(VERSION).dylib
  SONAME      := liblipc.$(ABI).dylib
  LINK_NAME   := liblipc.dylib
  SHARED_FLAGS = -dynamiclib -install_name $(SONAME) -current_version $(VERSION) -compatibility_version $(ABI)
else
  SHARED      := liblipc.so.$(VERSION)
  SONAME      := liblipc.so.$(ABI)
  LINK_NAME   := liblipc.so
  SHARED_FLAGS = -shared -Wl,-soname,$(SONAME)
endif
STATIC := liblipc.a

.PHONY: all demo test test-windows bench lint install uninstall clean help
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

$(BUILD)/$(SHARED): $(BUILD)/lipc.pic.o
	$(CC) $(LDFLAGS) $(SHARED_FLAGS) $< -o $@

demo: ## show it: real processes talking over local sockets
	GO=$(GO) CC=$(CC) $(GO) run ./examples/demo

test: ## run all tests that this machine can run, and say what was left out
	GO=$(GO) CC=$(CC) MAKE=$(MAKE) tests/run

test-windows: ## build the tests for Windows with mingw-w64, and run them under Wine
	GO=$(GO) tests/windows/run

bench: ## compare speed with package net
	cd bench && $(GO) run . $(BENCHFLAGS)

lint: ## check formatting, go vet, compiler warnings and the headers as C99, C11 and C++17
	GO=$(GO) CC=$(CC) tests/lint

install: all ## install the C library, headers and pkg-config file (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(HEADERS) $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(BUILD)/$(STATIC) $(DESTDIR)$(LIBDIR)
	install -m 755 $(BUILD)/$(SHARED) $(DESTDIR)$(LIBDIR)
ifeq ($(SYSTEM),Darwin) # programs look for the library where it says that it is
	install_name_tool -id $(LIBDIR)/$(SONAME) $(DESTDIR)$(LIBDIR)/$(SHARED)
endif
	ln -sf $(SHARED) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/$(LINK_NAME)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' lipc.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/lipc.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/lipc.pc

uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(INCLUDEDIR)/,$(notdir $(HEADERS)))
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(STATIC) $(SHARED) $(SONAME) $(LINK_NAME) pkgconfig/lipc.pc)

clean: ## remove everything that was built here
	rm -rf $(BUILD)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
