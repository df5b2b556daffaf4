// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A library that takes 64 bytes of static TLS: late.sh loads copies of it.
 */
__thread char eater[64] __attribute__((tls_model("initial-exec"), aligned(64)));

char *eater_touch(void);

char *eater_touch(void)
{
	return eater;
}
