//go:build unix

package poll

import "github.com/lipc/ipc/internal/core"

// For pipes there are calls of their own. Each has a frame of its own, so that a goroutine that waits to read does with
// the smallest stack there is.

func (d *direction) read(fd uintptr) core.Result {
	if d.pipe {
		return core.ReadPipe(fd, d.data)
	}
	return core.Read(fd, d.data)
}

func (d *direction) write(fd uintptr) core.Result {
	if d.pipe {
		return core.WritePipe(fd, d.data)
	}
	return core.Write(fd, d.data)
}

func (d *direction) readBuffers(fd uintptr) core.Result  { return core.ReadBuffers(fd, d.buffers) }
func (d *direction) writeBuffers(fd uintptr) core.Result { return core.WriteBuffers(fd, d.buffers) }
