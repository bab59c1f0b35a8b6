//go:build !liblipc

// The C core. cgo compiles only the C files of this folder, so this one includes the sources.
#define LIPC__GETENV(name) ipc_getenv(name)
#ifndef _WIN32
static const char *ipc_getenv(const char *name);
#endif
#include "../../csrc/all.c"

#ifndef _WIN32
#include "environment.h"

const int ipc_abstract_names = LIPC__ABSTRACT_NAMES;

// The variables that the C core reads. os.Setenv changes the environment of C too, and frees what getenv(3) returned.
// So Go hands their values over, and never frees them.
static struct {
	const char *name;
	const char *value; // NULL: it is not set
} ipc_variables[] = {{"XDG_RUNTIME_DIR", NULL}, {"LISTEN_PID", NULL}, {"LISTEN_FDS", NULL}, {"LISTEN_FDNAMES", NULL}};
enum { IPC_VARIABLES = sizeof ipc_variables / sizeof *ipc_variables };

static const char *ipc_getenv(const char *name) {
	for (int i = 0; i < IPC_VARIABLES; i++)
		if (strcmp(name, ipc_variables[i].name) == 0)
			return __atomic_load_n(&ipc_variables[i].value, __ATOMIC_ACQUIRE);
	abort(); // the list lacks a variable
}

const char *ipc_variable_name(int index) { return index < IPC_VARIABLES ? ipc_variables[index].name : NULL; }

void ipc_variable_set(int index, const char *value) {
	__atomic_store_n(&ipc_variables[index].value, value, __ATOMIC_RELEASE);
}
#endif
