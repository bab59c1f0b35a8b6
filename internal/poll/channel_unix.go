//go:build unix

package poll

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// systemChannel is what a channel needs on Unix. Receiving waits for the connection; sending waits for room, and
// without shared memory for the connection.
type systemChannel struct {
	receiveLimited, sendLimited atomic.Bool // whether there is a deadline

	room Endpoint // not open without shared memory
}

func startChannel(_ *Endpoint, handle uintptr, o core.ChannelOptions) (core.Channel, core.Result) {
	return core.StartChannel(handle, o)
}

// waitForHandshake performs the handshake, and waits as long as that takes. The mutexes of the directions are held.
func (c *Channel) waitForHandshake() (r core.Result, err error) {
	err = c.conn.raw.Read(func(uintptr) bool {
		r = c.memory.Handshake()
		return !r.Busy()
	})
	return r, c.conn.closedErr(err)
}

// openRoom opens the handle on which sending waits with shared memory.
func (c *Channel) openRoom() error {
	if !c.memory.Shared() {
		return nil
	}
	return c.room.open(c.memory.Handle(core.Writing))
}

func (c *Channel) shared() bool { return c.room.opened() }

// sender returns the direction that sends.
func (c *Channel) sender() *direction {
	if c.room.opened() {
		return &c.room.in
	}
	return &c.conn.out
}

// sending returns the endpoint of the direction that sends.
func (c *Channel) sending() *Endpoint {
	if c.room.opened() {
		return &c.room
	}
	return c.conn
}

// run performs an operation whose arguments are set. If there is no deadline to look at, it tries the operation before
// it goes to the runtime's poller, which takes as long as the operation.
func (c *Channel) run(d *direction, o *operation) (int, error) {
	e, limited := c.conn, &c.sendLimited
	switch d {
	case &c.conn.in:
		limited = &c.receiveLimited
	case &c.room.in:
		e = &c.room
	}
	if limited.Load() || e.closed.Load() {
		return e.run(d, o)
	}
	d.start(o)
	d.channel = c.memory.Trying()
	over := d.call(0)
	d.channel = c.memory.Channel
	if !over {
		return e.goOn(d)
	}
	if d.result < 0 {
		return d.done, d.result.TemporaryErr()
	}
	return d.done, nil
}

func (d *direction) channelSendMessage(uintptr) core.Result {
	return d.channel.SendMessage(d.data, d.buffers, d.ancillary)
}

func (d *direction) channelMessage(uintptr) core.Result {
	return d.channel.ReceiveMessage(d.data, d.buffers, d.ancillary)
}

// sendMessage sends a message. The sender is locked.
func (c *Channel) sendMessage(buffers [][]byte, files []*os.File, fill func(*core.Ancillary) error) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if err := CheckFiles(len(files), c.memory.FileLimit()); err != nil {
		return 0, err
	}
	d, n := c.sender(), 0
	err := d.prepareSend(buffers, fill)
	if err == nil {
		n, err = lend(files, d.ancillary, func() (int, error) { return c.runSend(d, channelSendMessage) })
	}
	d.clearPayload()
	return n, err
}

// receiveMessage receives a message. The receiver is locked.
func (c *Channel) receiveMessage(buffers [][]byte, files int, received func(*core.Ancillary)) (int, error) {
	d := &c.conn.in
	d.prepareReceive(buffers, files)
	n, err := c.runReceive(channelMessage)
	return d.deliver(n, err, buffers, received)
}

func (c *Channel) setReceiveDeadline(t time.Time) error {
	c.receiveLimited.Store(!t.IsZero())
	return c.conn.SetReadDeadline(t)
}

func (c *Channel) setSendDeadline(t time.Time) error {
	c.sendLimited.Store(!t.IsZero())
	if c.room.opened() {
		return c.room.SetReadDeadline(t)
	}
	return c.conn.SetWriteDeadline(t)
}

// closeLocked ends all operations, and only then closes the descriptors: each direction uses both.
func (c *Channel) closeLocked() error {
	past := time.Unix(1, 0)
	ends := []*Endpoint{c.conn, &c.room}
	for _, e := range ends {
		e.closed.Store(true)
	}
	_ = c.conn.waiter().SetDeadline(past)
	if c.isOpen.Load() && c.room.opened() {
		_ = c.room.waiter().SetDeadline(past)
	}
	for _, d := range []*direction{&c.conn.in, &c.conn.out, &c.room.in} {
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	if c.isOpen.Load() { // the peer sees the end of the connection anyway, but only when it looks there
		c.memory.Shutdown(core.Writing)
		if c.room.opened() {
			c.memory.Shutdown(core.Reading)
		}
	}
	var err error
	for _, e := range ends {
		if e.opened() {
			err = errors.Join(err, e.waiter().Close())
		}
	}
	c.memory.drop()
	return err
}
