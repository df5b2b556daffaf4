// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A C program that loads a C++ plugin: libstdc++ comes late and is private
 * to the plugin (RTLD_LOCAL), as with an extension module of python. The
 * library's operator new must throw into it nevertheless.
 */
#include <stdint.h>
#include <sys/wait.h>
#include "tap.h"

static int run_plugin(int flags)
{
	const char *build = getenv("ABI_BUILD");
	int (*run)(size_t);
	char path[4096];
	void *plugin;

	snprintf(path, sizeof(path), "%s/plugin.so", build ? build : ".");
	plugin = dlopen(path, RTLD_NOW | flags);
	if (!plugin)
		return 101;
	run = (int (*)(size_t))dlsym(plugin, "plugin_run");
	return run ? run((size_t)1 << 62) : 102;
}

/* In a child, for a failure there may be an abort. */
static int in_child(int flags)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(run_plugin(flags));
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

int main(void)
{
	int ret;

	tap_begin();
	OK(!dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv"),
	   "the program has no C++ library");
	ret = in_child(RTLD_GLOBAL);
	OK(ret == 0, "new in a plugin that all can see (%d)", ret);
	ret = in_child(RTLD_LOCAL);
	OK(ret == 0, "new in a plugin that keeps to itself (%d)", ret);
	return tap_end();
}
