//go:build unix

package core

// #include "core.h"
// #include <lipc_unix.h>
import "C"

// PeerCredentials returns the identity of the peer.
func PeerCredentials(handle uintptr) (Credentials, error) {
	credentials, r := peerCredentials(handle)
	return credentials, r.Err()
}

// PeerPIDFD returns a pidfd of the peer.
func PeerPIDFD(handle uintptr) (pidfd uintptr, r Result) {
	var h C.lipc_handle
	r = Result(C.lipc_peer_pidfd(C.lipc_handle(handle), &h))
	return uintptr(h), r
}

// SetPassCredentials sets whether messages are received with their sender's credentials.
func SetPassCredentials(handle uintptr, on bool) Result {
	return Result(C.lipc_set_pass_credentials(C.lipc_handle(handle), cint(on)))
}

// SetPassPIDFD sets whether messages are received with a pidfd of their sender.
func SetPassPIDFD(handle uintptr, on bool) Result {
	return Result(C.lipc_set_pass_pidfd(C.lipc_handle(handle), cint(on)))
}
