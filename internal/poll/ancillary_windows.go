package poll

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/lipc/ipc/internal/core"
)

var (
	sendMessage    = &operation{step: (*direction).sendMessage, advance: (*direction).advanceBuffers, writes: true}
	receiveMessage = &operation{step: (*direction).receiveMessage}
)

func (d *direction) sendMessage(uintptr) core.Result {
	d.gather(d.buffers)
	return d.performOn(core.StartWrite, d.gathered)
}

// receiveMessage receives a message into buffers.
func (d *direction) receiveMessage(handle uintptr) core.Result {
	d.buffers = slices.DeleteFunc(d.buffers, func(b core.Buffer) bool { return b.Size() == 0 })
	if len(d.buffers) == 0 {
		return d.perform(core.StartReceive, nil, 0)
	}
	r := d.perform(core.StartRead, d.buffers[0].Data(), d.buffers[0].Size())
	if d.err != nil || !r.Truncated() {
		return r
	}
	d.done = d.buffers[0].Size()
	left := max(0, int(core.MessageSize(handle))) // the rest has arrived, unless the sender has taken it back
	whole := left > 0
	for _, b := range d.buffers[1:] {
		wanted := min(b.Size(), left)
		n := core.ReadRest(handle, b.Bytes()[:wanted])
		d.done, left, whole = d.done+n, left-n, whole && n == wanted
	}
	if whole && left == 0 {
		n := d.done
		d.done = 0 // advance counts it
		return core.Result(n)
	}
	core.Discard(handle, left)
	return r
}

// nothingTravels returns an error if something is to travel with a payload.
func nothingTravels(files []*os.File, fill func(*core.Ancillary) error) error {
	err := fill(new(core.Ancillary))
	if len(files) > 0 {
		err = core.Unsupported()
	}
	if err != nil {
		return fmt.Errorf("files, credentials and the like that go with a message: %w", err)
	}
	return nil
}

// SendMessage sends a payload. On Windows nothing travels with it.
func (e *Endpoint) SendMessage(ctx context.Context, buffers [][]byte, files []*os.File,
	fill func(*core.Ancillary) error) (int, error) {
	err := nothingTravels(files, fill)
	if err != nil {
		return 0, err
	}
	if e.kind != core.KindMessage {
		if !anyBytes(buffers) {
			return 0, e.Usable()
		}
		return e.transferBuffers(ctx, &e.out, writeBuffers, buffers)
	}
	_, err = e.transferBuffers(ctx, &e.out, sendMessage, buffers)
	if err != nil {
		return 0, e.explainSize(size(buffers), err)
	}
	return size(buffers), nil
}

// ReceiveMessage receives a payload. On Windows nothing travels with it.
func (e *Endpoint) ReceiveMessage(ctx context.Context, buffers [][]byte, files int, received func(*core.Ancillary)) (
	int, error) {
	if e.kind == core.KindMessage {
		return e.transferBuffers(ctx, &e.in, receiveMessage, buffers)
	}
	if !anyBytes(buffers) {
		if err := e.Usable(); err != nil {
			return 0, err
		}
		return 0, explainEmpty(0, core.ErrInvalid)
	}
	return ended(e.transferBuffers(ctx, &e.in, readBuffers, buffers))
}
