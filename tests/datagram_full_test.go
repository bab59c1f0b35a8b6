//go:build unix

package tests

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSendToAFullReceiverWaitsUntilThereIsRoom(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	p := start(t, "receiver", name.String())
	p.expect("listening")
	const count = 300
	opened, dialled, travelling := openDatagram(t), dialDatagram(t, name), openDatagram(t)
	for method, send := range map[string]func(b []byte) error{
		"sendTo": func(b []byte) error { return opened.SendTo(b, name) },
		"send":   dialled.Send,
		"sendMessage": func(b []byte) error {
			_, err := travelling.SendMessage(&ipc.Message{Buffers: [][]byte{b}, Peer: name})
			return err
		},
	} {
		sent := make(chan error)
		go func() {
			for i := range count {
				if err := send(fmt.Append(nil, i)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		waitsIn(t, method)
		p.order("drain %d", count) // in order, and each once
		require.NoError(t, <-sent, method)
		p.expect("drained")
	}
}

func TestSenderWaitsForAReceiverThatOthersHaveFilled(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 4096)
	name := newPath(t)
	server := listenDatagram(t, name)
	for method, send := range map[string]func(c *ipc.DatagramConn) error{
		"sendTo": func(c *ipc.DatagramConn) error { return c.SendTo([]byte("me"), name) },
		"send":   func(c *ipc.DatagramConn) error { return c.Send([]byte("me")) },
		"sendMessage": func(c *ipc.DatagramConn) error {
			_, err := c.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("me")}, Peer: name})
			return err
		},
	} {
		fillConn(t, dialDatagram(t, name))
		c, state := openDatagram(t), "sleep" // the poller does not report this, so the call tries again after a pause
		if method == "send" {
			require.NoError(t, c.Connect(name))
			state = "IO wait"
		}
		sent := make(chan error)
		go func() { sent <- send(c) }()
		waitsIn(t, method, state)
		for n := 0; string(b[:n]) != "me"; {
			var err error
			require.NoError(t, server.SetReadDeadline(time.Now().Add(patience)))
			n, err = server.Receive(b)
			require.NoError(t, err, method)
		}
		require.NoError(t, <-sent)
	}
}

func TestWaitForAFullReceiverEndsWithDeadlinesAndClose(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listenDatagram(t, name)
	fillConn(t, dialDatagram(t, name))
	b := make([]byte, 1000)
	for what, send := range map[string]func(c *ipc.DatagramConn) error{
		"sendTo":  func(c *ipc.DatagramConn) error { return c.SendTo(b, name) },
		"sendTo ": func(c *ipc.DatagramConn) error { _, err := c.WriteTo(b, name); return err },
		"sendMessage": func(c *ipc.DatagramConn) error {
			_, err := c.SendMessage(&ipc.Message{Buffers: [][]byte{b}, Peer: name})
			return err
		},
		"send":      func(c *ipc.DatagramConn) error { return c.Send(b) },
		"send ":     func(c *ipc.DatagramConn) error { _, err := c.Write(b); return err },
		"sendBatch": func(c *ipc.DatagramConn) error { _, err := c.SendBatch([][]byte{b}); return err },
	} {
		method := strings.TrimSpace(what)
		c := dialDatagram(t, name)
		for _, wait := range []time.Duration{-time.Second, 5 * time.Millisecond} {
			require.NoError(t, c.SetWriteDeadline(time.Now().Add(wait)))
			err := send(c)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, what)
			require.ErrorContains(t, err, "write ipc", what)
			require.ErrorContains(t, err, name.String(), what)
		}
		require.NoError(t, c.SetWriteDeadline(time.Time{}))
		ended := make(chan error)
		for _, end := range []func() error{
			func() error { return c.SetDeadline(time.Unix(1, 0)) }, c.Close,
		} {
			require.NoError(t, c.SetDeadline(time.Time{}))
			go func() { ended <- send(c) }()
			waitsIn(t, method)
			require.NoError(t, end())
			err := <-ended
			interrupted := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
			require.True(t, interrupted, "%s: %v", what, err)
		}
		require.ErrorIs(t, send(c), net.ErrClosed, what)
	}
}

func TestCloseOfADatagramSocketIsSafeAtAnyTime(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	expected := []error{net.ErrClosed, syscall.ECONNREFUSED, syscall.ENOTCONN, syscall.ECONNRESET, syscall.EADDRINUSE,
		fs.ErrNotExist, io.EOF}
	for round := range 200 {
		aName := ipc.Path(filepath.Join(dir, fmt.Sprint("a", round)))
		bName := ipc.Path(filepath.Join(dir, fmt.Sprint("b", round)))
		a, err := ipc.ListenDatagram(aName)
		require.NoError(t, err)
		b, err := ipc.ListenDatagram(bName)
		require.NoError(t, err)
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error {
				for range 20 { // more than there is room for
					if err := b.SendTo(make([]byte, 100), aName); err != nil {
						return err
					}
				}
				return nil
			},
			func() error { _, _, err := a.ReceiveFrom(make([]byte, 100)); return err },
			func() error { _, _, err := b.ReadFrom(make([]byte, 100)); return err },
			func() error { _, err := a.WriteTo([]byte("x"), bName); return err },
			func() error { return b.Connect(aName) },
			func() error { return b.Connect(ipc.Name{}) },
			func() error { return b.Send([]byte("x")) },
			func() error { _, err := b.SendBatch([][]byte{{1}, {2}}); return err },
			func() error { b.RemoteAddr(); b.SetUnlinkOnClose(true); return nil },
			func() error { return b.SetDeadline(time.Now().Add(time.Hour)) },
			func() error { _, err := a.PeerCredentials(); return err },
			a.Close, b.Close,
		} {
			group.Go(func() {
				err := work()
				for _, e := range expected {
					if errors.Is(err, e) {
						return
					}
				}
				if err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		require.NoFileExists(t, aName.String())
		require.NoFileExists(t, bName.String())
	}
}
