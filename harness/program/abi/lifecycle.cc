// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * malloc at the edges of a process's and a thread's life: before any
 * constructor, in constructors, in dlsym, while threads begin, in
 * destructors of thread-local objects and keys, at exit, and after that.
 *
 * startup.sh preloads early.so as well, whose constructor runs before
 * main's and whose destructor prints the last line: all is done when it
 * appears.
 */
#include <atomic>
#include <cerrno>
#include <climits>
#include <clocale>
#include <iconv.h>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/wait.h>
#include <vector>
#include "pattern.h"

static void *preinit_block;
static size_t preinit_size;

/* Runs before the constructors of all libraries. */
extern "C" void preinit()
{
	preinit_size = 5000;
	preinit_block = calloc(1, preinit_size);
	pattern_fill(preinit_block, preinit_size, 1);
	free(malloc(100000));
	preinit_block = realloc(preinit_block, 70000);
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit_entry)() = preinit;

static std::vector<std::string> global_strings(1000, "a constructor of main's");

static std::atomic<int> tls_destroyed, keys_destroyed;

/* Allocates in its destructor and frees what others of its kind left. */
struct Tls {
	std::string text;
	void *block = malloc(300);

	~Tls()
	{
		std::string more = text + text;

		free(block);
		free(malloc(more.size() + 4000));
		tls_destroyed++;
	}
};

static thread_local Tls tls_object;
static pthread_key_t key;

/* Allocates and sets the key again, so that it runs several rounds. */
static void key_destructor(void *value)
{
	intptr_t round = *(intptr_t *)value;

	free(value);
	keys_destroyed++;
	if (round < PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
		intptr_t *next = (intptr_t *)malloc(sizeof(*next));

		*next = round + 1;
		pthread_setspecific(key, next);
	}
}

static void *thread_main(void *arg)
{
	intptr_t *value = (intptr_t *)calloc(1, sizeof(*value));

	tls_object.text = "a thread has come to its end" +
		std::to_string((intptr_t)arg);
	pthread_setspecific(key, value);
	return NULL;
}

static void test_threads()
{
	enum { N = 60 };
	pthread_t threads[N];

	pthread_key_create(&key, key_destructor);
	for (intptr_t i = 0; i < N; i++)
		pthread_create(&threads[i], NULL, thread_main, (void *)i);
	for (pthread_t thread : threads)
		pthread_join(thread, NULL);
	OK(tls_destroyed == N, "%d thread_local destructors allocate",
	   tls_destroyed.load());
	OK(keys_destroyed == N * PTHREAD_DESTRUCTOR_ITERATIONS,
	   "%d key destructors allocate", keys_destroyed.load());
}

/* dlsym and dlerror allocate in glibc when a symbol is not there. */
static void *look_up(void *)
{
	intptr_t found = 0;

	for (int i = 0; i < 200; i++) {
		char name[40];

		snprintf(name, sizeof(name), "no_such_symbol_%d", i);
		found += dlsym(RTLD_DEFAULT, name) != NULL;
		found += dlerror() == NULL;
		found += dlsym(RTLD_NEXT, "malloc") == NULL;
	}
	return (void *)found;
}

static void test_dlsym()
{
	pthread_t threads[4];
	intptr_t faults = (intptr_t)look_up(NULL);
	void *ret;

	for (pthread_t &thread : threads)
		pthread_create(&thread, NULL, look_up, NULL);
	for (pthread_t thread : threads) {
		pthread_join(thread, &ret);
		faults += (intptr_t)ret;
	}
	OK(!faults, "dlsym and dlerror in five threads");
	for (int i = 0; i < 20; i++) {
		void *lib = dlopen("libm.so.6", RTLD_NOW);
		iconv_t cd = iconv_open("UTF-16", "LATIN1");

		if (!lib || cd == (iconv_t)-1)
			faults++;
		if (cd != (iconv_t)-1)
			iconv_close(cd);
		if (lib)
			dlclose(lib);
	}
	OK(!faults, "libraries and converters come and go");
	setlocale(LC_ALL, "C.UTF-8");
}

static void at_exit_plain()
{
	free(malloc(1000));
	std::string text(5000, 'x');

	OK(text.size() == 5000, "an atexit handler allocates");
	/* The plan: what early.so's destructor prints is the last. */
	char plan[32];

	tap_write(plan, (size_t)snprintf(plan, sizeof(plan), "1..%d\n",
					 tap_count + 2));
}

static void at_exit_status(int status, void *arg)
{
	free(arg);
	OK(status == 0, "an on_exit handler frees what main allocated");
}

/* A static object of main's, destroyed after the atexit handlers. */
static struct Last {
	void *block = malloc(12345);

	~Last()
	{
		free(block);
		free(malloc(300000));
		OK(preinit_block && pattern_holds(preinit_block, preinit_size, 1),
		   "a static destructor frees the first object of all");
		free(preinit_block);
	}
} last;

int main()
{
	tap_begin();
	OK(preinit_block && pattern_holds(preinit_block, preinit_size, 1),
	   "malloc served before any constructor ran");
	OK(global_strings.size() == 1000 &&
	   global_strings[999] == "a constructor of main's",
	   "and in constructors");
	test_dlsym();
	test_threads();
	atexit(at_exit_plain);
	on_exit(at_exit_status, malloc(777));
	return 0;
}
