//go:build unix

package poll

import (
	"context"
	"fmt"
	"os"

	"github.com/lipc/ipc/internal/core"
)

var (
	sendMessage    = &operation{step: (*direction).sendMessage, advance: (*direction).advancePayload, writes: true}
	receiveMessage = &operation{step: (*direction).receiveMessage}
	peekMessage    = &operation{step: (*direction).peekMessage}
)

// Files and credentials go with the first byte of the payload; further calls send the rest without them.
func (d *direction) sendMessage(fd uintptr) core.Result {
	switch {
	case d.done == 0:
		return core.SendMessage(fd, d.data, d.buffers, d.ancillary)
	case len(d.buffers) > 0:
		return core.WriteBuffers(fd, d.buffers)
	default:
		return core.Write(fd, d.data)
	}
}

func (d *direction) advancePayload(n int) bool {
	if len(d.buffers) > 0 {
		return d.advanceBuffers(n)
	}
	return d.advanceData(n)
}

// setPayload sets what is transferred with ancillary data. A single buffer becomes data, which takes no pinning.
func (d *direction) setPayload(buffers [][]byte) {
	if len(buffers) == 1 {
		d.data = buffers[0]
	} else {
		d.pin(buffers)
	}
}

func (d *direction) clearPayload() {
	d.data = nil
	if len(d.memory) > 0 {
		d.unpin()
	}
}

func (d *direction) receiveMessage(fd uintptr) core.Result {
	return core.ReceiveMessage(fd, d.data, d.buffers, d.ancillary)
}

func (d *direction) peekMessage(fd uintptr) core.Result {
	return core.PeekMessage(fd, d.data, d.buffers, d.ancillary)
}

// needAncillary returns the direction's memory for what travels with a payload, which it allocates at the first call.
func (d *direction) needAncillary() *core.Ancillary {
	d.needExtras()
	if d.ancillary == nil {
		d.ancillary = new(core.Ancillary)
	}
	return d.ancillary
}

// lend adds the descriptors of files to what travels with a payload, and then calls send. Until send has returned none
// of them can be closed, so none of their numbers can come to mean another file.
func lend(files []*os.File, a *core.Ancillary, send func() (int, error)) (n int, err error) {
	if len(files) == 0 {
		return send()
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("a file to send is nil: %w", err)
	}
	if raw.Control(func(fd uintptr) {
		a.AddHandle(fd)
		n, err = lend(files[1:], a, send)
	}) != nil {
		return 0, fmt.Errorf("a file to send, %s: %w", files[0].Name(), os.ErrClosed)
	}
	return n, err
}

// SendMessage sends a payload with files, and with what fill adds, until the context ends.
func (e *Endpoint) SendMessage(ctx context.Context, buffers [][]byte, files []*os.File,
	fill func(*core.Ancillary) error) (int, error) {
	if err := CheckFiles(len(files), core.MaxFiles); err != nil {
		return 0, err
	}
	d, n := &e.out, 0
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	if err = d.prepareSend(buffers, fill); err == nil {
		d.addressed = d.ancillary.HasPeer()
		n, err = lend(files, d.ancillary, func() (int, error) { return e.run(d, sendMessage) })
		d.addressed = false
	}
	d.clearPayload()
	err = e.finish(ctx, d, end, err)
	return n, e.explainSize(size(buffers), err)
}

// prepareSend sets a payload, and what it is sent with besides files. The direction is locked; clearPayload must
// follow.
func (d *direction) prepareSend(buffers [][]byte, fill func(*core.Ancillary) error) error {
	a := d.needAncillary()
	a.Clear()
	d.setPayload(buffers)
	return fill(a)
}

// ReceiveMessage receives a payload with at most this many files. It calls received with what came with the payload,
// before another message can be received. The files then belong to the caller. After an error it does not call
// received, except that with [core.ErrTruncated] and [core.ErrFilesLost] it passes the sender's name and credentials.
// When the context ends, it fails.
func (e *Endpoint) ReceiveMessage(ctx context.Context, buffers [][]byte, files int, received func(*core.Ancillary)) (
	int, error) {
	return e.receiveMessage(ctx, receiveMessage, buffers, files, received)
}

// PeekMessage is ReceiveMessage without removing the message. The files are further ones.
func (e *Endpoint) PeekMessage(ctx context.Context, buffers [][]byte, files int, received func(*core.Ancillary)) (
	int, error) {
	return e.receiveMessage(ctx, peekMessage, buffers, files, received)
}

func (e *Endpoint) receiveMessage(ctx context.Context, o *operation, buffers [][]byte, files int,
	received func(*core.Ancillary)) (int, error) {
	d := &e.in
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	d.prepareReceive(buffers, files)
	n, err := e.run(d, o)
	n, err = d.deliver(n, err, buffers, received)
	return n, e.finish(ctx, d, end, err)
}

// prepareReceive sets where a message goes. The direction is locked; deliver must follow.
func (d *direction) prepareReceive(buffers [][]byte, files int) {
	d.needAncillary().LimitHandles(files)
	d.setPayload(buffers)
}

// deliver passes what came with a message to received. n and err are the results of receiving.
func (d *direction) deliver(n int, err error, buffers [][]byte, received func(*core.Ancillary)) (int, error) {
	a := d.ancillary
	d.clearPayload()
	if lacking := d.result.Truncated() || d.result.FilesLost(); err != nil && lacking {
		a.Clear()
		n = a.Length()
	} else if err != nil {
		return n, explainEmpty(size(buffers), err)
	}
	received(a)
	return n, err
}

// SetPassCredentials sets whether messages are received with their sender's credentials.
func (e *Endpoint) SetPassCredentials(on bool) error {
	return e.Control(func(fd uintptr) core.Result { return core.SetPassCredentials(fd, on) })
}

// SetPassPIDFD sets whether messages are received with a pidfd of their sender.
func (e *Endpoint) SetPassPIDFD(on bool) error {
	return e.Control(func(fd uintptr) core.Result { return core.SetPassPIDFD(fd, on) })
}

// PeerPIDFD returns a pidfd of the peer.
func (e *Endpoint) PeerPIDFD() (*os.File, error) { return e.newFile("ipc: pidfd", core.PeerPIDFD) }
