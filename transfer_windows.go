//go:build cgo

package ipc

// What an operation of a connection is made of on Windows: the system reads and writes one buffer at a time, and takes what
// does not fit of a message for the next read.

import (
	"fmt"
	"slices"
	"time"
	"unsafe"
)

// run makes an operation whose arguments are set.
func (e *endpoint) run(d *direction, operation operation) (int, error) {
	d.operation, d.done, d.result = operation, 0, 0
	if err := e.operate(); err != nil {
		return 0, err
	}
	defer e.operated()
	defer d.pins.Unpin()
	for {
		r, err := e.step(d)
		d.result = r
		switch {
		case err != nil:
			return d.done, err
		case r.truncated() && operation == opReceiveBatch:
			d.done++
		case r.truncated():
			d.done = max(d.done, len(d.data))
		}
		if r < 0 {
			return d.done, e.runErr(d)
		}
		if d.advance(int(r)) || operation == opReceiveBatch && coreMessageSize(e.held.handle).busy() {
			return d.done, nil
		}
	}
}

func (e *endpoint) runErr(d *direction) error {
	switch {
	case d.operation == opReceiveBatch && d.done > 0 && !d.result.truncated():
		return nil // what ended it is left to the next receive, which finds it again
	case !d.result.wrongWay():
		return d.result.temporaryErr()
	case d.operation < opWrite:
		return &optionError{"this end of a one-way pipe writes, and cannot be read from"}
	default:
		return &optionError{"this end of a one-way pipe reads, and cannot be written to"}
	}
}

// step makes one operation of the system, or what else is next.
func (e *endpoint) step(d *direction) (result, error) {
	switch d.operation {
	case opRead:
		return e.readSome(d, d.pinned(d.data), len(d.data))
	case opReadBuffers:
		return e.scatter(d)
	case opReceive:
		return e.perform(d, coreAsyncReceive, d.pinned(d.data), len(d.data))
	case opReceiveBatch:
		d.pins.Unpin() // the message before
		b := d.messages[d.done]
		return e.perform(d, coreAsyncReceive, d.pinned(b), len(b))
	case opReceiveAppend:
		return e.receiveWhole(d)
	case opReceiveMessage:
		return e.receiveScattered(d)
	case opPeek:
		return e.poll(d, func() result { return corePeek(e.held.handle, d.data) })
	case opMessageSize:
		return e.poll(d, func() result { return coreMessageSize(e.held.handle) })
	case opWrite, opSend:
		return e.perform(d, coreAsyncWrite, d.pinned(d.data), min(len(d.data), e.most(d)))
	case opSendBatch:
		d.pins.Unpin()
		b := d.messages[d.done]
		return e.perform(d, coreAsyncWrite, d.pinned(b), len(b))
	case opSendMessage:
		d.gather(d.buffers)
		return e.perform(d, coreAsyncWrite, d.pinned(d.gathered), len(d.gathered))
	default: // opWriteBuffers
		return e.gatherSome(d)
	}
}

// pinned keeps memory where it is, until the operation is over.
func (d *direction) pinned(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	data := unsafe.Pointer(unsafe.SliceData(b))
	d.pins.Pin(data)
	return data
}

// most is how many bytes are written at a time: as many as a call takes, but a message is never cut.
func (e *endpoint) most(d *direction) int {
	if d.operation == opSend {
		return len(d.data)
	}
	return 1 << 30
}

// readSome reads bytes. An empty message means nothing where bytes are read.
func (e *endpoint) readSome(d *direction, data unsafe.Pointer, size int) (result, error) {
	for {
		if r, err := e.perform(d, coreAsyncRead, data, size); r != 0 || err != nil {
			return r, err
		}
	}
}

// scatter reads into the first buffer that has room, and into the others what is there besides.
func (e *endpoint) scatter(d *direction) (result, error) {
	first := slices.IndexFunc(d.buffers, func(b coreBuffer) bool { return b.size > 0 })
	b := d.buffers[first]
	r, err := e.readSome(d, b.data, int(b.size))
	if err == nil && r == result(b.size) && someRoom(d.buffers[first+1:]) {
		if more := coreReadBuffers(e.held.handle, d.buffers[first+1:]); more > 0 {
			r += more
		}
	}
	return r, err
}

func someRoom(buffers []coreBuffer) bool {
	return slices.ContainsFunc(buffers, func(b coreBuffer) bool { return b.size > 0 })
}

