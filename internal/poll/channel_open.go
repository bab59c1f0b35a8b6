package poll

// The handshake that opens a channel.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// Open makes a connection a channel, or closes it.
func (c *Channel) Open(ctx context.Context, conn *Endpoint, o core.ChannelOptions) error {
	if err := c.Start(conn, o); err != nil {
		_ = conn.Close()
		return err
	}
	return c.Handshake(ctx)
}

// Handshake opens the channel. It closes the channel if it fails. Only one goroutine may call it, and only once.
func (c *Channel) Handshake(ctx context.Context) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = c.conn.SetDeadline(time.Unix(1, 0))
	})
	err := c.shakeHands()
	if !stop() {
		<-interrupted
		if err != nil {
			err = ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		err = net.ErrClosed
	}
	if err == nil {
		err = c.openLocked()
	}
	c.err = err
	close(c.finished)
	if err != nil && !c.closed.Swap(true) {
		_ = c.closeLocked()
	}
	return err
}

// shakeHands performs the handshake, and waits as long as that takes.
func (c *Channel) shakeHands() error {
	for _, d := range []*direction{&c.conn.in, &c.conn.out} {
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	r, err := c.waitForHandshake()
	if err == nil && r < 0 {
		err = c.memory.HandshakeErr(r)
	}
	switch {
	case err == io.EOF || errors.Is(err, syscall.EPIPE): // the peer closed it before or after what it was sent
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	default:
		return c.openRoom()
	}
}

// openLocked makes the channel ready for its operations.
func (c *Channel) openLocked() error {
	for _, d := range []*direction{&c.conn.in, c.sender()} {
		d.needExtras()
		d.channel, d.shared = c.memory.Channel, c.shared()
	}
	err := c.setReceiveDeadline(c.limits[0])
	if err == nil {
		err = c.setSendDeadline(c.limits[1])
	}
	c.isOpen.Store(err == nil)
	return err
}

// opened waits for the handshake, at most as long as the deadline of a direction allows.
func (c *Channel) opened(direction core.Direction) error {
	if c.isOpen.Load() {
		return nil
	}
	return c.openedWithin(context.Background(), direction)
}

// openedWithin is opened, until the context ends.
func (c *Channel) openedWithin(ctx context.Context, direction core.Direction) error {
	if c.isOpen.Load() {
		return nil
	}
	if c.conn == nil {
		return core.ErrZero
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.mu.Lock()
		limit, changed := c.limits[index(direction)], c.changed
		c.mu.Unlock()
		select {
		case <-c.finished:
			return c.err
		default:
		}
		if !limit.IsZero() && time.Until(limit) <= 0 {
			return os.ErrDeadlineExceeded
		}
		c.waitUntil(ctx, limit, changed)
	}
}

// waitUntil waits until the handshake is over, the deadlines were changed, a time has come, or the context ends.
func (c *Channel) waitUntil(ctx context.Context, limit time.Time, changed <-chan struct{}) {
	var passed <-chan time.Time
	if !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-c.finished:
	case <-changed:
	case <-passed:
	case <-ctx.Done():
	}
}

// ChannelPair opens both ends of a channel, with their connections.
func ChannelPair(a, b *Channel, connA, connB *Endpoint, o core.ChannelOptions) error {
	if err := Pair(connA, connB, core.KindStream); err != nil {
		return err
	}
	accepting := o
	o.Accepting, accepting.Accepting = false, true
	err := a.Start(connA, o)
	if err == nil {
		err = b.Start(connB, accepting)
	}
	if err == nil {
		accepted := make(chan error)
		go func() { accepted <- b.Handshake(context.Background()) }()
		err = errors.Join(a.Handshake(context.Background()), <-accepted)
	}
	if err != nil {
		_, _ = connA.Close(), connB.Close()
	}
	return err
}
