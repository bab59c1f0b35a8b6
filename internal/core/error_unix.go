//go:build unix

package core

// #include "core.h"
import "C"

import (
	"io/fs"
	"syscall"
)

// systemErr is the system's number, which is what programs look for.
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
