# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# What runs in an emulated machine besides the suites: the bench, which has
# pmalloc and kmalloc side by side in one boot, and the contention study.

.PHONY: bench-kernel study-kernel check-study-kernel

# Debian's kernel has kmalloc() clear what it returns unless told otherwise.
bench-kernel: ## pmalloc and kmalloc side by side, in a VM (1 min)
	@scripts/kbuild 6.12
	@scripts/vm 6.12 -n bench -x harness/kernel/bench-guest \
		-a init_on_alloc=0 -- $(B)/kernel/6.12/pmalloc.ko \
		$(B)/kernel/6.12/pmalloc_bench.ko

# Every page that `pmalloc study` makes in build/study from then on shows it;
# with STUDY_DIR=DIRECTORY only the page of the study there.
study-kernel: ## contention under each policy in a VM with 8 CPUs (8 min)
	@harness/kernel/study $(if $(STUDY_DIR),--output $(STUDY_DIR))

check-study-kernel: ## the study in the kernel in short: tracepoints equal counters, policies differ
	@harness/kernel/study --check
