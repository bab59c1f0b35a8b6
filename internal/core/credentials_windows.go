package core

/*
#include "core.h"

static int ipc_check_admin(lipc_handle handle) {
	const lipc_peer_policy admins = {.size = sizeof admins, .peers = LIPC_PEERS_ADMIN};
	return lipc_peer_check(handle, &admins);
}

#cgo noescape lipc_peer_sid
#cgo nocallback lipc_peer_sid
*/
import "C"

import "syscall"

// PeerCredentials returns the identity of the peer. With [syscall.EAGAIN] it returns what is known before anything was
// read.
func PeerCredentials(handle uintptr) (Credentials, error) {
	credentials, r := peerCredentials(handle)
	if r < 0 {
		return NoCredentials, r.Err()
	}
	var sid [C.LIPC_SID_CAPACITY]C.char
	switch r = Result(C.lipc_peer_sid(C.lipc_handle(handle), &sid[0], C.size_t(len(sid)))); {
	case r >= 0:
		credentials.SID = C.GoString(&sid[0])
		credentials.Administrator = C.ipc_check_admin(C.lipc_handle(handle)) >= 0 // the SID does not show the groups
	case r.is(C.LIPC_EACCES): // the client hides its user, or the handle does not have READ_CONTROL
	case r.Busy():
		return credentials, &codeError{"nothing has been read from the client yet, before which its user is not known",
			r.number(), syscall.EAGAIN}
	default:
		return NoCredentials, r.Err()
	}
	return credentials, nil
}
