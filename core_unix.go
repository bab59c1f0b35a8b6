//go:build cgo && unix

package ipc

// Every call into the Unix half of the C core. The functions given to C take char pointers: for void pointers cgo looks
// for the object behind the pointer, which is slow and refuses buffers that lie within a struct with pointers.

/*
#include "core.h"
#include <lipc_unix.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

static int ipc_listener_adopt(lipc_handle handle, unsigned mode, lipc_listener **ret_listener) {
	lipc_listen_options options = {sizeof options, mode, 0, 0};
	return lipc_listener_adopt(handle, &options, ret_listener);
}

// What travels with a payload, flat: without Go pointers in it, it can be passed as it is.
typedef struct ipc_ancillary {
	lipc_handle handles[LIPC_MESSAGE_HANDLES];
	size_t handle_count; // how many are sent, or wanted; then, how many arrived
	lipc_credentials credentials;
	bool with_credentials; // they are sent, or wanted
	lipc_name peer;
	bool with_peer;
	lipc_handle pidfd;
	size_t length; // of the payload received
	size_t control_length;
	char control[LIPC_CONTROL_SIZE];
} ipc_ancillary;

static int64_t ipc_send_message(lipc_handle handle, const lipc_buffer *buffers, size_t count, ipc_ancillary *a) {
	lipc_control control = {a->control, sizeof a->control, a->control_length, 0};
	lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = count, .handles = a->handles,
	                  .handle_count = a->handle_count, .control = &control};
	if (a->with_credentials)
		m.credentials = &a->credentials;
	if (a->with_peer)
		m.peer = &a->peer;
	return lipc_send_message(handle, &m, 0);
}

static int64_t ipc_receive_message(lipc_handle handle, const lipc_buffer *buffers, size_t count, ipc_ancillary *a) {
	lipc_control control = {a->control, sizeof a->control, 0, 0};
	lipc_message m = {.size = sizeof m, .buffers = buffers, .buffer_count = count, .handles = a->handles,
	                  .handle_capacity = a->handle_count, .credentials = &a->credentials, .peer = &a->peer,
	                  .pidfd = &a->pidfd, .control = &control};
	int64_t r = lipc_receive_message(handle, &m, 0);
	if (r >= 0) // otherwise there is another attempt
		a->handle_count = m.handle_count;
	a->length = m.length;
	a->control_length = control.length;
	return r;
}

static int64_t ipc_send_control(lipc_handle handle, const char *data, size_t size, char *control, size_t length) {
	lipc_buffer buffer = {(void *)data, size};
	lipc_control c = {control, length, length, 0};
	lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .control = &c};
	return lipc_send_message(handle, &m, 0);
}

static int64_t ipc_receive_control(lipc_handle handle, char *data, size_t size, char *control, size_t room,
                                   size_t *ret_length, size_t *ret_control_length) {
	lipc_buffer buffer = {data, size};
	lipc_control c = {control, room, 0, 0};
	lipc_message m = {.size = sizeof m, .buffers = &buffer, .buffer_count = 1, .control = &c};
	int64_t r = lipc_receive_message(handle, &m, 0);
	*ret_length = m.length;
	*ret_control_length = c.length;
	return r;
}

static int64_t ipc_send_to(lipc_handle handle, const char *data, size_t size, int type, const char *text, size_t length) {
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

static int ipc_control_add(char *control, size_t size, size_t *length, int level, int type, const char *data, size_t n) {
	lipc_control c = {control, size, *length, 0};
	int r = lipc_control_add(&c, level, type, data, n);
	*length = c.length;
	return r;
}

static int ipc_control_add_handles(char *control, size_t size, size_t *length, const lipc_handle *handles, size_t n) {
	lipc_control c = {control, size, *length, 0};
	int r = lipc_control_add_handles(&c, handles, n);
	*length = c.length;
	return r;
}

static int ipc_control_add_credentials(char *control, size_t size, size_t *length, int64_t pid, int64_t uid, int64_t gid) {
	lipc_control c = {control, size, *length, 0};
	lipc_credentials credentials = {pid, uid, gid, {-1, -1, -1, -1, -1}};
	int r = lipc_control_add_credentials(&c, &credentials);
	*length = c.length;
	return r;
}

// An item, flat: where its data begins.
typedef struct ipc_item {
	int kind, level, type;
	size_t offset, size;
} ipc_item;

static int ipc_control_next(char *control, size_t length, size_t *position, ipc_item *ret_item) {
	lipc_control c = {control, length, length, *position};
	lipc_control_item item;
	int r = lipc_control_next(&c, &item);
	if (r > 0)
		*ret_item = (ipc_item){item.kind, item.level, item.type, (size_t)(item.data - control), item.size};
	*position = c.position;
	return r;
}

static int ipc_control_take(char *control, const ipc_item *i, lipc_handle *ret_handles, size_t capacity) {
	lipc_control_item item = {i->kind, i->level, i->type, control + i->offset, i->size};
	return lipc_control_take(&item, ret_handles, capacity);
}

static int ipc_control_credentials(char *control, const ipc_item *i, lipc_credentials *ret_credentials) {
	lipc_control_item item = {i->kind, i->level, i->type, control + i->offset, i->size};
	return lipc_control_credentials(&item, ret_credentials);
}

static void ipc_control_close(char *control, size_t length) {
	lipc_control c = {control, length, length, 0};
	lipc_control_close(&c);
}

// What is changed of a handle that a service manager passed when it is made ours.
typedef struct ipc_passed {
	int own, shared;
	int credentials; // -1 where it means nothing
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

#cgo noescape ipc_send_message
#cgo nocallback ipc_send_message
#cgo noescape ipc_receive_message
#cgo nocallback ipc_receive_message
#cgo noescape ipc_send_control
#cgo nocallback ipc_send_control
#cgo noescape ipc_receive_control
#cgo nocallback ipc_receive_control
#cgo noescape ipc_send_to
#cgo nocallback ipc_send_to
#cgo noescape ipc_receive_from
#cgo nocallback ipc_receive_from
#cgo noescape ipc_datagram_connect
#cgo nocallback ipc_datagram_connect
#cgo noescape ipc_control_add
#cgo nocallback ipc_control_add
#cgo noescape ipc_control_add_handles
#cgo nocallback ipc_control_add_handles
#cgo noescape ipc_control_add_credentials
#cgo nocallback ipc_control_add_credentials
#cgo noescape ipc_control_next
#cgo nocallback ipc_control_next
#cgo noescape ipc_control_take
#cgo nocallback ipc_control_take
#cgo noescape ipc_control_credentials
#cgo nocallback ipc_control_credentials
#cgo noescape ipc_control_close
#cgo nocallback ipc_control_close
*/
import "C"

