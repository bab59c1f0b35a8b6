package poll

import (
	"net"
	"os"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// systemChannel is what a channel needs on Windows. The core's channel is one without I/O: a direction of the
// connection moves its bytes, as overlapped operations.
type systemChannel struct{}

func startChannel(conn *Endpoint, _ uintptr, o core.ChannelOptions) (core.Channel, core.Result) {
	conn.SetSpin(time.Duration(max(o.Spin, 0)) * time.Microsecond)
	return core.StartChannelSansIO(o)
}

var channelMove = &operation{step: (*direction).channelMove}

// channelMove moves bytes between the core's channel and the connection. It waits until there are some.
func (d *direction) channelMove(uintptr) core.Result {
	if d == &d.end.out {
		data, r := d.channel.Output()
		if r < 0 {
			return r
		}
		r = d.perform(core.StartWrite, data, int(r))
		if r > 0 && d.err == nil { // otherwise the peer has nothing of it, or a part after which it gets nothing more
			d.channel.OutputDone(int(r))
		}
		return r
	}
	room, r := d.channel.Input()
	if r < 0 {
		return r
	}
	r = d.readSome(core.NewBuffer(room, int(r)))
	if r == core.End { // the next step reports it
		r = 0
	}
	if r >= 0 && d.err == nil {
		d.channel.InputDone(int(r))
	}
	return r
}

// waitForHandshake performs the handshake, and waits as long as that takes. The mutexes of the directions are held.
func (c *Channel) waitForHandshake() (core.Result, error) {
	for _, d := range []*direction{&c.conn.in, &c.conn.out} {
		d.needExtras()
		d.channel = c.memory.Channel
	}
	for {
		r := c.memory.Handshake()
		if !r.Busy() {
			return r, nil
		}
		d := &c.conn.in
		if _, r := c.memory.Output(); r > 0 {
			d = &c.conn.out
		}
		if _, err := c.conn.run(d, channelMove); err != nil {
			return 0, err
		}
	}
}

// openRoom does nothing: no memory is shared.
func (systemChannel) openRoom() error { return nil }

func (systemChannel) shared() bool { return false }

// sender returns the direction that sends.
func (c *Channel) sender() *direction { return &c.conn.out }

// run performs an operation whose arguments are set. If the peer breaks the protocol, it closes the connection, which
// ends an operation of the other direction.
func (c *Channel) run(d *direction, o *operation) (int, error) {
	d.start(o) // before the checks, which may end the operation without a call
	err := d.interrupted()
	if err == nil {
		_, err = c.conn.run(d, o)
	}
	if d.result.Violated() {
		_ = c.conn.close()
	}
	if err == net.ErrClosed && !c.closed.Load() { // the peer broke the protocol, of which the core reminds every call
		_, r := c.memory.Output()
		err = r.Err()
	}
	return d.done, err
}

func (d *direction) channelSendMessage(uintptr) core.Result { return d.channel.SendBuffers(d.buffers) }
func (d *direction) channelMessage(uintptr) core.Result     { return d.channel.ReceiveBuffers(d.buffers) }

// sending returns the endpoint of the direction that sends.
func (c *Channel) sending() *Endpoint { return c.conn }

// sendMessage sends a message. The sender is locked.
func (c *Channel) sendMessage(buffers [][]byte, files []*os.File, fill func(*core.Ancillary) error) (int, error) {
	if err := nothingTravels(files, fill); err != nil {
		return 0, err
	}
	d := c.sender()
	d.pin(buffers)
	defer d.unpin()
	return c.runSend(d, channelSendMessage)
}

// receiveMessage receives a message. The receiver is locked.
func (c *Channel) receiveMessage(buffers [][]byte, files int, received func(*core.Ancillary)) (int, error) {
	d := &c.conn.in
	d.pin(buffers)
	defer d.unpin()
	n, err := c.runReceive(channelMessage)
	if d.result.Truncated() {
		n = size(buffers)
	}
	return n, err
}

func (c *Channel) setReceiveDeadline(t time.Time) error {
	return closedAnyway(c.conn.SetReadDeadline(t))
}

func (c *Channel) setSendDeadline(t time.Time) error {
	return closedAnyway(c.conn.SetWriteDeadline(t))
}

// closedAnyway returns nil for the error of a connection that is closed although its channel is, or was until now,
// open: the peer broke the protocol, which operations report.
func closedAnyway(err error) error {
	if err == net.ErrClosed {
		return nil
	}
	return err
}

// closeLocked closes the connection, which ends all operations.
func (c *Channel) closeLocked() error {
	err := closedAnyway(c.conn.close())
	for _, d := range []*direction{&c.conn.in, &c.conn.out} {
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	c.memory.drop()
	return err
}
