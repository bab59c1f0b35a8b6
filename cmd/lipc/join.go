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

// A joint says how a channel is joined to standard input and output.
type joint struct {
	send, receive bool
	hold          bool // do not tell the peer that standard input has ended
}

// goneInterval is how often to look whether a peer that has ended its sending half is still there.
const goneInterval = 100 * time.Millisecond

// join joins a channel to standard input and output until both directions have ended, and closes it. If what the peer
// sends ends since it is gone, there is no need to wait for standard input; nor where a person could type, who would have
// to end that by hand after each transfer. (A peer that never had anything to send may still want to be told something.)
func join(ctx context.Context, c channel, j joint) error {
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
			if errors.Is(err, syscall.EPIPE) { // but maybe it said something before it went
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
				return lost // as many as were asked for
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

// endSending tells the peer that nothing more comes; where the system has no half-closes by closing the channel, if
// anything was sent: then all is done.
func endSending(c channel, any bool) (done bool, err error) {
	err = c.CloseWrite()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return any, nil
	case errors.Is(err, syscall.ENOTCONN), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return false, nil // the peer is gone, which receiving tells
	default:
		return false, err
	}
}

// counted is a file of which it is known whether anything was moved, and whether somebody waits for more to read.
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
