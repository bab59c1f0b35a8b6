//go:build unix

package core

/*
#include "core.h"
#include <lipc_unix.h>

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

static int ipc_control_add(char *control, size_t size, size_t *length, int level, int type, const char *data,
                           size_t n) {
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

static int ipc_control_add_credentials(char *control, size_t size, size_t *length,
                                       const lipc_credentials *credentials) {
	lipc_control c = {control, size, *length, 0};
	int r = lipc_control_add_credentials(&c, credentials);
	*length = c.length;
	return r;
}

// An item, with the offset of its data in the buffer in place of a pointer.
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

#cgo noescape ipc_send_control
#cgo nocallback ipc_send_control
#cgo noescape ipc_receive_control
#cgo nocallback ipc_receive_control
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

import "unsafe"

var _ = [1]struct{}{}[ControlSize-C.LIPC_CONTROL_SIZE]

// add performs a call that adds to the buffer.
func (b *ControlBuffer) add(call func(control *C.char, size C.size_t, length *C.size_t) C.int) Result {
	length := C.size_t(b.Length)
	r := call(char(b.Memory), C.size_t(len(b.Memory)), &length)
	b.Length = int(length)
	return Result(r)
}

// Add adds data of a level and type.
func (b *ControlBuffer) Add(level, typ int, data []byte) Result {
	return b.add(func(control *C.char, size C.size_t, length *C.size_t) C.int {
		return C.ipc_control_add(control, size, length, C.int(level), C.int(typ), char(data), C.size_t(len(data)))
	})
}

// AddHandles adds handles.
func (b *ControlBuffer) AddHandles(handles []uintptr) Result {
	return b.add(func(control *C.char, size C.size_t, length *C.size_t) C.int {
		return C.ipc_control_add_handles(control, size, length, chandles(handles), C.size_t(len(handles)))
	})
}

// AddCredentials adds credentials.
func (b *ControlBuffer) AddCredentials(c Credentials) Result {
	credentials := cCredentials(c)
	return b.add(func(control *C.char, size C.size_t, length *C.size_t) C.int {
		return C.ipc_control_add_credentials(control, size, length, &credentials)
	})
}

// A ControlItem is one item of control data.
type ControlItem struct{ c C.ipc_item }

// NextControl reads the item at position, and moves position behind it.
func NextControl(control []byte, position *int, item *ControlItem) Result {
	at := C.size_t(*position)
	r := C.ipc_control_next(char(control), C.size_t(len(control)), &at, &item.c)
	*position = int(at)
	return Result(r)
}

// Level returns the item's level.
func (i *ControlItem) Level() int { return int(i.c.level) }

// Type returns the item's type.
func (i *ControlItem) Type() int { return int(i.c._type) }

// Data returns the item's data, which lies within control.
func (i *ControlItem) Data(control []byte) []byte {
	end := i.c.offset + i.c.size
	return control[i.c.offset:end:end]
}

// Take takes handles out of the item.
func (i *ControlItem) Take(control []byte, handles []uintptr) int {
	return int(C.ipc_control_take(char(control), &i.c, chandles(handles), C.size_t(len(handles))))
}

// Credentials returns the credentials in the item, and whether it has any.
func (i *ControlItem) Credentials(control []byte) (Credentials, bool) {
	var c C.lipc_credentials
	r := C.ipc_control_credentials(char(control), &i.c, &c)
	return goCredentials(&c), r >= 0
}

// CloseControl closes the handles in control data that were not taken.
func CloseControl(control []byte) { C.ipc_control_close(char(control), C.size_t(len(control))) }

// SendControl sends a payload with control data.
func SendControl(handle uintptr, b, control []byte) Result {
	return Result(C.ipc_send_control(C.lipc_handle(handle), char(b), C.size_t(len(b)), char(control),
		C.size_t(len(control))))
}

// ReceiveControl receives a payload and control data. It returns the lengths of both, also after some errors.
func ReceiveControl(handle uintptr, b, control []byte) (n, length int, r Result) {
	var size, controlSize C.size_t
	r = creating(func() Result {
		return Result(C.ipc_receive_control(C.lipc_handle(handle), char(b), C.size_t(len(b)), char(control),
			C.size_t(len(control)), &size, &controlSize))
	})
	return int(size), int(controlSize), r
}

func chandles(handles []uintptr) *C.lipc_handle {
	return (*C.lipc_handle)(unsafe.Pointer(unsafe.SliceData(handles)))
}
