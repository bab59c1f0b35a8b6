//go:build unix

package poll

import "github.com/lipc/ipc/internal/core"

// handleBits is the number of bits in the number of a descriptor.
const handleBits = 31

// adopt takes over a descriptor that came from elsewhere.
func (e *Endpoint) adopt(handle uintptr, kind core.Kind) error {
	if r := core.Adopt(handle); r < 0 {
		core.Close(handle)
		return r.Err()
	}
	if kind.IsPipe() {
		e.setPipe()
	}
	return e.open(handle)
}
