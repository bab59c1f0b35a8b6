package poll

import (
	"slices"
	"unsafe"

	"github.com/lipc/ipc/internal/core"
)

// mostBytes is how many bytes one write takes at most, which is what one call takes. A message is never cut.
const mostBytes = 1 << 30

// pinned pins memory until the operation is over.
func (d *direction) pinned(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	data := unsafe.Pointer(unsafe.SliceData(b))
	d.pins.Pin(data)
	return data
}

// performOn is perform for memory that is not pinned yet.
func (d *direction) performOn(start core.Start, b []byte) core.Result {
	return d.perform(start, d.pinned(b), len(b))
}

func (d *direction) read(uintptr) core.Result {
	return d.readSome(core.NewBuffer(d.pinned(d.data), len(d.data)))
}

// readSome reads bytes. It ignores writes of no bytes, which mean nothing on a pipe of bytes. On one of messages they are
// the end of the direction. If the handle has been set to read messages, a part of one is bytes like others.
func (d *direction) readSome(b core.Buffer) core.Result {
	for {
		r := d.perform(core.StartRead, b.Data(), b.Size())
		if r.Truncated() && d.err == nil {
			return core.Result(b.Size())
		}
		if r != 0 || d.err != nil {
			return r
		}
	}
}

// readBuffers waits to read into the first buffer that has room, and then reads into the others what is there already.
func (d *direction) readBuffers(handle uintptr) core.Result {
	hasRoom := func(b core.Buffer) bool { return b.Size() > 0 }
	first := slices.IndexFunc(d.buffers, hasRoom)
	b, others := d.buffers[first], d.buffers[first+1:]
	r := d.readSome(b)
	if r == core.Result(b.Size()) && slices.ContainsFunc(others, hasRoom) {
		more := core.ReadBuffers(handle, others)
		d.shut = more == 0 // the system reports the end of a half once
		r += max(more, 0)
	}
	return r
}

func (d *direction) write(uintptr) core.Result {
	return d.performOn(core.StartWrite, d.data[:min(len(d.data), mostBytes)])
}

// writeBuffers writes the next of the buffers. The system takes one buffer at a time, so small ones are joined.
func (d *direction) writeBuffers(uintptr) core.Result {
	const most = 64 * 1024
	count, size := 0, 0
	for count < len(d.buffers) && size+d.buffers[count].Size() <= most {
		size += d.buffers[count].Size()
		count++
	}
	if count > 1 {
		return d.writeGathered(d.buffers[:count])
	}
	if b := d.buffers[0]; b.Size() > 0 { // a write of no bytes would be an empty message
		return d.perform(core.StartWrite, b.Data(), min(b.Size(), mostBytes))
	}
	return 0
}

func (d *direction) writeGathered(buffers []core.Buffer) core.Result {
	if d.gather(buffers); len(d.gathered) == 0 {
		return 0
	}
	return d.performOn(core.StartWrite, d.gathered)
}

// gather joins buffers.
func (d *direction) gather(buffers []core.Buffer) {
	d.gathered = d.gathered[:0]
	for _, b := range buffers {
		d.gathered = append(d.gathered, b.Bytes()...)
	}
}
