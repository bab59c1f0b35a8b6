//go:build cgo

package ipc

// Handles that came from elsewhere, inside of an os.File or as a number.

import (
	"os"
	"strconv"
)

// duplicateFile returns a duplicate of a file's handle if it is of that kind.
func duplicateFile(f *os.File, kind result) (handle uintptr, err error) {
	if kind == kindDatagram && !hasDatagrams {
		return 0, unsupported()
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var r result
	if raw.Control(func(fd uintptr) { handle, r = coreDuplicate(fd) }) != nil {
		return 0, os.ErrClosed // what is wrong, but not what the error matches
	}
	if r < 0 {
		return 0, r.err()
	}
	if r = coreKind(handle); r.isKind(kind) {
		return handle, nil
	}
	coreClose(handle)
	return 0, r.kindErr(kind)
}

func adoptConn(c *conn, f *os.File, kind result) error {
	handle, err := duplicateFile(f, kind)
	if err != nil {
		return err
	}
	return adoptHandle(c, handle, kind)
}

// adoptHandle makes c of a handle, which it takes over.
func adoptHandle(c *conn, handle uintptr, kind result) error {
	local, remote := coreNames(handle)
	if local != (Name{}) {
		c.local = &local
	}
	c.setPeer(remote)
	return c.end.adopt(handle, kind)
}

func adoptPipeFile(e *endpoint, f *os.File, kind result) error {
	handle, err := duplicateFile(f, kind)
	if err != nil {
		return err
	}
	return e.adopt(handle, kind)
}

// adoptPipe takes over the handle whose number is value.
func (e *endpoint) adoptPipe(value string, kind result) error {
	handle, err := strconv.ParseUint(value, 10, handleBits)
	if err != nil {
		return &optionError{"not the number of a descriptor"}
	}
	r := coreKind(uintptr(handle))
	if r.isKind(kind) {
		return e.adopt(uintptr(handle), kind)
	}
	if r.notSocket() || r >= 0 && !r.isPipe() {
		return &optionError{"it is no pipe"}
	}
	return r.kindErr(kind)
}
