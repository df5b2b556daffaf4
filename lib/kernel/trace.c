// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The tracepoints' bodies: the one place that has the macros make them.
 */
#define CREATE_TRACE_POINTS
#include "base/trace.h"