import (
	"io/fs"
	"syscall"
	"unsafe"
)

type (
	coreHandle = C.lipc_handle
	coreName   = C.lipc_name
)

// The constant has to be there on systems that have no lipc_unix.h, too.
var _ = [1]struct{}{}[ControlSize-C.LIPC_CONTROL_SIZE]

// A coreItem is a piece of control data.
type coreItem struct{ c C.ipc_item }

// A coreAncillary is what travels with a payload.
type coreAncillary struct{ c C.ipc_ancillary }

func coreListenerAdopt(handle uintptr, mode uint32) (l *coreListener, r result) {
	r = result(C.ipc_listener_adopt(C.lipc_handle(handle), C.uint(mode), &l))
	return l, r
}

func coreSendMessage(handle uintptr, buffers []coreBuffer, a *coreAncillary) result {
	return result(C.ipc_send_message(C.lipc_handle(handle), unsafe.SliceData(buffers), C.size_t(len(buffers)), &a.c))
}

func coreReceiveMessage(handle uintptr, buffers []coreBuffer, a *coreAncillary) result {
	return creating(func() result {
		return result(C.ipc_receive_message(C.lipc_handle(handle), unsafe.SliceData(buffers), C.size_t(len(buffers)), &a.c))
	})
}

func coreSendControl(handle uintptr, b, control []byte) result {
	return result(C.ipc_send_control(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b)),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control))))
}

