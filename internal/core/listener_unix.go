//go:build unix

package core

/*
#include "core.h"
#include <lipc_unix.h>

static int ipc_listener_adopt(lipc_handle handle, unsigned mode, const uint32_t *group, lipc_listener **ret_listener) {
	lipc_listen_options options = {.size = sizeof options, .mode = mode, .group = group};
	return lipc_listener_adopt(handle, &options, ret_listener);
}
*/
import "C"

// AdoptListener returns a listener on a handle that listens. If it succeeds, the listener owns the handle.
func AdoptListener(handle uintptr, o ListenOptions) (l Listener, r Result) {
	r = Result(C.ipc_listener_adopt(C.lipc_handle(handle), C.uint(o.Mode), (*C.uint32_t)(o.Group), &l.c))
	return l, r
}
