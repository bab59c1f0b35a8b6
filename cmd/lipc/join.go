package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A joint is how a connection is joined to standard input and output.
type joint struct {
	send, receive bool
	hold          bool // do not end the writing half when standard input has ended
}

// goneInterval is how often to check whether a peer that has shut down its writing half is still there.
const goneInterval = 100 * time.Millisecond

// join joins a connection to standard input and output until both directions have ended, and then closes it. It does
// not wait for the end of standard input if the peer is gone. Nor does it wait if standard input is a terminal and the
// peer has sent something and ended: the user would have to end the input by hand after each transfer. (A peer that
// sent nothing may still want to receive something.)
func join(ctx context.Context, c connection, j joint) error {
	defer c.Close()
	input, output := &counted{file: os.Stdin}, &counted{file: os.Stdout}
	sent, received := make(chan error, 1), make(chan error, 1)
	if j.send {
		go func() { sent <- c.send(input) }()
	} else {
		sent = nil
	}
	if j.receive {
		go func() { received <- c.receive(output) }()
	} else {
		received = nil
	}
	look := time.NewTicker(goneInterval)
	defer look.Stop()
	var lost error // what could not be sent
	for sent != nil || received != nil {
		select {
		case err := <-sent:
			sent = nil
			if errors.Is(err, syscall.EPIPE) { // but it may have sent something before
				lost = fmt.Errorf("the peer is gone, and not all of standard input was sent: %w", err)
				continue
			}
			if err != nil {
				return err
			}
			if j.hold || received == nil {
				continue
			}
			if done, err := endSending(c, input.any.Load()); done || err != nil {
				return err
			}
		case err := <-received:
			received = nil
			if err != nil {
				return err
			}
			if m, ok := c.(*messages); ok && m.most > 0 {
				return lost // -count messages have come
			}
			if output.any.Load() && terminal(os.Stdin) {
				return lost
			}
		case <-look.C:
			idle := sent == nil || input.waits.Load() // otherwise sending is about to fail
			if received == nil && j.receive && idle && gone(c) {
				return lost
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return lost
}

// endSending shuts down the writing half. If the system has no half-closes, it reports instead whether the connection
// is to be closed: it is done if anything was sent.
func endSending(c connection, any bool) (done bool, err error) {
	err = c.CloseWrite()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return any, nil
	case errors.Is(err, syscall.ENOTCONN), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return false, nil // the peer is gone; receive reports it
	default:
		return false, err
	}
}

// counted is a file that records whether anything was read or written, and whether a read is under way.
type counted struct {
	file       *os.File
	any, waits atomic.Bool
}

func (c *counted) Read(b []byte) (int, error) {
	c.waits.Store(true)
	defer c.waits.Store(false)
	n, err := c.file.Read(b)
	if n > 0 {
		c.any.Store(true)
	}
	return n, err
}

func (c *counted) Write(b []byte) (int, error) {
	c.any.Store(true)
	return c.file.Write(b)
}
