package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/lipc/ipc/internal/core"
)

// channelMemory is the core's channel, with the memory that it shares. It stays as long as anything of it is in use.
type channelMemory struct {
	core.Channel
	budget *core.ChannelBudget
	users  *atomic.Int32 // the open channel, what is reserved, and a message that is lent
	stop   runtime.Cleanup
}

// own notes the core's channel, which from then on closes the connection. If c is forgotten, the channel is freed.
func (c *Channel) own(channel core.Channel, budget *core.ChannelBudget) {
	c.memory = channelMemory{Channel: channel, budget: budget, users: new(atomic.Int32)}
	c.memory.users.Store(1)
	c.conn.channel.Store(c)
	c.memory.stop = runtime.AddCleanup(c, channelMemory.free, c.memory)
}

// free gives the memory back to the budget, which must not have been freed before.
func (m channelMemory) free() {
	m.Free()
	runtime.KeepAlive(m.budget)
}

// drop ends a use of the memory.
func (m *channelMemory) drop() {
	if m.users.Add(-1) == 0 {
		m.stop.Stop()
		m.free()
	}
}

// A Channel transfers messages and bytes through memory that it shares with its peer, or over its connection.
type Channel struct {
	conn   *Endpoint
	memory channelMemory
	isOpen atomic.Bool // the handshake succeeded
	closed atomic.Bool // changes while mu is held

	// The mutexes of conn.in and of the sender guard these.
	lent, reserved bool

	systemChannel

	mu       sync.Mutex    // guards what follows
	limits   [2]time.Time  // the deadlines of reading and of writing, as long as the channel is not open
	changed  chan struct{} // closed when one of them changes
	finished chan struct{} // closed when the handshake is over
	err      error         // of the handshake
}

// Start begins a channel on an open connection, which becomes the channel's. Handshake must follow.
func (c *Channel) Start(conn *Endpoint, o core.ChannelOptions) error {
	if conn.channel.Load() != nil {
		return errChannel
	}
	c.conn, c.changed, c.finished = conn, make(chan struct{}), make(chan struct{})
	return conn.Control(func(handle uintptr) core.Result {
		channel, r := startChannel(conn, handle, o)
		if r >= 0 {
			c.own(channel, o.Budget)
		}
		return r
	})
}

// runSend performs an operation that sends. It gives up what is left of a message after an error.
func (c *Channel) runSend(d *direction, o *operation) (int, error) {
	n, err := c.run(d, o)
	if err != nil && !c.closed.Load() { // otherwise the memory may be freed
		c.memory.Cancel()
	}
	return n, err
}

// runReceive performs an operation that receives. It keeps what has come of a message after an error.
func (c *Channel) runReceive(o *operation) (int, error) {
	if c.lent && o != channelNext && !c.closed.Load() {
		return 0, core.Invalidf("the message that Next returned was not released")
	}
	n, err := c.run(&c.conn.in, o)
	if err != nil && !c.closed.Load() {
		c.memory.Keep()
	}
	return n, err
}

// send performs an operation on data.
func (c *Channel) send(o *operation, data []byte) (int, error) {
	if err := c.opened(core.Writing); err != nil {
		return 0, err
	}
	d := c.sender()
	d.mu.Lock()
	n, err := c.sendLocked(d, o, data)
	d.mu.Unlock()
	return n, err
}

func (c *Channel) sendLocked(d *direction, o *operation, data []byte) (int, error) {
	d.data = data
	n, err := c.runSend(d, o)
	d.data = nil
	return n, err
}

// receive performs an operation on data.
func (c *Channel) receive(o *operation, data []byte) (int, error) {
	if err := c.opened(core.Reading); err != nil {
		return 0, err
	}
	d := &c.conn.in
	d.mu.Lock()
	n, err := c.receiveLocked(d, o, data)
	d.mu.Unlock()
	return n, err
}

func (c *Channel) receiveLocked(d *direction, o *operation, data []byte) (int, error) {
	d.data = data
	n, err := c.runReceive(o)
	d.data = nil
	return n, err
}

// SendContext is Send, until the context ends.
func (c *Channel) SendContext(ctx context.Context, b []byte) error {
	_, err := c.sendWithin(ctx, func(d *direction) (int, error) { return c.sendLocked(d, channelSend, b) })
	return c.explainSize(len(b), err)
}

