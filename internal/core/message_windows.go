package core

// #include "core.h"
import "C"

import "time"

// ReadRest reads what is there of a message. It does not give up for lack of memory: a rest that is left would be taken
// for a message.
func ReadRest(handle uintptr, b []byte) int {
	for {
		r := Read(handle, b)
		if r >= 0 || !r.is(C.LIPC_ENOMEM) && !r.is(C.LIPC_EMFILE) {
			return max(0, int(r))
		}
		time.Sleep(time.Millisecond)
	}
}

// Discard takes so much as is left of a message.
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
