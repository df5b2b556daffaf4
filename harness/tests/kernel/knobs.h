/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a guest's script can order of the test module.
 */
#ifndef PM_KNOBS_H
#define PM_KNOBS_H

void knobs_init(void);
void knobs_exit(void);

#endif /* PM_KNOBS_H */
