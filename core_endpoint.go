//go:build cgo

package ipc

// Calls into the C core that are the same on all systems: endpoints, and what is read and written. The functions given to C
// take char pointers: for void pointers cgo looks for the object behind the pointer, which is slow and refuses buffers that
// lie within a struct with pointers. Those that read and write are not declared noescape and nocallback, since their buffers
// are on the heap already, and it would cost each call two more, into the runtime, to see that nocallback is kept.

/*
#include "core.h"

static int ipc_listen(int type, const char *text, size_t length, unsigned mode, int backlog, int kind,
                      const struct lipc_listen_windows *windows, lipc_listener **ret_listener) {
	lipc_name name;
	lipc_listen_options options = {sizeof options, mode, backlog, kind, windows};
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_listen(&name, &options, ret_listener);
}

static int ipc_connect(int type, const char *text, size_t length, int kind,
                       const struct lipc_connect_windows *windows, int timeout_ms, lipc_handle *ret_handle) {
	lipc_name name;
	lipc_connect_options options = {sizeof options, kind, windows};
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_connect(&name, &options, timeout_ms, ret_handle);
}

static int64_t ipc_read(lipc_handle handle, char *data, size_t size) {
	return lipc_read(handle, data, size, 0);
}

static int64_t ipc_write(lipc_handle handle, const char *data, size_t size) {
	return lipc_write(handle, data, size, 0);
}

static int64_t ipc_send(lipc_handle handle, const char *data, size_t size) {
	return lipc_send(handle, data, size, 0);
}

static int64_t ipc_receive(lipc_handle handle, char *data, size_t size) {
	return lipc_receive(handle, data, size, 0);
}

static int64_t ipc_peek(lipc_handle handle, char *data, size_t size) {
	return lipc_peek(handle, data, size, 0);
}

static int64_t ipc_pipe_read(lipc_handle handle, char *data, size_t size) {
	return lipc_pipe_readv(handle, &(lipc_buffer){data, size}, 1, 0);
}

static int64_t ipc_pipe_write(lipc_handle handle, const char *data, size_t size) {
	return lipc_pipe_writev(handle, &(lipc_buffer){(void *)(uintptr_t)data, size}, 1, 0);
}

static int ipc_pipe(int inherit, int buffer_size, const char *sddl, lipc_handle *ret_read, lipc_handle *ret_write) {
	lipc_pipe_options options = {sizeof options, inherit, buffer_size, sddl};
	return lipc_pipe(&options, ret_read, ret_write);
}

#cgo noescape ipc_listen
#cgo nocallback ipc_listen
#cgo noescape ipc_connect
#cgo nocallback ipc_connect
#cgo noescape lipc_accept
#cgo nocallback lipc_accept
#cgo noescape lipc_pair
#cgo nocallback lipc_pair
#cgo noescape lipc_local_name
#cgo nocallback lipc_local_name
#cgo noescape lipc_peer_name
#cgo nocallback lipc_peer_name
#cgo noescape lipc_peer_credentials
#cgo nocallback lipc_peer_credentials
#cgo noescape lipc_peer_groups
#cgo nocallback lipc_peer_groups
*/
import "C"

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// kindListener is added to the kind of what a listener accepts.
const kindListener result = C.LIPC_LISTENER

type (
	coreListener = C.lipc_listener
	coreBuffer   = C.lipc_buffer
	coreSize     = C.size_t
)

// creating wraps a call that makes descriptors. Where they cannot be born close-on-exec, no process may be
// started in between.
func creating(call func() result) result {
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	return call()
}

func coreConnect(name Name, kind result, sys *SysDial, timeout time.Duration) (handle uintptr, r result) {
	var h C.lipc_handle
	r = creating(func() result {
		return result(C.ipc_connect(C.int(name.types), cstring(name.text), C.size_t(len(name.text)), C.int(kind), sys.core(),
			C.int(timeout.Milliseconds()), &h))
	})
	return uintptr(h), r
}

func coreListen(name Name, lc *ListenConfig, kind result) (l *coreListener, r result) {
	sys, free := lc.Sys.core()
	defer free()
	r = creating(func() result {
		return result(C.ipc_listen(C.int(name.types), cstring(name.text), C.size_t(len(name.text)), C.uint(lc.Mode),
			C.int(min(lc.Backlog, 1<<30)), C.int(kind), sys, &l))
	})
	return l, r
}

func coreListenerDetach(l *coreListener) uintptr { return uintptr(C.lipc_listener_detach(l)) }

func coreListenerName(l *coreListener) Name {
	var name C.lipc_name
	C.lipc_listener_name(l, &name)
	return goName(&name)
}

func coreListenerSetUnlink(l *coreListener, unlink bool) {
	C.lipc_listener_set_unlink(l, cint(unlink))
}

