# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The bench: its C program, the limit, and the runs of the driver.

bench-cc := $(CC) -std=gnu11 -g -O2 $(CPPFLAGS) $(CFLAGS) $(WARN) -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
	-fno-builtin-posix_memalign -pthread
bench-limit := $(bench-cc) -fno-builtin -fPIC -fvisibility=hidden \
	-Wno-missing-prototypes -ftls-model=initial-exec
bench-objs := $(patsubst harness/measure/%.c,$(B)/%.o, \
	$(filter-out %/limit.c,$(wildcard harness/measure/bench/*.c)))
bench-ldflags := $(LDFLAGS) -Wl,-z,now

$(eval $(call pm-compile,$(B)/bench,harness/measure/bench/%.c,$(bench-cc)))
$(eval $(call pm-link,$(B)/bench/bench,$(bench-objs),$(bench-cc) $(bench-ldflags),-lm))
$(eval $(call pm-compile,$(B)/bench/limit,harness/measure/bench/%.c,$(bench-limit)))
$(eval $(call pm-link,$(B)/bench/liblimit.so,$(B)/bench/limit/limit.o,\
	$(bench-limit) -shared))

.PHONY: bench bench-quick bench-builds bench-selftest bench-programs

bench-programs: $(B)/bench/bench $(B)/bench/liblimit.so ## workloads of bench and study

# What marks and probes cost: the same library without either.
bench-builds:
	@$(MAKE) --no-print-directory MARK=0 lib
	@$(MAKE) --no-print-directory PROBES=0 lib

# A machine that never saw `make run` has not what the library is built with.
bench: ## pmalloc and all peers side by side (25 min)
	@scripts/deps run
	@$(MAKE) --no-print-directory lib bench-builds bench-programs
	@harness/measure/bench/bench --full

bench-quick: ## the rows of the bench that tell most (50 s)
	@scripts/deps run
	@$(MAKE) --no-print-directory lib bench-programs
	@harness/measure/bench/bench --quick

bench-selftest: bench-programs ## test of the bench itself (5 s)
	@harness/measure/bench/bench --selftest
