package core

/*
#include "core.h"

static int ipc_policy_check(int peers, const uint32_t *uids, size_t uid_count, int64_t uid, const char *sid) {
	lipc_peer_policy policy = {.size = sizeof policy, .peers = peers, .uid_count = uid_count, .uids = uids};
	return lipc_peer_policy_check(&policy, uid, sid);
}

#cgo noescape ipc_policy_check
#cgo nocallback ipc_policy_check
*/
import "C"

import "unsafe"

// Peers is a set of users: enum lipc_peers.
type Peers int

const (
	SameUser Peers = C.LIPC_PEERS_SAME_USER
	Admin    Peers = C.LIPC_PEERS_ADMIN
)

// Admit reports whether a peer is in a set of users, or listed.
func (p Peers) Admit(c Credentials, uids []uint32) bool {
	if p&Admin != 0 && c.Administrator {
		return true
	}
	var sid *C.char
	if c.SID != "" {
		sid = C.CString(c.SID)
		defer C.free(unsafe.Pointer(sid))
	}
	first := (*C.uint32_t)(unsafe.Pointer(unsafe.SliceData(uids)))
	return C.ipc_policy_check(C.int(p), first, C.size_t(len(uids)), C.int64_t(c.UID), sid) >= 0
}
