package core

/*
#include "core.h"

static int ipc_connect(int type, const char *text, size_t length, int kind,
                       const struct lipc_connect_windows *windows, int timeout_ms, lipc_handle *ret_handle) {
	lipc_name name;
	lipc_peer_policy any = {.size = sizeof any, .peers = LIPC_PEERS_ANY}; // the Go side looks itself
	lipc_connect_options options = {sizeof options, kind, windows, kind == LIPC_DATAGRAM ? NULL : &any};
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_connect(&name, &options, timeout_ms, ret_handle);
}

#cgo noescape ipc_connect
#cgo nocallback ipc_connect
#cgo noescape lipc_pair
#cgo nocallback lipc_pair
*/
import "C"

import "time"

// Connect connects to a listener of this kind. err is that of r, and also says what is wrong with the name.
func Connect(name Name, kind Kind, system *ConnectSystem, timeout time.Duration) (handle uintptr, r Result, err error) {
	var h C.lipc_handle
	r = creating(func() Result {
		return Result(C.ipc_connect(name.Type.c(), text(name.Text), C.size_t(len(name.Text)), C.int(kind),
			system.options(), C.int(timeout.Milliseconds()), &h))
	})
	return uintptr(h), r, r.nameErr(name)
}

// Pair returns two ends. Each is the other's peer.
func Pair(kind Kind) (a, b uintptr, r Result) {
	var ha, hb C.lipc_handle
	r = creating(func() Result { return Result(C.lipc_pair(C.int(kind), &ha, &hb)) })
	return uintptr(ha), uintptr(hb), r
}