// coreReceiveControl returns the length of the payload and of the control data too, also after some errors.
func coreReceiveControl(handle uintptr, b, control []byte) (n, length int, r result) {
	var size, controlSize C.size_t
	r = creating(func() result {
		return result(C.ipc_receive_control(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))),
			C.size_t(len(b)), (*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)), &size, &controlSize))
	})
	return int(size), int(controlSize), r
}

func coreSendTo(handle uintptr, b []byte, peer Name) result {
	return result(C.ipc_send_to(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.size_t(len(b)),
		C.int(peer.types), cstring(peer.text), C.size_t(len(peer.text))))
}

func coreReceiveFrom(handle uintptr, b []byte, peer *coreName) result {
	return result(C.ipc_receive_from(C.lipc_handle(handle), (*C.char)(unsafe.Pointer(unsafe.SliceData(b))),
		C.size_t(len(b)), peer))
}

// coreSplice moves at most size bytes, 0 at the end of from; one of the two is a pipe.
func coreSplice(from, to uintptr, size int64) result {
	return result(C.lipc_splice(C.lipc_handle(from), C.lipc_handle(to), C.size_t(size), 0))
}

func coreDatagram() (handle uintptr, r result) {
	var h C.lipc_handle
	r = creating(func() result { return result(C.lipc_datagram(&h)) })
	return uintptr(h), r
}

func coreDatagramConnect(handle uintptr, peer Name) result {
	return result(C.ipc_datagram_connect(C.lipc_handle(handle), C.int(peer.types), cstring(peer.text),
		C.size_t(len(peer.text))))
}

// coreControlAdd and its kin write behind what is in control, and return the new length.
func coreControlAdd(control []byte, length, level, typ int, data []byte) (int, result) {
	n := C.size_t(length)
	r := C.ipc_control_add((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)), &n, C.int(level),
		C.int(typ), (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.size_t(len(data)))
	return int(n), result(r)
}

func coreControlAddHandles(control []byte, length int, handles []coreHandle) (int, result) {
	n := C.size_t(length)
	r := C.ipc_control_add_handles((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)), &n,
		unsafe.SliceData(handles), C.size_t(len(handles)))
	return int(n), result(r)
}

func coreControlAddCredentials(control []byte, length int, c Credentials) (int, result) {
	n := C.size_t(length)
	r := C.ipc_control_add_credentials((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)), &n,
		C.int64_t(c.PID), C.int64_t(c.UID), C.int64_t(c.GID))
	return int(n), result(r)
}

// coreControlNext finds the next item, and moves position behind it.
func coreControlNext(control []byte, position *int, item *coreItem) result {
	at := C.size_t(*position)
	r := C.ipc_control_next((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)), &at, &item.c)
	*position = int(at)
	return result(r)
}

func coreControlTake(control []byte, item *coreItem, handles []coreHandle) int {
	return int(C.ipc_control_take((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), &item.c, unsafe.SliceData(handles),
		C.size_t(len(handles))))
}

func coreControlCredentials(control []byte, item *coreItem) (Credentials, bool) {
	var c C.lipc_credentials
	r := C.ipc_control_credentials((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), &item.c, &c)
	return Credentials{PID: int(c.pid), UID: int(c.uid), GID: int(c.gid)}, r >= 0
}

func coreControlClose(control []byte) {
	C.ipc_control_close((*C.char)(unsafe.Pointer(unsafe.SliceData(control))), C.size_t(len(control)))
}

func coreSetPassCredentials(handle uintptr, on bool) result {
	return result(C.lipc_set_pass_credentials(C.lipc_handle(handle), cint(on)))
}

