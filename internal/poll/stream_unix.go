//go:build unix

package poll

import "github.com/lipc/ipc/internal/core"

// Pipes have calls of their own. Each step has a frame of its own, so that a goroutine that waits to read needs only
// the smallest stack.

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
