//go:build unix

package core

/*
#include "core.h"
#include <lipc_unix.h>
#include <fcntl.h>
#include <sys/socket.h>

// What adopting a handle that a service manager passed changes.
typedef struct ipc_passed {
	int own, shared;
	int credentials; // -1 if the handle or the system has no such option
} ipc_passed;

static ipc_passed ipc_passed_get(lipc_handle handle) {
	ipc_passed p = {fcntl((int)handle, F_GETFD), fcntl((int)handle, F_GETFL), -1};
#ifdef SO_PASSCRED
	socklen_t length = sizeof p.credentials;
	getsockopt((int)handle, SOL_SOCKET, SO_PASSCRED, &p.credentials, &length);
#endif
	return p;
}

static void ipc_passed_restore(lipc_handle handle, ipc_passed p) {
	fcntl((int)handle, F_SETFD, p.own);
	fcntl((int)handle, F_SETFL, p.shared);
#ifdef SO_PASSCRED
	if (p.credentials >= 0)
		setsockopt((int)handle, SOL_SOCKET, SO_PASSCRED, &p.credentials, sizeof p.credentials);
#endif
}
*/
import "C"

import "unsafe"

// An Activated is a handle that a service manager passed.
type Activated struct {
	Handle uintptr
	Kind   Kind
	Name   string
	passed C.ipc_passed
}

// Restore undoes what adopting the handle changed.
func (a *Activated) Restore() { C.ipc_passed_restore(C.lipc_handle(a.Handle), a.passed) }

// Activation returns the handles that a service manager passed.
func Activation() ([]Activated, Result) {
	const first = 3 // sd_listen_fds(3)
	handOverEnvironment()
	r := Result(C.lipc_activation(0, nil))
	if r <= 0 {
		return nil, r
	}
	found, all := make([]Activated, r), make([]C.lipc_activated, r)
	for i := range found {
		found[i].passed = C.ipc_passed_get(C.lipc_handle(first + i))
	}
	if r = Result(C.lipc_activation(C.size_t(len(all)), unsafe.SliceData(all))); r < 0 {
		return nil, r
	}
	for i, a := range all {
		found[i].Handle, found[i].Kind, found[i].Name = uintptr(a.handle), Kind(a.kind), C.GoString(&a.name[0])
	}
	return found, 0
}
