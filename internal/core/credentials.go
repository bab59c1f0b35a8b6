package core

/*
#include "core.h"

#cgo noescape lipc_peer_credentials
#cgo nocallback lipc_peer_credentials
#cgo noescape lipc_peer_groups
#cgo nocallback lipc_peer_groups
*/
import "C"

import "unsafe"

// Credentials are the identity of a process. An ID that is not known is -1.
type Credentials struct {
	PID, UID, GID int
	Groups        []int
	SID           string
	Administrator bool
}

// NoCredentials are those of a peer about which nothing is known. The zero Credentials would be those of root.
var NoCredentials = Credentials{PID: -1, UID: -1, GID: -1}

func goCredentials(c *C.lipc_credentials) Credentials {
	return Credentials{PID: int(c.pid), UID: int(c.uid), GID: int(c.gid)}
}

func cCredentials(c Credentials) C.lipc_credentials {
	return C.lipc_credentials{pid: C.int64_t(c.PID), uid: C.int64_t(c.UID), gid: C.int64_t(c.GID),
		reserved: [5]C.int64_t{-1, -1, -1, -1, -1}}
}

// peerCredentials returns the part of the peer's credentials that every system reports.
func peerCredentials(handle uintptr) (Credentials, Result) {
	var c C.lipc_credentials
	if r := Result(C.lipc_peer_credentials(C.lipc_handle(handle), &c)); r < 0 {
		return NoCredentials, r
	}
	credentials := goCredentials(&c)
	groups, r := peerGroups(handle)
	if r < 0 {
		return NoCredentials, r
	}
	credentials.Groups = groups
	return credentials, 0
}

// peerGroups returns the peer's supplementary groups, or nil if the system does not report them.
func peerGroups(handle uintptr) ([]int, Result) {
	found := make([]C.uint32_t, 32)
	for {
		r := Result(C.lipc_peer_groups(C.lipc_handle(handle), C.size_t(len(found)), unsafe.SliceData(found)))
		if r.Unsupported() {
			return nil, 0
		}
		if r < 0 {
			return nil, r
		}
		if int(r) <= len(found) {
			groups := make([]int, r)
			for i, group := range found[:r] {
				groups[i] = int(group)
			}
			return groups, 0
		}
		found = make([]C.uint32_t, r)
	}
}