func coreSetPassPIDFD(handle uintptr, on bool) result {
	return result(C.lipc_set_pass_pidfd(C.lipc_handle(handle), cint(on)))
}

func corePeerPIDFD(handle uintptr) (pidfd uintptr, r result) {
	var h C.lipc_handle
	r = result(C.lipc_peer_pidfd(C.lipc_handle(handle), &h))
	return uintptr(h), r
}

func coreFIFOCreate(path string, mode uint32) result {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	return result(C.lipc_fifo_create(text, C.uint32_t(mode)))
}

func coreFIFOOpenReader(path string) (handle uintptr, r result) {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	var h C.lipc_handle
	r = creating(func() result { return result(C.lipc_fifo_open_reader(text, &h)) })
	return uintptr(h), r
}

func coreFIFOOpenWriter(path string) (handle uintptr, r result) {
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	var h C.lipc_handle
	r = creating(func() result { return result(C.lipc_fifo_open_writer(text, 0, &h)) })
	return uintptr(h), r
}

func coreFIFOWaitWriter(handle uintptr) result {
	return result(C.lipc_fifo_wait_writer(C.lipc_handle(handle), 0))
}

// An activated is a handle that a service manager passed.
type activated struct {
	handle uintptr
	kind   result
	name   string
	passed C.ipc_passed
}

// restore makes the handle what it was.
func (a *activated) restore() { C.ipc_passed_restore(C.lipc_handle(a.handle), a.passed) }

func coreActivation() ([]activated, result) {
	const first = 3 // sd_listen_fds(3)
	r := result(C.lipc_activation(0, nil))
	if r <= 0 {
		return nil, r
	}
	found, all := make([]activated, r), make([]C.lipc_activated, r)
	for i := range found {
		found[i].passed = C.ipc_passed_get(C.lipc_handle(first + i))
	}
	if r = result(C.lipc_activation(C.size_t(len(all)), unsafe.SliceData(all))); r < 0 {
		return nil, r
	}
	for i, a := range all {
		found[i].handle, found[i].kind, found[i].name = uintptr(a.handle), result(a.kind), C.GoString(&a.name[0])
	}
	return found, 0
}

// keyLength is the size of a name in memory, without what is not used of it.
func keyLength(name *coreName) int { return int(unsafe.Offsetof(name.text)) + int(name.length) }

func (a *coreAncillary) setCredentials(c *Credentials) {
	a.c.credentials.pid, a.c.credentials.uid, a.c.credentials.gid = C.int64_t(c.PID), C.int64_t(c.UID), C.int64_t(c.GID)
}

func (a *coreAncillary) senderCredentials() Credentials {
	return Credentials{PID: int(a.c.credentials.pid), UID: int(a.c.credentials.uid), GID: int(a.c.credentials.gid)}
}

// setPeer takes a name that is valid.
func (a *coreAncillary) setPeer(name Name) {
	a.c.peer._type, a.c.peer.length = C.uint32_t(name.types), C.uint32_t(len(name.text))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&a.c.peer.text[0])), len(a.c.peer.text)), name.text)
}

func (a *coreAncillary) controlData() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&a.c.control[0])), len(a.c.control))
}

func (i *coreItem) isOther() bool            { return i.c.kind == C.LIPC_CONTROL_OTHER }
func (i *coreItem) levelNumber() int         { return int(i.c.level) }
func (i *coreItem) typeNumber() int          { return int(i.c._type) }
func (i *coreItem) bounds() (start, end int) { return int(i.c.offset), int(i.c.offset + i.c.size) }

// systemErr is the system's number, which is what programs look for.
func (r result) systemErr(number syscall.Errno) error {
	switch r.code() {
	case C.LIPC_EACCES:
		return matching(number, fs.ErrPermission)
	case C.LIPC_ENOENT:
		return matching(number, fs.ErrNotExist)
	}
	return number
}
