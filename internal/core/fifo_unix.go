//go:build unix

package core

// #include "core.h"
// #include <lipc_unix.h>
import "C"

import (
	"io/fs"
	"strings"
	"unsafe"
)

// cpath copies a path into C's memory.
func cpath(path string) (c *C.char, free func(), err error) {
	if path == "" {
		return nil, nil, Invalidf("empty path")
	}
	if strings.Contains(path, "\x00") {
		return nil, nil, Invalidf("path contains a NUL byte")
	}
	c = C.CString(path)
	return c, func() { C.free(unsafe.Pointer(c)) }, nil
}

// CreateFIFO creates a FIFO.
func CreateFIFO(path string, mode fs.FileMode) error {
	c, free, err := cpath(path)
	if err != nil {
		return err
	}
	defer free()
	return Result(C.lipc_fifo_create(c, C.uint32_t(mode))).Err()
}

// OpenFIFOReader opens a FIFO for reading, without waiting for a writer.
func OpenFIFOReader(path string) (handle uintptr, err error) {
	c, free, err := cpath(path)
	if err != nil {
		return 0, err
	}
	defer free()
	var h C.lipc_handle
	r := creating(func() Result { return Result(C.lipc_fifo_open_reader(c, &h)) })
	return uintptr(h), r.Err()
}

// OpenFIFOWriter opens a FIFO for writing. busy means that no process has it open for reading.
func OpenFIFOWriter(path string) (handle uintptr, busy bool, err error) {
	c, free, err := cpath(path)
	if err != nil {
		return 0, false, err
	}
	defer free()
	var h C.lipc_handle
	r := creating(func() Result { return Result(C.lipc_fifo_open_writer(c, 0, &h)) })
	return uintptr(h), r.Busy(), r.Err()
}

// WaitFIFOWriter returns a busy result until a process has opened the FIFO for writing.
func WaitFIFOWriter(handle uintptr) Result {
	return Result(C.lipc_fifo_wait_writer(C.lipc_handle(handle), 0))
}
