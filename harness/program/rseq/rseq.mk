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

$(eval $(call program-inside,rseq,stress,$(B)/rseq,$(rseq-flags) -pie))

.PHONY: check-rseq

check-rseq: $(B)/rseq/stress ## abort every section at every point, in all modes (60 s)
	@prove -v -e 'timeout -k 5 60 $(B)/rseq/stress' $(rseq-modes)
