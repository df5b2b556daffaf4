# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The bench: its C program, the limit, and the runs of the driver.

BENCH_FLAGS := -std=gnu11 -g -O2 $(WARN) -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
	-fno-builtin-posix_memalign
bench-srcs := $(filter-out harness/measure/bench/limit.c,$(wildcard harness/measure/bench/*.c))

.PHONY: bench bench-quick bench-builds bench-selftest bench-programs

bench-programs: $(B)/bench/bench $(B)/bench/liblimit.so ## workloads of bench and study

$(B)/bench/bench: $(bench-srcs) harness/measure/bench/bench.h
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(BENCH_FLAGS) -pthread -Wl,-z,now -o $@ $(bench-srcs) -lm

$(B)/bench/liblimit.so: harness/measure/bench/limit.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(BENCH_FLAGS) -fno-builtin -fPIC -fvisibility=hidden \
		-Wno-missing-prototypes -ftls-model=initial-exec -shared -o $@ $<

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
