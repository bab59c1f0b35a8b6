//go:build unix

package poll

import (
	"slices"

	"github.com/lipc/ipc/internal/core"
)

func (d *direction) send(fd uintptr) core.Result         { return core.Send(fd, d.data) }
func (d *direction) receive(fd uintptr) core.Result      { return core.Receive(fd, d.data) }
func (d *direction) peek(fd uintptr) core.Result         { return core.Peek(fd, d.data) }
func (d *direction) messageSize(fd uintptr) core.Result  { return core.MessageSize(fd) }
func (d *direction) sendBatch(fd uintptr) core.Result    { return core.Send(fd, d.messages[d.done]) }
func (d *direction) receiveBatch(fd uintptr) core.Result { return core.Receive(fd, d.messages[d.done]) }

func (d *direction) receiveAppend(fd uintptr) core.Result {
	return d.receiveSized(fd, core.MessageSize(fd))
}

// receiveSized appends the next message to data, which grows as needed. size is the message's size, or the error of a
// system that does not report it.
func (d *direction) receiveSized(fd uintptr, size core.Result) core.Result {
	used := len(d.data)
	room := min(cap(d.data)-used, d.most)
	switch {
	case size > core.Result(d.most):
		room = 1 // for the beginning of the message, whose rest is dropped
	case size >= 0:
		room = max(room, int(size))
	case !size.Unsupported():
		return size
	default:
		for room < d.most && core.Peek(fd, d.data[used:used+room]).Truncated() {
			room = min(max(2*room, 4096), d.most)
			d.data = slices.Grow(d.data, room)
		}
	}
	d.data = slices.Grow(d.data, room)
	r := core.Receive(fd, d.data[used:used+room])
	switch {
	case r >= 0:
		d.data = d.data[:used+int(r)]
	case r.Truncated():
		d.excess = max(int(size), -1)
	}
	return r
}
