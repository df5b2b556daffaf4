# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What one does with the project, besides building it.

.PHONY: deps run check style docs check-docs check-build deb check-deb install uninstall

deps: ## install the Debian packages that `run` and `check` need
	@scripts/deps check
	@scripts/liburcu choose auto

run: ## a real program on pmalloc, what its arenas tell, and a page (60 s)
	@scripts/deps study
	@scripts/liburcu choose auto
	@$(MAKE) --no-print-directory lib bench-programs
	@scripts/run

check: ## install what is needed, then build and test everything
	@scripts/deps check
	@scripts/liburcu choose auto
	@scripts/check

style: ## check the form of every source file
	@scripts/style

# The book has pictures that are drawn from the core's objects.
core-objs := $(core-srcs:lib/%.c=$(B)/lib/%.o)

docs: $(core-objs) ## make the book: build/docs/index.html (1 min, at first 4, for Spin)
	@scripts/docs $(B)/lib

check-docs: lib ## make the book without warnings, and hold it against the source
	@scripts/check-docs --selftest
	@scripts/check-docs

check-build: ## what was made by another command is made again, and nothing else
	@scripts/check-build

deb: ## make the Debian packages: build/deb/*.deb
	@scripts/deps deb
	@$(if $(filter shared,$(URCU)),,scripts/liburcu choose auto)
	@scripts/deb

check-deb: ## make them, and install, use and purge them in a clean root (5 min)
	@scripts/check-deb

# ---- installation ----------------------------------------------------------

SONAME	:= libpmalloc.so.0
SOFILE	:= libpmalloc.so.$(VERSION)
MANDIR	?= $(PREFIX)/share/man
MAN3	:= Documentation/man/libpmalloc.3
# Every function that the page describes gets a page of its name.
MAN3-names := $(shell sed -n '/^\.SH NAME/,/^\.SH SYNOPSIS/s/^\(pm_[a-z_]*\).*/\1/p' $(MAN3))

# The pmalloc command and its modules. Where the library is goes into a file
# beside these, relative to it, so that a staged tree works before it is moved.
CMDDIR	:= $(PREFIX)/share/pmalloc
CMD-modules := $(wildcard harness/study/*.py) harness/study/page.html.j2 \
	harness/study/page.js \
	harness/measure/bench/allocators.py
CMD-recorded := $(wildcard harness/study/recorded/*.json)
CMD-libexec := $(PREFIX)/libexec/pmalloc

install: lib bench-programs ## install into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include \
		$(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7 \
		$(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(CMDDIR)/recorded \
		$(DESTDIR)$(CMD-libexec)
	install -m 755 $(B)/libpmalloc.so $(DESTDIR)$(LIBDIR)/$(SOFILE)
	ln -sf $(SOFILE) $(DESTDIR)$(LIBDIR)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libpmalloc.so
	install -m 644 $(B)/libpmalloc.a $(DESTDIR)$(LIBDIR)/
	install -m 644 lib/include/pmalloc.h $(DESTDIR)$(PREFIX)/include/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(PM_LIBS)|' \
		scripts/pmalloc.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/pmalloc.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/pmalloc.pc
	install -m 644 Documentation/man/pmalloc.7 $(DESTDIR)$(MANDIR)/man7/
	install -D -m 644 Documentation/man/pmalloc.1 $(DESTDIR)$(MANDIR)/man1/pmalloc.1
	install -m 644 $(MAN3) $(DESTDIR)$(MANDIR)/man3/
	for name in $(MAN3-names); do \
		ln -sf libpmalloc.3 $(DESTDIR)$(MANDIR)/man3/$$name.3; \
	done
	install -m 755 scripts/pmalloc $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(CMD-modules) $(DESTDIR)$(CMDDIR)/
	install -m 644 $(CMD-recorded) $(DESTDIR)$(CMDDIR)/recorded/
	install -m 755 $(B)/bench/bench $(DESTDIR)$(CMD-libexec)/
	{ echo version=$(VERSION); printf libdir=; realpath -m --relative-to \
		$(CMDDIR) $(LIBDIR); } > $(DESTDIR)$(CMDDIR)/installed
	chmod 644 $(DESTDIR)$(CMDDIR)/installed

uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,$(SOFILE) $(SONAME) \
		libpmalloc.so libpmalloc.a pkgconfig/pmalloc.pc) \
		$(DESTDIR)$(PREFIX)/include/pmalloc.h \
		$(DESTDIR)$(PREFIX)/bin/pmalloc \
		$(DESTDIR)$(MANDIR)/man7/pmalloc.7 \
		$(DESTDIR)$(MANDIR)/man1/pmalloc.1 \
		$(addprefix $(DESTDIR)$(MANDIR)/man3/,libpmalloc.3 \
		$(MAN3-names:%=%.3))
	rm -rf $(DESTDIR)$(CMDDIR) $(DESTDIR)$(CMD-libexec)
