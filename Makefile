# SPDX-License-Identifier: MIT
#
#   make                 both programs, in build/
#   make run             everything up on 127.0.0.1:8080, until Ctrl-C
#   make test            install what is missing, build, run every test
#   make check           all that make test runs, of what is installed already
#   make model           the protocol, proved by spin: nothing lost, nobody left asleep
#   make mutants         mistakes made on purpose, and which test notices; MUTANTS=lanes for some
#   make fuzz            every parser that meets outside bytes, a minute each
#   make client          the browser client minified, as a module and for old pages, of nginx/www/letterbox.js
#   make bench           side by side with its rivals: a table, and tests/bench/result.{json,svg}
#   make lint format     what is wrong with the source; put its layout right
#   make install         DESTDIR and PREFIX as usual; uninstall takes it back
#   make deb             the Debian package, build/letterbox_VERSION_ARCH.deb
#   make version         which version this is
#
# Variables: SANITIZER=address|thread|undefined (builds into build/$SANITIZER),
# CXX=clang++, CXXFLAGS (added at the end), WERROR=0 (warnings stay warnings),
# V=1 (show the commands).

SHELL = /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:

# The one place where it stands: tests/CHANGELOG.md says what else a release needs.
VERSION = 0.2.0

PREFIX ?= /usr/local
WERROR ?= 1
SANITIZER ?=

ifneq ($(filter-out address thread undefined,$(SANITIZER)),)
$(error SANITIZER is address, thread or undefined, not '$(SANITIZER)')
endif

BUILD ?= build$(if $(SANITIZER),/$(SANITIZER))
OBJ := $(BUILD)/obj
GEN := $(BUILD)/gen

# -iquote . is for the tests, which look into fcgi/ as well as lib/.
compile_flags := -std=c++20 -O2 -g -pthread -Wall -Wextra -Wpedantic -Wshadow \
  $(if $(filter-out 0,$(WERROR)),-Werror) \
  $(if $(SANITIZER),-fsanitize=$(SANITIZER) -fno-omit-frame-pointer) \
  $(if $(filter undefined,$(SANITIZER)),-fno-sanitize-recover=all)
include_flags := -iquote . -Ilib -I$(GEN)
COMPILE = $(CXX) $(include_flags) $(CPPFLAGS) $(compile_flags) $(CXXFLAGS)
LINK = $(CXX) $(compile_flags) $(CXXFLAGS) $(LDFLAGS)
LDLIBS = -lfcgi -lhiredis -lcrypto -lcurl
# Before a command: says what it makes instead of showing it.
terse = $(if $(V),,@echo '$(1) $(2)' &&)

# --- what there is ----------------------------------------------------------

