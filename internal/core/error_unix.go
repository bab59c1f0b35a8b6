//go:build unix

package core

// #include "core.h"
import "C"

import (
	"io/fs"
	"syscall"
)

// systemErr returns the system's number as the error, because that is what programs compare with.
func (r Result) systemErr(number syscall.Errno) error {
	switch r.code() {
	case C.LIPC_EACCES:
		return matching(number, fs.ErrPermission)
	case C.LIPC_ENOENT:
		return matching(number, fs.ErrNotExist)
	default:
		return number
	}
}