// ReceiveContext is Receive, until the context ends.
func (c *Channel) ReceiveContext(ctx context.Context, b []byte) (int, error) {
	return c.receiveWithin(ctx, func(d *direction) (int, error) { return c.receiveLocked(d, channelReceive, b) })
}

// sendWithin locks the sender and calls send, until the context ends.
func (c *Channel) sendWithin(ctx context.Context, send func(*direction) (int, error)) (int, error) {
	if err := c.openedWithin(ctx, core.Writing); err != nil {
		return 0, err
	}
	e, d := c.sending(), c.sender()
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := send(d)
	return n, e.finish(ctx, d, end, err)
}

// receiveWithin locks the receiver and calls receive, until the context ends.
func (c *Channel) receiveWithin(ctx context.Context, receive func(*direction) (int, error)) (int, error) {
	if err := c.openedWithin(ctx, core.Reading); err != nil {
		return 0, err
	}
	e, d := c.conn, &c.conn.in
	end, err := e.begin(ctx, d)
	if err != nil {
		return 0, err
	}
	n, err := receive(d)
	return n, e.finish(ctx, d, end, err)
}

// Send sends a message.
func (c *Channel) Send(b []byte) error {
	_, err := c.send(channelSend, b)
	return c.explainSize(len(b), err)
}

// explainSize adds the limit to the error of a message that is too large.
func (c *Channel) explainSize(size int, err error) error {
	if !errors.Is(err, syscall.EMSGSIZE) {
		return err
	}
	d := c.sender()
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.closed.Load() {
		return err
	}
	limit := c.memory.MessageLimit()
	if size <= int(limit) { // which leaves Reserve's
		limit = c.memory.ReserveLimit()
	}
	return fmt.Errorf("%d bytes, at most %d: %w", size, limit, err)
}

// Write writes all of b.
func (c *Channel) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, c.Usable()
	}
	return c.send(channelWrite, b)
}

// SendBatch sends messages one after the other, and returns how many were sent.
func (c *Channel) SendBatch(messages [][]byte) (int, error) {
	if err := c.opened(core.Writing); err != nil || len(messages) == 0 {
		return 0, err
	}
	d := c.sender()
	d.mu.Lock()
	d.setMessages(messages)
	n, err := c.runSend(d, channelSendBatch)
	d.messages = nil
	d.mu.Unlock()
	if n < len(messages) {
		err = c.explainSize(len(messages[n]), err)
	}
	return n, err
}

// SendMessage sends a message with files, and with what fill adds, until the context ends.
func (c *Channel) SendMessage(ctx context.Context, buffers [][]byte, files []*os.File,
	fill func(*core.Ancillary) error) (int, error) {
	n, err := c.sendWithin(ctx, func(*direction) (int, error) { return c.sendMessage(buffers, files, fill) })
	return n, c.explainSize(size(buffers), err)
}

// ReceiveMessage is [Endpoint.ReceiveMessage].
func (c *Channel) ReceiveMessage(ctx context.Context, buffers [][]byte, files int, received func(*core.Ancillary)) (
	int, error) {
	return c.receiveWithin(ctx, func(*direction) (int, error) { return c.receiveMessage(buffers, files, received) })
}

// Reserve waits for room for a message, and returns it. It stays until Commit, or until something else is sent.
func (c *Channel) Reserve(size int) ([]byte, error) {
	if size < 0 {
		return nil, core.Invalidf("negative size")
	}
	if err := c.opened(core.Writing); err != nil {
		return nil, err
	}
	room, err := c.reserve(size)
	return room, c.explainSize(size, err)
}

func (c *Channel) reserve(size int) ([]byte, error) {
	d := c.sender()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size = size
	if _, err := c.runSend(d, channelReserve); err != nil {
		return nil, err
	}
	if !c.reserved {
		c.reserved = true
		c.memory.users.Add(1)
	}
	return unsafe.Slice((*byte)(d.lent), size), nil
}

// Commit sends the beginning of what was reserved.
func (c *Channel) Commit(size int) error {
	if err := c.opened(core.Writing); err != nil {
		return err
	}
	if size < 0 {
		return core.Invalidf("negative size")
	}
	d := c.sender()
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.reserved {
		c.reserved = false
		defer c.memory.drop()
	}
	d.size = size
	_, err := c.runSend(d, channelCommit)
	return err
}

// Receive receives a message.
func (c *Channel) Receive(b []byte) (int, error) { return c.receive(channelReceive, b) }

