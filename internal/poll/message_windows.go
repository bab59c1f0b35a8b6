package poll

import (
	"slices"
	"time"

	"github.com/lipc/ipc/internal/core"
)

func (d *direction) send(uintptr) core.Result    { return d.performOn(core.StartWrite, d.data) }
func (d *direction) receive(uintptr) core.Result { return d.performOn(core.StartReceive, d.data) }

func (d *direction) sendBatch(uintptr) core.Result {
	d.pins.Unpin() // of the previous message
	return d.performOn(core.StartWrite, d.messages[d.done])
}

func (d *direction) receiveBatch(uintptr) core.Result {
	d.pins.Unpin()
	return d.performOn(core.StartReceive, d.messages[d.done])
}

func (d *direction) peek(handle uintptr) core.Result {
	return d.look(func() core.Result { return core.Peek(handle, d.data) })
}

func (d *direction) messageSize(handle uintptr) core.Result {
	return d.look(func() core.Result { return core.MessageSize(handle) })
}

// look repeats attempt every 1 to 4 milliseconds, until it need not wait: the system does not report when to try.
func (d *direction) look(attempt func() core.Result) core.Result {
	for pause := nextPause(0); ; pause = nextPause(pause) {
		if d.err = d.interrupted(); d.err != nil {
			return 0
		}
		if r := attempt(); !r.Busy() {
			return r
		}
		time.Sleep(pause)
	}
}

// receiveAppend appends the next message to data, which grows once the message's size is known.
func (d *direction) receiveAppend(handle uintptr) core.Result {
	used := len(d.data)
	if used == cap(d.data) {
		d.data = slices.Grow(d.data, 512) // a read needs room for at least one byte
	}
	room := d.data[used:min(cap(d.data), used+d.most)]
	r := d.performOn(core.StartRead, room)
	if d.err != nil || r < 0 && !r.Truncated() {
		return r
	}
	if r >= 0 {
		d.data = d.data[:used+int(r)]
		return r
	}
	// The rest has arrived, unless the sender has taken it back. It is read whatever happens; otherwise the next
	// receive would take it for a message.
	d.data = d.data[:used+len(room)]
	left := max(0, int(core.MessageSize(handle)))
	if size := len(room) + left; size > d.most {
		d.excess = size
		core.Discard(handle, left)
		return r
	}
	d.data = slices.Grow(d.data, left)
	n := core.ReadRest(handle, d.data[len(d.data):len(d.data)+left])
	d.data = d.data[:len(d.data)+n]
	if left == 0 || n < left {
		return r // truncated
	}
	return core.Result(len(room) + n)
}
