// What the Go files need of the C core, besides lipc.h. The C core itself does not include this file.
#include <lipc.h>
#include <stdlib.h>
#ifdef _WIN32
#include <lipc_windows.h>
#endif

// The version that this package is written for. An installed library (-tags liblipc) may differ from it as far as
// lipc.h allows: until 1.0 in the patch, from then on also in the minor version.
#define IPC_MAJOR 0
#define IPC_MINOR 1
#define IPC_TEXT_OF(number) #number
#define IPC_TEXT(number) IPC_TEXT_OF(number) // an #error would show the names of the macros, not their values
_Static_assert(LIPC_VERSION_MAJOR == IPC_MAJOR && (IPC_MAJOR > 0 || LIPC_VERSION_MINOR == IPC_MINOR),
	"this package needs lipc " IPC_TEXT(IPC_MAJOR) "." IPC_TEXT(IPC_MINOR) ", but lipc.h is of version "
	IPC_TEXT(LIPC_VERSION_MAJOR) "." IPC_TEXT(LIPC_VERSION_MINOR) "." IPC_TEXT(LIPC_VERSION_PATCH));

static inline int ipc_name(int type, const char *text, size_t length, lipc_name *ret_name) {
	switch (type) {
	case LIPC_NAME_PATH: return lipc_name_path(text, length, ret_name);
	case LIPC_NAME_NAMESPACED: return lipc_name_namespaced(text, length, ret_name);
	case LIPC_NAME_USER: return lipc_name_user(text, length, ret_name);
	default: return lipc_name_system(text, length, ret_name);
	}
}