func cint(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

func coreListenerClose(l *coreListener) { C.lipc_listener_close(l) }

func coreAccept(l *coreListener) (handle uintptr, peer Name, r result) {
	var h C.lipc_handle
	var name C.lipc_name
	r = creating(func() result { return result(C.lipc_accept(l, 0, &name, &h)) })
	if r >= 0 {
		peer = goName(&name)
	}
	return uintptr(h), peer, r
}

func corePair(kind result) (a, b uintptr, r result) {
	var ha, hb C.lipc_handle
	r = creating(func() result { return result(C.lipc_pair(C.int(kind), &ha, &hb)) })
	return uintptr(ha), uintptr(hb), r
}

func coreRead(handle uintptr, b []byte) result {
	return result(C.ipc_read(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

func coreWrite(handle uintptr, b []byte) result {
	return result(C.ipc_write(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

// corePipeRead and corePipeWrite are for pipes alone, and take fewer system calls for them.
func corePipeRead(handle uintptr, b []byte) result {
	return result(C.ipc_pipe_read(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

func corePipeWrite(handle uintptr, b []byte) result {
	return result(C.ipc_pipe_write(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

func coreReadBuffers(handle uintptr, buffers []coreBuffer) result {
	return result(C.lipc_readv(C.lipc_handle(handle), unsafe.SliceData(buffers), C.size_t(len(buffers)), 0))
}

func coreWriteBuffers(handle uintptr, buffers []coreBuffer) result {
	return result(C.lipc_writev(C.lipc_handle(handle), unsafe.SliceData(buffers), C.size_t(len(buffers)), 0))
}

func coreSend(handle uintptr, b []byte) result {
	return result(C.ipc_send(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

func coreReceive(handle uintptr, b []byte) result {
	return result(C.ipc_receive(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

func corePeek(handle uintptr, b []byte) result {
	return result(C.ipc_peek(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b))))
}

// A coreSpin is how a direction polls before it waits.
type coreSpin struct{ c C.lipc_spin }

// again reports whether to make the call once more that had this result.
func (s *coreSpin) again(r result) bool { return C.lipc_spin_again(&s.c, C.int64_t(r)) != 0 }

func (s *coreSpin) limit(microseconds uint32) { s.c.limit_us = C.uint32_t(microseconds) }

func corePipe(pc *PipeConfig) (read, write uintptr, r result) {
	var hr, hw C.lipc_handle
	var inherit C.int
	if pc.InheritReader {
		inherit |= C.LIPC_READ
	}
	if pc.InheritWriter {
		inherit |= C.LIPC_WRITE
	}
	sddl, free := pc.Sys.core()
	defer free()
	r = creating(func() result {
		return result(C.ipc_pipe(inherit, C.int(min(pc.BufferSize, 1<<30)), sddl, &hr, &hw))
	})
	return uintptr(hr), uintptr(hw), r
}

func coreMessageSize(handle uintptr) result {
	return result(C.lipc_message_size(C.lipc_handle(handle), 0))
}

func coreMessageLimit(handle uintptr) result {
	return result(C.lipc_message_limit(C.lipc_handle(handle)))
}

func coreShutdown(handle uintptr, direction int) result {
	return result(C.lipc_shutdown(C.lipc_handle(handle), C.int(direction)))
}

func coreSetBufferSize(handle uintptr, direction, size int) result {
	size = min(size, 1<<30)
	return result(C.lipc_set_buffer_size(C.lipc_handle(handle), C.int(direction), C.int(size)))
}

func coreDuplicate(handle uintptr) (duplicate uintptr, r result) {
	var h C.lipc_handle
	r = creating(func() result { return result(C.lipc_duplicate(C.lipc_handle(handle), &h)) })
	return uintptr(h), r
}

func coreKind(handle uintptr) result { return result(C.lipc_kind(C.lipc_handle(handle))) }

func coreAdopt(handle uintptr) result { return result(C.lipc_adopt(C.lipc_handle(handle))) }

func coreClose(handle uintptr) { C.lipc_close(C.lipc_handle(handle)) }

func coreNames(handle uintptr) (local, remote Name) {
	var name C.lipc_name
	if C.lipc_local_name(C.lipc_handle(handle), &name) >= 0 {
		local = goName(&name)
	}
	if C.lipc_peer_name(C.lipc_handle(handle), &name) >= 0 {
		remote = goName(&name)
	}
	return local, remote
}

func corePeerCredentials(handle uintptr) (Credentials, result) {
	var c C.lipc_credentials
	if r := result(C.lipc_peer_credentials(C.lipc_handle(handle), &c)); r < 0 {
		return Credentials{}, r
	}
	credentials := Credentials{PID: int(c.pid), UID: int(c.uid), GID: int(c.gid)}
	groups := make([]C.uint32_t, 32)
	for {
		r := result(C.lipc_peer_groups(C.lipc_handle(handle), C.size_t(len(groups)), unsafe.SliceData(groups)))
		if r.code() == C.LIPC_ENOTSUP {
			return credentials, 0
		}
		if r < 0 {
			return Credentials{}, r
		}
		if int(r) <= len(groups) {
			credentials.Groups = make([]int, r)
			for i, group := range groups[:r] {
				credentials.Groups[i] = int(group)
			}
			return credentials, 0
		}
		groups = make([]C.uint32_t, r)
	}
}

func goName(name *C.lipc_name) Name {
	if name.length == 0 {
		return Name{}
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&name.text[0])), name.length)
	if NameTypes(name._type) == PathNames {
		return Path(string(text))
	}
	return Namespaced(string(text))
}
