//go:build unix

package poll

import (
	"context"
	"fmt"
	"os"

	"github.com/lipc/ipc/internal/core"
)

var (
	sendMessage    = &operation{step: (*direction).sendMessage, advance: (*direction).advanceBuffers, writes: true}
	receiveMessage = &operation{step: (*direction).receiveMessage}
	peekMessage    = &operation{step: (*direction).peekMessage}
)

// Files and credentials go with the first byte of the payload; further calls send the rest without them.
func (d *direction) sendMessage(fd uintptr) core.Result {
	if d.done == 0 {
		return core.SendMessage(fd, d.buffers, d.ancillary)
	}
	return core.WriteBuffers(fd, d.buffers)
}

func (d *direction) receiveMessage(fd uintptr) core.Result {
	return core.ReceiveMessage(fd, d.buffers, d.ancillary)
}

func (d *direction) peekMessage(fd uintptr) core.Result {
	return core.PeekMessage(fd, d.buffers, d.ancillary)
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
func lend(files []*os.File, a *core.Ancillary, send func() error) error {
	if len(files) == 0 {
		return send()
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return fmt.Errorf("a file to send is nil: %w", err)
	}
	var sent error
	if raw.Control(func(fd uintptr) {
		a.AddHandle(fd)
		sent = lend(files[1:], a, send)
	}) != nil {
		return fmt.Errorf("a file to send, %s: %w", files[0].Name(), os.ErrClosed)
	}
	return sent
}

// SendMessage sends a payload with files, and with what fill adds, until the context ends.
func (e *Endpoint) SendMessage(ctx context.Context, buffers [][]byte, files []*os.File,
	fill func(*core.Ancillary) error) (int, error) {
	if err := CheckFiles(len(files), core.MaxFiles); err != nil {
		return 0, err
	}
	d := &e.out
	n, err := e.within(ctx, d, func() (int, error) {
		return d.sendWith(buffers, files, fill, func() (int, error) {
			d.addressed = d.ancillary.HasPeer()
			defer func() { d.addressed = false }()
			return e.run(d, sendMessage)
		})
	})
	return n, e.explainSize(size(buffers), err)
}

// sendWith sets what a payload is sent with, and then calls send. The direction is locked.
func (d *direction) sendWith(buffers [][]byte, files []*os.File, fill func(*core.Ancillary) error,
	send func() (int, error)) (n int, err error) {
	a := d.needAncillary()
	a.Clear()
	if err := fill(a); err != nil {
		return 0, err
	}
	d.pin(buffers)
	defer d.unpin()
	err = lend(files, a, func() (err error) {
		n, err = send()
		return err
	})
	return n, err
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
	return e.within(ctx, &e.in, func() (int, error) {
		return e.in.receiveWith(buffers, files, received, func() (int, error) { return e.run(&e.in, o) })
	})
}

// receiveWith receives a message by run. The direction is locked.
func (d *direction) receiveWith(buffers [][]byte, files int, received func(*core.Ancillary), run func() (int, error)) (
	int, error) {
	a := d.needAncillary()
	a.LimitHandles(files)
	d.pin(buffers)
	defer d.unpin()
	n, err := run()
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
