//go:build unix

package core

/*
#include "core.h"
#include <lipc_unix.h>

static int ipc_listener_adopt(lipc_handle handle, unsigned mode, lipc_listener **ret_listener) {
	lipc_listen_options options = {.size = sizeof options, .mode = mode};
	return lipc_listener_adopt(handle, &options, ret_listener);
}
*/
import "C"

import "io/fs"

// AdoptListener returns a listener on a handle that listens. If it succeeds, the listener owns the handle.
func AdoptListener(handle uintptr, mode fs.FileMode) (l Listener, r Result) {
	r = Result(C.ipc_listener_adopt(C.lipc_handle(handle), C.uint(mode), &l.c))
	return l, r
}
