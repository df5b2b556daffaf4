// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Exits in every way: a child by exit(), one by _exit(), one by quick_exit(),
 * one from a thread while main waits, and itself by the last thread's end.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *leave(void *arg)
{
	free(malloc(100));
	(void)arg;
	exit(0);
}

static void *nothing(void *arg)
{
	usleep(1000);
	free(malloc(100));
	return arg;
}

static int child(int how)
{
	pthread_t thread;

	free(malloc(5000));
	switch (how) {
	case 0:
		exit(0);
	case 1:
		_exit(0);
	case 2:
		quick_exit(0);
	default:
		pthread_create(&thread, NULL, leave, NULL);
		pause();
		return 1;
	}
}

int main(void)
{
	pthread_t thread;
	int how, status, bad = 0;

	for (how = 0; how < 4; how++) {
		if (!fork())
			return child(how);
		wait(&status);
		bad |= status;
	}
	if (bad)
		return 1;
	pthread_create(&thread, NULL, nothing, NULL);
	pthread_exit(NULL);
}
