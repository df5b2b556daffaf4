// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the library chose by itself, and why, for the report.
 */
#include "api/choices.h"
#include "back/huge.h"
#include "base/options.h"

static const char *const pm_thp_names[] = {
	[PM_THP_OFF] = "off",
	[PM_THP_ON] = "on",
	[PM_THP_AUTO] = "auto",
};

static void pm_write_huge_reason(struct pm_writer *w,
				 enum pm_huge_verdict verdict,
				 const struct pm_huge_cost *cost)
{
	switch (verdict) {
	case PM_HUGE_DEARER:
	case PM_HUGE_CHEAPER:
		pm_write(w, " chose %s: a huge page takes %u us, small ones instead of it %u us\n",
			 verdict == PM_HUGE_CHEAPER ? "on" : "off",
			 cost->huge_ns / 1000, cost->small_ns / 1000);
		break;
	case PM_HUGE_NONE:
		pm_write(w, " chose off: there are none to be had\n");
		break;
	default:
		pm_write(w, ": no arena was large enough to ask\n");
	}
}

/**
 * pm_write_choices() - write what was chosen
 * @w: where to
 * @format: PM_TEXT or PM_JSON
 */
void pm_write_choices(struct pm_writer *w, enum pm_format format)
{
	struct pm_huge_cost cost;
	enum pm_huge_verdict verdict = pm_huge_known(&cost);
	unsigned int thp = pm_options.thp;

	if (format == PM_JSON) {
		pm_write(w, "\"thp\":{\"option\":\"%s\",\"on\":%s,\"huge_ns\":%u,\"small_ns\":%u},",
			 pm_thp_names[thp],
			 thp == PM_THP_ON || (thp == PM_THP_AUTO &&
					      verdict == PM_HUGE_CHEAPER) ?
			 "true" : "false", cost.huge_ns, cost.small_ns);
		return;
	}
	pm_write(w, "huge pages: thp=%s", pm_thp_names[thp]);
	if (thp == PM_THP_AUTO)
		pm_write_huge_reason(w, verdict, &cost);
	else
		pm_write(w, "\n");
}
