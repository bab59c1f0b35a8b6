package core

// #include "core.h"
import "C"

import "time"

// ReadRest reads what is there of a message. If memory is short it tries again, because the next receive would take a
// rest that was left for a message.
func ReadRest(handle uintptr, b []byte) int {
	for {
		r := Read(handle, b)
		if r >= 0 || !r.is(C.LIPC_ENOMEM) && !r.is(C.LIPC_EMFILE) {
			return max(0, int(r))
		}
		time.Sleep(time.Millisecond)
	}
}

// Discard reads and discards the rest of a message, which has left bytes.
func Discard(handle uintptr, left int) {
	rest := make([]byte, min(left, 64<<10))
	for left > 0 {
		n := ReadRest(handle, rest[:min(left, len(rest))])
		if n == 0 {
			return
		}
		left -= n
	}
}
