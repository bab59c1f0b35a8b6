// What the Go files need of the C core, besides lipc.h. The C core itself does not include this file.
#include <lipc.h>
#include <stdlib.h>
#ifdef _WIN32
#include <lipc_windows.h>
#endif

static inline int ipc_name(int type, const char *text, size_t length, lipc_name *ret_name) {
	switch (type) {
	case LIPC_NAME_PATH: return lipc_name_path(text, length, ret_name);
	case LIPC_NAME_NAMESPACED: return lipc_name_namespaced(text, length, ret_name);
	case LIPC_NAME_USER: return lipc_name_user(text, length, ret_name);
	default: return lipc_name_system(text, length, ret_name);
	}
}