// Read reads the bytes that are there. It returns [io.EOF] at the end.
func (c *Channel) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, c.Usable()
	}
	n, err := c.receive(channelRead, b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// MessageSize waits for a message, and returns its length.
func (c *Channel) MessageSize() (int, error) { return c.receive(channelSize, nil) }

// ReceiveAppend is [Endpoint.ReceiveAppend].
func (c *Channel) ReceiveAppend(b []byte, most int) (appended []byte, excess int, err error) {
	if err := c.opened(core.Reading); err != nil {
		return b, 0, err
	}
	return c.conn.receiveAppend(func() (int, error) { return c.runReceive(channelAppend) }, b, most)
}

// ReceiveBatch waits for a message, receives all messages that are there, and cuts the slices to their lengths.
func (c *Channel) ReceiveBatch(messages [][]byte) (int, error) {
	if err := c.opened(core.Reading); err != nil || len(messages) == 0 {
		return 0, err
	}
	d := &c.conn.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setMessages(messages)
	n, err := c.runReceive(channelReceiveBatch)
	d.messages = nil
	if err == nil && d.cut {
		err = core.ErrTruncated
	}
	return n, err
}

// Next waits for a message, and returns it. It stays until Release, even if the channel is closed meanwhile.
func (c *Channel) Next() ([]byte, error) {
	if err := c.opened(core.Reading); err != nil {
		return nil, err
	}
	d := &c.conn.in
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := c.runReceive(channelNext)
	if err != nil {
		return nil, err
	}
	if !c.lent {
		c.lent = true
		c.memory.users.Add(1)
	}
	return unsafe.Slice((*byte)(d.lent), n), nil
}

// Peek receives a message as Receive does, without removing it.
func (c *Channel) Peek(b []byte) (int, error) { return c.receive(channelPeek, b) }

// Release removes the message that Next returned.
func (c *Channel) Release() {
	if !c.isOpen.Load() {
		return
	}
	d := &c.conn.in
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.lent {
		return
	}
	c.lent = false
	if !c.closed.Load() { // otherwise there is no peer to tell
		c.memory.Release()
	}
	c.memory.drop()
}

// CloseRead makes this end receive the end at once, and the peer's operations that send fail.
func (c *Channel) CloseRead() error {
	if err := c.opened(core.Reading); err != nil {
		return err
	}
	if err := c.conn.Shutdown(core.Reading); err != nil { // which wakes a receiver
		return err
	}
	d := &c.conn.in
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.memory.Shutdown(core.Reading).Err()
}

// CloseWrite makes the peer receive what was sent before, and then the end. It waits for operations that send.
func (c *Channel) CloseWrite() error {
	_, err := c.send(channelFinish, nil)
	return err
}

// Usable returns nil if the channel can be used, otherwise the error of its operations.
func (c *Channel) Usable() error {
	if c.conn == nil {
		return core.ErrZero
	}
	if c.closed.Load() {
		return net.ErrClosed
	}
	return nil
}

// SetReadDeadline sets the deadline of receiving.
func (c *Channel) SetReadDeadline(t time.Time) error { return c.setDeadline(t, core.Reading) }

// SetWriteDeadline sets the deadline of sending.
func (c *Channel) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, core.Writing) }

// SetDeadline sets both deadlines.
func (c *Channel) SetDeadline(t time.Time) error {
	return c.setDeadline(t, core.Reading, core.Writing)
}

func (c *Channel) setDeadline(t time.Time, directions ...core.Direction) error {
	if c.conn == nil {
		return core.ErrZero
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	for _, direction := range directions {
		var err error
		switch {
		case !c.isOpen.Load():
			c.limits[index(direction)] = t
		case direction == core.Reading:
			err = c.setReceiveDeadline(t)
		default:
			err = c.setSendDeadline(t)
		}
		if err != nil {
			return err
		}
	}
	if !c.isOpen.Load() {
		close(c.changed)
		c.changed = make(chan struct{})
	}
	return nil
}

func index(direction core.Direction) int {
	if direction == core.Reading {
		return 0
	}
	return 1
}

// Shared reports whether the channel uses shared memory. It waits for the handshake.
func (c *Channel) Shared() (bool, error) {
	if err := c.opened(core.Reading); err != nil {
		return false, err
	}
	return c.shared(), nil
}

// Close closes the channel and its connection. Operations under way, and all later ones, fail.
func (c *Channel) Close() error {
	if c.conn == nil {
		return core.ErrZero
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.closeLocked()
}
