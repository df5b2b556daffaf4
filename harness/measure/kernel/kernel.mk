# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The bench in an emulated machine: pmalloc and kmalloc side by side in one boot.

.PHONY: bench-kernel

# Debian's kernel has kmalloc() clear what it returns unless told otherwise.
bench-kernel: ## pmalloc and kmalloc side by side, in a VM (1 min)
	@scripts/kbuild 6.12
	@scripts/vm 6.12 -n bench -x harness/measure/kernel/bench-guest \
		-a init_on_alloc=0 -- $(B)/kernel/6.12/pmalloc.ko \
		$(B)/kernel/6.12/pmalloc_bench.ko
