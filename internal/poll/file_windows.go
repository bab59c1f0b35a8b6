package poll

import (
	"fmt"
	"strconv"

	"github.com/lipc/ipc/internal/core"
)

// handleBits is the number of bits in the number of a handle.
const handleBits = strconv.IntSize

// adopt takes over a handle that came from elsewhere.
func (e *Endpoint) adopt(handle uintptr, kind core.Kind) error {
	if r := core.Adopt(handle); r < 0 {
		core.Close(handle)
		if r.Unsupported() {
			return fmt.Errorf("the handle was not opened for overlapped operation (FILE_FLAG_OVERLAPPED): %w", r.Err())
		}
		return r.Err()
	}
	e.open(handle, kind)
	return nil
}