lua := $(sort $(wildcard lib/mailbox/*.lua))
lua_parts := $(sort $(wildcard lib/mailbox/parts/*.lua))
lib_sources := $(sort $(wildcard lib/*/*.cpp))
fcgi_sources := $(sort $(wildcard fcgi/*.cpp))
unit_sources := $(sort $(wildcard tests/unit/*.cpp))
bench_sources := $(sort $(wildcard tests/bench/*.cpp))
floor_sources := $(sort $(wildcard tests/bench/floor/*.cpp))
redis_sources := $(sort $(wildcard tests/redis/*.cpp))
fuzz_sources := $(sort $(wildcard tests/fuzz/*.cpp))
sources := $(lib_sources) $(fcgi_sources) $(unit_sources) $(redis_sources) $(bench_sources) $(floor_sources) \
  $(fuzz_sources)

objects = $(patsubst %.cpp,$(OBJ)/%.o,$(1))
generated := $(GEN)/scripts.cpp $(GEN)/scripts.h $(GEN)/version.h
archive := $(OBJ)/letterbox.a
programs := $(BUILD)/letterbox-poll $(BUILD)/letterbox-push
tests := $(BUILD)/tests-unit $(BUILD)/tests-redis

bench := $(BUILD)/bench $(BUILD)/bench-floor

# A target is a program; main.cpp is in each.
fuzz_targets := $(filter-out main,$(basename $(notdir $(fuzz_sources))))
fuzzers := $(addprefix $(BUILD)/fuzz-,$(fuzz_targets))

.PHONY: all tests fuzzers fuzz model mutants bench client browser-packages run test check lint format clean install uninstall \
  deb version units man
all: $(programs)
tests: $(tests) $(bench)

# --- building ---------------------------------------------------------------

$(BUILD)/letterbox-poll: $(call objects,fcgi/poll.cpp)
$(BUILD)/letterbox-push: $(call objects,fcgi/push.cpp)
$(BUILD)/tests-unit: $(call objects,$(unit_sources))
$(BUILD)/tests-redis: $(call objects,$(redis_sources))

$(programs) $(tests): $(archive)
	$(call terse,link,$@) $(LINK) -o $@ $(filter %.o,$^) $(archive) $(LDLIBS)

# They measure servers from outside, and share nothing with lib/.
$(BUILD)/bench: $(call objects,$(bench_sources))
	$(LINK) -o $@ $^
$(BUILD)/bench-floor: $(call objects,$(floor_sources))
	$(LINK) -o $@ $^ -lfcgi

$(fuzzers): $(BUILD)/fuzz-%: $(OBJ)/tests/fuzz/%.o $(OBJ)/tests/fuzz/main.o $(archive)
	$(call terse,link,$@) $(LINK) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Everything but the two main()s. The archive is written from scratch, since ar would
# keep the members whose source is gone.
archive_members := $(call objects,$(lib_sources) $(filter-out fcgi/poll.cpp fcgi/push.cpp,$(fcgi_sources))) $(OBJ)/scripts.o
$(archive): $(archive_members)
	@rm -f $@
	$(call terse,archive,$@) $(AR) rcs $@ $(archive_members)

$(OBJ)/%.o: %.cpp $(OBJ)/flags | $(generated)
	@mkdir -p $(@D)
	$(call terse,compile,$<) $(COMPILE) -MMD -MP -c -o $@ $<

$(OBJ)/scripts.o: $(GEN)/scripts.cpp $(OBJ)/flags | $(generated)
	$(call terse,compile,$<) $(COMPILE) -MMD -MP -c -o $@ $<

# One run makes both; embed-lua leaves the header untouched if it says the same.
$(GEN)/scripts.cpp: $(lua) $(lua_parts) scripts/embed-lua $(OBJ)/flags
	$(call terse,embed,$(lua)) scripts/embed-lua $(GEN) $(lua)
$(GEN)/scripts.h: $(GEN)/scripts.cpp ;

# What every object depends on in addition to its sources: with which compiler and
# flags it was made, and which files there are. Rewritten only when it changes.
$(OBJ)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(COMPILE)' '$(LINK)' '$(lua)' '$(archive_members)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: force
force:

# Rewritten only when it changes, too.
$(GEN)/version.h: force
	@mkdir -p $(@D)
	@printf '%s\n' '// Generated by the Makefile.' '#pragma once' '' '#include <string_view>' '' 'namespace letterbox {' '' \
	  'inline constexpr std::string_view kVersion = "$(VERSION)";' '' '}  // namespace letterbox' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

-include $(patsubst %.cpp,$(OBJ)/%.d,$(sources)) $(OBJ)/scripts.d

# --- running and testing ----------------------------------------------------

# The scripts call make themselves, so they get none of this make's own
# environment (its job server above all), only which build they work with.
script = env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL LETTERBOX_BUILD='$(BUILD)'

run:
	@$(script) scripts/run

test:
	@$(script) scripts/test

check: $(programs) $(tests) $(bench) fuzzers browser-packages
	@$(script) LETTERBOX_SKIP_BUILD=1 scripts/test

# By clang, which alone has libFuzzer, whatever the rest is built with; in build/fuzz. (RapidJSON's
# empty stack adds to a null pointer, which harms nobody: pointer-overflow.)
fuzzers:
	+@$(MAKE) --no-print-directory BUILD=build/fuzz SANITIZER= CXX=clang++ \
	  CXXFLAGS='-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-sanitize=pointer-overflow' \
	  $(addprefix build/fuzz/fuzz-,$(fuzz_targets))

fuzz: fuzzers
	@scripts/install-packages build test
	@for target in $(fuzz_targets); do scripts/fuzz "$$target" 60 || exit 1; done

# What the browser's tests need of npm, as the lock file has it.
browser_packages := tests/browser/node_modules/.package-lock.json
browser-packages: $(browser_packages)
$(browser_packages): tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund
	@touch $@

# Kept beside its source, so that nobody needs node to deploy.
client: $(browser_packages)
	node tests/browser/build-client.mjs

model:
	@scripts/install-packages test
	@tests/model/run

# An hour or two. In a copy of the tree, build/mutants.
mutants:
	@scripts/install-packages build run test browser
	@$(MAKE) --no-print-directory browser-packages
	@tests/mutants/run $(if $(MUTANTS),'$(MUTANTS)')

# What the Socket.IO that is measured beside needs of npm, as the lock file has it.
bench_packages := tests/bench/socketio/node_modules/.package-lock.json
$(bench_packages): tests/bench/socketio/package-lock.json
	cd tests/bench/socketio && npm ci --no-audit --no-fund
	@touch $@

# About an hour, in which nothing else should run. BENCH="--rounds 1 --cases closed" for less.
bench: $(programs) $(bench)
	scripts/install-packages run bench
	@$(MAKE) --no-print-directory $(bench_packages)
	$(BUILD)/bench --json tests/bench/result.json --svg tests/bench/result.svg $(BENCH)

# --- linting ----------------------------------------------------------------

cpp_files = $(sort $(shell find lib fcgi tests -name node_modules -prune -o \( -name '*.cpp' -o -name '*.h' \) -print))
shell_files = $(sort $(shell grep -rlE --exclude-dir=node_modules '^\#!.*[/ ](ba)?sh$$' scripts .ci tests))
shell_libraries = $(sort $(wildcard scripts/lib/*.sh))
js_files = $(sort $(wildcard nginx/www/*.js nginx/www/pages/*.js tests/browser/*.mjs tests/browser/*/*.mjs tests/bench/socketio/*.mjs))
spdx_files = Makefile .clang-format .clang-tidy $(cpp_files) $(lua) $(lua_parts) $(shell_files) $(shell_libraries) \
  $(js_files) $(wildcard nginx/www/*.ts nginx/www/*.html nginx/www/*.css nginx/www/*.svg) scripts/completion.bash \
  $(sort $(shell find nginx scripts tests -name node_modules -prune -o \
    \( -name '*.conf' -o -name '*.awk' -o -name '*.py' -o -name '*.php' -o -name '*.pml' \) -print))
lints = lint-format lint-tidy lint-threads lint-cppcheck lint-shell lint-js lint-php lint-includes lint-nginx lint-units lint-lua lint-words lint-spdx lint-top
.PHONY: $(lints)

# All of them, also after one has failed; on all processors unless told by -j.
lint:
	@scripts/install-packages build run test browser clients lint
	@$(MAKE) --no-print-directory --keep-going $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) $(lints)
	@echo 'lint: clean'

lint-format:
	clang-format --dry-run -Werror $(cpp_files)

# clang-tidy is the slow one, so what passed is remembered: a file is looked at
# again when its object was built again, or the rules have changed.
lint-tidy: $(patsubst %.cpp,$(OBJ)/%.tidy,$(sources))
$(OBJ)/%.tidy: %.cpp $(OBJ)/%.o .clang-tidy
	@echo 'clang-tidy $<'
	@clang-tidy --quiet $< -- $(include_flags) $(CPPFLAGS) $(compile_flags) >$@.log 2>&1 \
	  || { cat $@.log; exit 1; }
	@mv $@.log $@

# That nothing guarded by a mutex is touched without it: base/sync.h.
lint-threads: $(patsubst %.cpp,$(OBJ)/%.threads,$(lib_sources) $(fcgi_sources))
$(OBJ)/%.threads: %.cpp $(OBJ)/%.o
	@clang++ $(include_flags) $(CPPFLAGS) -std=c++20 -fsyntax-only -Wthread-safety -Werror $<
	@touch $@

# (cppcheck 2.10 can't parse Loop::Timer, whose type has `void()` in it: files that have such timers are left to
# clang-tidy and the compilers.)
lint-cppcheck: $(generated)
	cppcheck --quiet --error-exitcode=1 --std=c++20 --inline-suppr -Ilib -I$(GEN) --suppress=syntaxError:lib/redis/connection.h \
	  --enable=warning,performance,portability lib fcgi

lint-shell:
	shellcheck --external-sources --check-sourced $(shell_files) scripts/completion.bash
	@for file in $(filter-out .ci/run,$(shell_files)) $(shell_libraries); do dash -n "$$file" || exit 1; done

# (Types are checked by the client's tests.)
lint-js: $(browser_packages)
	@for file in $(js_files); do node --check $$file || exit 1; done
	node tests/browser/build-client.mjs --check

php_files = $(sort $(shell find scripts/clients tests/clients -name '*.php'))
lint-php:
	@for file in $(php_files); do php -l $$file >/dev/null || exit 1; done

lint-includes:
	scripts/check-includes

lint-nginx:
	scripts/check-nginx

lint-units: $(programs)
	scripts/check-units

lint-lua:
	luac5.1 -p $(lua) $(lua_parts)

lint-words:
	scripts/check-words

# Which file says under which licence it is; without an answer, its name.
lint-spdx:
	@! grep -L 'SPDX-License-Identifier: MIT' $(spdx_files) | sed 's/$$/: no SPDX line/' | grep .

# What lies at the top of the repository, and not by accident, apart from dot files. Looked at is also
# what git does not know yet, unless it is told to ignore it.
top_level = LICENSE Makefile README.md fcgi lib nginx scripts tests
lint-top:
	@names=$$(git ls-files --cached --others --exclude-standard) && test -n "$$names" && \
	  ! printf '%s\n' "$$names" | sed 's|/.*||' | sort -u | grep -v '^\.' | grep -vxF $(addprefix -e ,$(top_level)) \
	  | sed 's/$$/: does not belong at the top/' | grep .

format:
	clang-format -i $(cpp_files)

# --- installing -------------------------------------------------------------

UNITDIR ?= $(PREFIX)/lib/systemd/system
bindir = $(DESTDIR)$(PREFIX)/bin
sharedir = $(DESTDIR)$(PREFIX)/share/letterbox
mandir = $(DESTDIR)$(PREFIX)/share/man
completiondir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
installed_conf := $(filter-out nginx/nginx.conf,$(wildcard nginx/*.conf))
installed_www := $(filter-out %/pages %.md %/package.json %/LICENSE,$(wildcard nginx/www/*))
# What a user of the server calls; the others are for the repository.
installed_scripts := scripts/letterbox scripts/push scripts/poll scripts/run-job scripts/service scripts/check scripts/move-mailboxes
installed_clients := $(shell find scripts/clients -name __pycache__ -prune -o -type f -print)
installed_libraries := $(filter-out scripts/lib/man.awk,$(wildcard scripts/lib/*))
# In the repository a command is called scripts/NAME, installed letterbox NAME.
called_by_command := sed -E -e "s,^me=scripts/letterbox$$,me=letterbox," -e "s,^me=scripts/run-job$$,me='letterbox job'," \
  -e "s,^me=scripts/(push|poll|check)$$,me='letterbox \1'," -e 's,scripts/letterbox,letterbox,g' \
  -e 's,scripts/run-job,letterbox job,g' -e 's,scripts/(push|poll|check)([^a-z-]|$$),letterbox \1\2,g'

sockets := $(wildcard scripts/systemd/*.socket)
services := $(wildcard scripts/systemd/*.service)
units := $(patsubst scripts/systemd/%,$(BUILD)/units/%,$(sockets) $(services))
commands := $(patsubst scripts/%,$(BUILD)/commands/%,$(installed_scripts))
pages := $(BUILD)/man/letterbox-poll.8 $(BUILD)/man/letterbox-push.8 $(BUILD)/man/letterbox.1 \
  $(patsubst scripts/%,$(BUILD)/man/letterbox-%.1,$(filter scripts/push scripts/poll scripts/check,$(installed_scripts))) \
  $(BUILD)/man/letterbox-job.1

# As they are installed: services with what they have in common, and all by the paths of PREFIX.
$(BUILD)/units/%.service: scripts/systemd/%.service scripts/systemd/service.conf $(OBJ)/prefix
	@mkdir -p $(@D)
	@{ cat $<; grep -v '^# SPDX' scripts/systemd/service.conf; } | sed 's|/usr/local/|$(PREFIX)/|' >$@
$(BUILD)/units/%.socket: scripts/systemd/%.socket
	@mkdir -p $(@D)
	@cp $< $@
$(BUILD)/commands/%: scripts/%
	@mkdir -p $(@D)
	@$(called_by_command) $< >$@ && chmod 755 $@

# Man pages say what --help says.
man_page = awk -f scripts/lib/man.awk -v name=$(basename $(@F)) -v section=$(subst .,,$(suffix $@)) -v version=$(VERSION)
see_programs := letterbox(1), letterbox-poll(8), letterbox-push(8)
see_commands := letterbox(1), letterbox-push(1), letterbox-poll(1), letterbox-job(1), letterbox-poll(8)
$(BUILD)/man/%.8: $(BUILD)/% scripts/lib/man.awk
	@mkdir -p $(@D)
	@$< --help | $(man_page) -v see='$(see_programs)' >$@
$(BUILD)/man/letterbox.1: scripts/letterbox scripts/lib/man.awk
	@mkdir -p $(@D)
	@scripts/letterbox --help | $(called_by_command) | $(man_page) -v see='$(see_commands)' >$@
$(BUILD)/man/letterbox-job.1: scripts/run-job scripts/lib/man.awk
	@mkdir -p $(@D)
	@$< --help | $(called_by_command) | $(man_page) -v see='$(see_commands)' >$@
$(BUILD)/man/letterbox-%.1: scripts/% scripts/lib/man.awk
	@mkdir -p $(@D)
	@$< --help | $(called_by_command) | $(man_page) -v see='$(see_commands)' >$@

$(OBJ)/prefix: force
	@mkdir -p $(@D)
	@if [ "$$(cat $@ 2>/dev/null)" != '$(PREFIX)' ]; then echo '$(PREFIX)' >$@; fi

units: $(units)
man: $(pages)

# Without a user, folders and started units: `systemd-sysusers && systemd-tmpfiles --create &&
# systemctl enable --now letterbox` makes those.
install: $(programs) $(units) $(commands) $(pages)
	install -d $(bindir) $(sharedir)/nginx/www/pages $(sharedir)/scripts/lib $(sharedir)/monitoring $(completiondir) $(mandir)/man1 $(mandir)/man8 \
	  $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(programs) $(bindir)
	install -m 644 $(installed_conf) $(sharedir)/nginx
	sed -i 's|/usr/local/|$(PREFIX)/|' $(addprefix $(sharedir)/,$(installed_conf))
	install -m 644 $(installed_www) $(sharedir)/nginx/www
	install -m 644 $(wildcard nginx/www/pages/*) $(sharedir)/nginx/www/pages
	install -m 755 $(commands) $(sharedir)/scripts
	install -m 644 $(installed_libraries) $(sharedir)/scripts/lib
	printf '%s\n' '$(VERSION)' >$(sharedir)/scripts/lib/version
	install -m 644 $(wildcard scripts/monitoring/*) $(sharedir)/monitoring
	cp --parents $(installed_clients) $(sharedir)
	ln -sf ../share/letterbox/scripts/letterbox $(bindir)/letterbox
	sed '/^# In the repository/,$$d' scripts/completion.bash >$(completiondir)/letterbox
	install -m 644 $(filter %.1,$(pages)) $(mandir)/man1
	install -m 644 $(filter %.8,$(pages)) $(mandir)/man8
	install -m 644 $(units) $(DESTDIR)$(UNITDIR)
	install -m 644 scripts/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/letterbox.conf
	install -m 644 scripts/systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/letterbox.conf
	install -m 644 fcgi/PROTOCOL.md fcgi/openapi.yaml LICENSE $(sharedir)

uninstall:
	rm -f $(addprefix $(bindir)/,$(notdir $(programs)) letterbox) $(completiondir)/letterbox \
	  $(addprefix $(mandir)/man1/,$(notdir $(filter %.1,$(pages)))) $(addprefix $(mandir)/man8/,$(notdir $(filter %.8,$(pages)))) \
	  $(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(units))) \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d/letterbox.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/letterbox.conf
	rm -rf $(sharedir)

version:
	@echo '$(VERSION)'

deb:
	@scripts/install-packages build package
	@$(script) scripts/build-package

# Every build, also those with a sanitizer.
clean:
	rm -rf build