// receiveWhole appends the next message to data, which grows once its size is known.
func (e *endpoint) receiveWhole(d *direction) (result, error) {
	used := len(d.data)
	if used == cap(d.data) {
		d.data = slices.Grow(d.data, 512) // there is no reading into nothing
	}
	room := d.data[used:min(cap(d.data), used+d.most)]
	r, err := e.perform(d, coreAsyncRead, d.pinned(room), len(room))
	if err != nil || r < 0 && !r.truncated() {
		return r, err
	}
	if r >= 0 {
		d.data = d.data[:used+int(r)]
		return r, nil
	}
	// The rest is there, unless the sender has taken it back, and is taken whatever happens, so that it is not taken for a
	// message.
	d.data = d.data[:used+len(room)]
	left := max(0, int(coreMessageSize(e.held.handle)))
	if size := len(room) + left; size > d.most {
		d.excess = size
		coreDiscard(e.held.handle, left)
		return r, nil
	}
	d.data = slices.Grow(d.data, left)
	n := coreReadRest(e.held.handle, d.data[len(d.data):len(d.data)+left])
	d.data = d.data[:len(d.data)+n]
	if left == 0 || n < left {
		return r, nil // truncated
	}
	return result(len(room) + n), nil
}

// receiveScattered receives a message into buffers.
func (e *endpoint) receiveScattered(d *direction) (result, error) {
	d.buffers = slices.DeleteFunc(d.buffers, func(b coreBuffer) bool { return b.size == 0 })
	if len(d.buffers) == 0 {
		return e.perform(d, coreAsyncReceive, nil, 0)
	}
	r, err := e.perform(d, coreAsyncRead, d.buffers[0].data, int(d.buffers[0].size))
	if err != nil || !r.truncated() {
		return r, err
	}
	d.done = int(d.buffers[0].size)
	left := max(0, int(coreMessageSize(e.held.handle))) // the rest is there, unless the sender has taken it back
	whole := left > 0
	for _, b := range d.buffers[1:] {
		wanted := min(int(b.size), left)
		n := coreReadRest(e.held.handle, unsafe.Slice((*byte)(b.data), wanted))
		d.done, left, whole = d.done+n, left-n, whole && n == wanted
	}
	if whole && left == 0 {
		n := d.done
		d.done = 0 // advance counts it
		return result(n), nil
	}
	coreDiscard(e.held.handle, left)
	return r, nil
}

// gather puts buffers together.
func (d *direction) gather(buffers []coreBuffer) {
	d.gathered = d.gathered[:0]
	for _, b := range buffers {
		d.gathered = append(d.gathered, unsafe.Slice((*byte)(b.data), b.size)...)
	}
}

// gatherSome writes what is next of buffers: the system takes one at a time, so small ones are put together.
func (e *endpoint) gatherSome(d *direction) (result, error) {
	const most = 64 * 1024
	count, size := 0, 0
	for count < len(d.buffers) && size+int(d.buffers[count].size) <= most {
		size += int(d.buffers[count].size)
		count++
	}
	if count <= 1 {
		b := d.buffers[0]
		if b.size == 0 { // nothing, which would be an empty message
			return 0, nil
		}
		return e.perform(d, coreAsyncWrite, b.data, min(int(b.size), 1<<30))
	}
	d.gather(d.buffers[:count])
	if len(d.gathered) == 0 {
		return 0, nil
	}
	return e.perform(d, coreAsyncWrite, d.pinned(d.gathered), len(d.gathered))
}

// poll makes attempts at what the system does not report, every 1 to 4 milliseconds.
func (e *endpoint) poll(d *direction, attempt func() result) (result, error) {
	for pause := nextPause(0); ; pause = nextPause(pause) {
		if err := e.interrupted(d); err != nil {
			return 0, err
		}
		if r := attempt(); !r.busy() {
			return r, nil
		}
		time.Sleep(pause)
	}
}

// sendMessage sends a payload; nothing travels with it here.
func (e *endpoint) sendMessage(m *Message) (int, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if len(m.Files) > 0 || m.Credentials != nil || m.Peer != (Name{}) || len(m.Control) > 0 {
		return 0, fmt.Errorf("files, credentials and the like that go with a message: %w", unsupported())
	}
	if e.kind != kindMessage {
		n, err := e.writeBuffers(m.Buffers)
		return n, e.explainEmpty(m.size(), err)
	}
	_, err := e.transferBuffers(&e.out, opSendMessage, m.Buffers)
	if err != nil {
		return 0, e.explainSize(m.size(), err)
	}
	return m.size(), nil
}

func (e *endpoint) receiveMessage(m *Message) (int, error) {
	m.Files, m.PIDFD, m.Control, m.Peer = m.Files[:0], nil, m.Control[:0], Name{}
	if m.Credentials != nil {
		*m.Credentials = Credentials{PID: -1, UID: -1, GID: -1}
	}
	if err := m.check(); err != nil {
		return 0, err
	}
	if e.kind != kindMessage {
		n, err := e.readBuffers(m.Buffers)
		return n, e.explainEmpty(m.size(), err)
	}
	return e.transferBuffers(&e.in, opReceiveMessage, m.Buffers)
}

// explainEmpty refuses a payload of no bytes on a stream.
func (e *endpoint) explainEmpty(size int, err error) error {
	if size > 0 || err != nil {
		return err
	}
	return fmt.Errorf("a stream needs a payload of at least one byte: %w", errInvalid)
}
