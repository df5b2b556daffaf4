# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Restartable sequences under fire: the library's objects once more, with
# injection points that do something, linked into a program.
# RSEQ_SEED=N repeats a run's random numbers.

rseq-modes	:= libc left own mm_cid off rseqoff norseq nofence latefence \
		   unregister ownunregister fork
rseq-flags	:= -DPM_DEBUG_BUILD -O2 -fPIE \
		   -include harness/program/rseq/inject.h

$(eval $(call pm-build,$(B)/rseq,$(rseq-flags)))

$(B)/rseq/stress.o: harness/program/rseq/stress.c harness/program/rseq/inject.h
	@echo "  CC      $@"
	@mkdir -p $(@D)
	@$(CC) $(PM_CPPFLAGS) $(PM_CFLAGS) $(rseq-flags) -MMD -MP -c -o $@ $<

$(B)/rseq/stress: $(B)/rseq/stress.o \
		$(filter-out %/malloc.o %/new.o,$($(B)/rseq-objs))
	@echo "  LD      $@"
	@$(CC) $(PM_CFLAGS) -fPIE -pie -o $@ $^ $(PM_LIBS)

.PHONY: check-rseq

check-rseq: $(B)/rseq/stress ## abort every section at every point, in all modes (60 s)
	@prove -v -e 'timeout -k 5 60 $(B)/rseq/stress' $(rseq-modes)
