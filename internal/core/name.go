package core

/*
#include "core.h"

static int ipc_check_name(int type, const char *text, size_t length) {
	lipc_name name;
	return ipc_name(type, text, length, &name);
}

static int ipc_name_location(int type, const char *text, size_t length, char *buffer, size_t size) {
	lipc_name name;
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_name_location(&name, buffer, size);
}

static int ipc_name_obstacle(int type, const char *text, size_t length, int kind, int64_t *ret_pid) {
	lipc_name name;
	int r = ipc_name(type, text, length, &name);
	return r < 0 ? r : lipc_name_obstacle(&name, kind, ret_pid);
}

#cgo noescape ipc_name_obstacle
#cgo nocallback ipc_name_obstacle
#cgo noescape ipc_name_location
#cgo nocallback ipc_name_location
#cgo noescape ipc_check_name
#cgo nocallback ipc_check_name
#cgo noescape lipc_local_name
#cgo nocallback lipc_local_name
#cgo noescape lipc_peer_name
#cgo nocallback lipc_peer_name
*/
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// A Name is a name for the C core. The zero Name stands for no name.
type Name struct {
	Type NameType
	Text string
}

// A NameType is a type of name: enum lipc_name_type.
type NameType uint8

const (
	PathName       NameType = C.LIPC_NAME_PATH
	NamespacedName NameType = C.LIPC_NAME_NAMESPACED
	UserName       NameType = C.LIPC_NAME_USER
	SystemName     NameType = C.LIPC_NAME_SYSTEM
)

// c returns the type for a call of C, which finds the directory of such a name in the environment.
func (t NameType) c() C.int {
	if t.fromEnvironment() {
		handOverEnvironment()
	}
	return C.int(t)
}

// Limit returns the greatest length of a name of this type.
func (t NameType) Limit() (int, error) {
	r := Result(C.lipc_name_limit(t.c()))
	return int(max(r, 0)), r.Err()
}

// Check returns an error for a name that this system cannot have.
func (n Name) Check() error {
	return Result(C.ipc_check_name(n.Type.c(), text(n.Text), C.size_t(len(n.Text)))).nameErr(n)
}

// Location returns the path by which other programs reach the name.
func (n Name) Location() (string, error) {
	buffer := make([]byte, C.LIPC_NAME_CAPACITY)
	r := Result(C.ipc_name_location(n.Type.c(), text(n.Text), C.size_t(len(n.Text)), char(buffer),
		C.size_t(len(buffer))))
	return string(buffer[:max(r, 0)]), r.nameErr(n)
}

// obstacles are what may be in the way of a listener, in words.
var obstacles = map[Result]string{
	C.LIPC_OBSTACLE_SERVER:     "a living server has the name",
	C.LIPC_OBSTACLE_FILE:       "a file that is not a socket has the name",
	C.LIPC_OBSTACLE_DIRECTORY:  "a directory has the name",
	C.LIPC_OBSTACLE_OTHER_USER: "a file of another user has the name, or that of its lock",
	C.LIPC_OBSTACLE_LOCK:       "the lock file beside the name is held, or is not one",
}

// Obstacle says what is in the way of a listener on the name, empty if that is not known.
func (n Name) Obstacle(kind Kind) string {
	pid := C.int64_t(-1)
	r := Result(C.ipc_name_obstacle(n.Type.c(), text(n.Text), C.size_t(len(n.Text)), C.int(kind), &pid))
	if pid > 0 && obstacles[r] != "" {
		return fmt.Sprintf("%s, process %d", obstacles[r], pid)
	}
	return obstacles[r]
}

// text returns the text for C, without a NUL. It is valid during a call that also gets its length.
func text(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }

// A SocketName is memory for a name that the C core stores.
type SocketName struct{ c C.lipc_name }

// Bytes returns the used part of the memory, which includes the type. Equal names have equal bytes, so it can serve as
// a key. It is valid as long as n does not change.
func (n *SocketName) Bytes() []byte {
	size := unsafe.Offsetof(n.c.text) + uintptr(n.c.length)
	return unsafe.Slice((*byte)(unsafe.Pointer(n)), size)
}

// Name returns the name.
func (n *SocketName) Name() Name { return goName(&n.c) }

// SetName stores a name, which must be valid.
func (n *SocketName) SetName(name Name) {
	n.c._type, n.c.length = C.uint32_t(name.Type.c()), C.uint32_t(len(name.Text))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&n.c.text[0])), len(n.c.text)), name.Text)
}

func goName(name *C.lipc_name) Name {
	if name.length == 0 {
		return Name{}
	}
	return Name{NameType(name._type), string(unsafe.Slice((*byte)(unsafe.Pointer(&name.text[0])), name.length))}
}

// Names returns the names that a handle and its peer are bound to.
func Names(handle uintptr) (local, peer Name) {
	var name C.lipc_name
	if C.lipc_local_name(C.lipc_handle(handle), &name) >= 0 {
		local = goName(&name)
	}
	if C.lipc_peer_name(C.lipc_handle(handle), &name) >= 0 {
		peer = goName(&name)
	}
	return local, peer
}

// badPipeName describes what the name of a pipe must not contain.
const badPipeName = `contains "/", or has a part between "\" that is empty or ends with "." or " "`

// A nameError describes what is wrong with a name. It wraps the system's error number for the fault.
type nameError struct {
	reason string
	err    error
}

// newNameError chooses the text for a name that is too long, if limit is over 0, or otherwise invalid.
func newNameError(name Name, limit int, err error) error {
	var reason string
	switch windows := runtime.GOOS == "windows"; {
	case name.Text == "":
		reason = "empty name"
	case limit == 1: // there is no room for a name of any length
		reason = "the runtime directory's path is too long for a name in it"
	case limit > 0:
		reason = fmt.Sprintf("name too long: %d bytes, at most %d on %s", len(name.Text), limit, runtime.GOOS)
	case name.Type == UserName || name.Type == SystemName:
		reason = `name contains "/", "\" or a NUL byte, begins with ".", or ends with ".", " " or ".lock"`
	case strings.Contains(name.Text, "\x00"):
		reason = "name contains a NUL byte"
	case windows && name.Type == PathName:
		reason = `path is neither \\.\pipe\name nor \\host\pipe\name, or ` + badPipeName
	case windows:
		reason = "namespaced name " + badPipeName
	default: // such a file would not be in the directory for namespaced names
		reason = `namespaced name is "." or "..", or contains "/"`
	}
	return &nameError{reason, err}
}

func (e *nameError) Error() string { return e.reason }
func (e *nameError) Unwrap() error { return e.err }
