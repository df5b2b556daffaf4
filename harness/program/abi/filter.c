// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * filter NUMBERS COMMAND...: run a command that may make the system calls whose
 * numbers are in a file, and is ended for any other.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { MOST = 1000 };

static struct sock_filter code[2 * MOST + 2];
static unsigned short len;

static void add(struct sock_filter instruction)
{
	code[len++] = instruction;
}

static bool read_numbers(const char *name)
{
	FILE *in = fopen(name, "r");
	unsigned int nr, n = 0;

	if (!in)
		return false;
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	for (; n < MOST && fscanf(in, "%u", &nr) == 1; n++) {
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr,
						 0, 1));
		add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW));
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					 SECCOMP_RET_KILL_PROCESS));
	fclose(in);
	return n > 50;
}

int main(int argc, char **argv)
{
	struct sock_fprog prog = { .filter = code };

	if (argc < 3 || !read_numbers(argv[1])) {
		fprintf(stderr, "usage: filter NUMBERS COMMAND...\n");
		return 2;
	}
	prog.len = len;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("filter");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 2;
}
