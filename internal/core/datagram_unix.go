//go:build unix

package core

/*
#include "core.h"
#include <lipc_unix.h>

static int64_t ipc_send_to(lipc_handle handle, const char *data, size_t size, int type, const char *text,
                           size_t length) {
	lipc_name name;
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_send_to(handle, data, size, &name, 0);
}

static int64_t ipc_receive_from(lipc_handle handle, char *data, size_t size, lipc_name *ret_peer) {
	return lipc_receive_from(handle, data, size, 0, ret_peer);
}

static int ipc_datagram_connect(lipc_handle handle, int type, const char *text, size_t length) {
	lipc_name name;
	if (type == 0)
		return lipc_datagram_connect(handle, NULL);
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_datagram_connect(handle, &name);
}

#cgo noescape ipc_send_to
#cgo nocallback ipc_send_to
#cgo noescape ipc_receive_from
#cgo nocallback ipc_receive_from
#cgo noescape ipc_datagram_connect
#cgo nocallback ipc_datagram_connect
*/
import "C"

// OpenDatagram returns a datagram socket that is neither bound nor connected.
func OpenDatagram() (handle uintptr, r Result) {
	var h C.lipc_handle
	r = creating(func() Result { return Result(C.lipc_datagram(&h)) })
	return uintptr(h), r
}

// ConnectDatagram connects a socket to a peer. The zero Name dissolves the connection.
func ConnectDatagram(handle uintptr, peer Name) error {
	return Result(C.ipc_datagram_connect(C.lipc_handle(handle), peer.Type.c(), text(peer.Text),
		C.size_t(len(peer.Text)))).nameErr(peer)
}

// SendTo sends a datagram to a peer.
func SendTo(handle uintptr, b []byte, peer Name) Result {
	return Result(C.ipc_send_to(C.lipc_handle(handle), char(b), C.size_t(len(b)), peer.Type.c(), text(peer.Text),
		C.size_t(len(peer.Text))))
}

// ReceiveFrom receives a datagram, and stores the name of its sender.
func ReceiveFrom(handle uintptr, b []byte, from *SocketName) Result {
	return Result(C.ipc_receive_from(C.lipc_handle(handle), char(b), C.size_t(len(b)), &from.c))
}
