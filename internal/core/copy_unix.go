//go:build unix

package core

// #include "core.h"
// #include <lipc_unix.h>
import "C"

// Splice moves at most size bytes within the kernel. One of the two handles must be a pipe. It returns 0 at the end of
// from.
func Splice(from, to uintptr, size int64) Result {
	return Result(C.lipc_splice(C.lipc_handle(from), C.lipc_handle(to), C.size_t(size), 0))
}
