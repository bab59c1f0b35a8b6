package tests

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSilentClientDelaysNoOther(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	lc := ipc.ListenConfig{Channel: &ipc.ChannelConfig{HandshakeTimeout: 50 * time.Millisecond}}
	l, err := lc.ListenChannel(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	silent := dial(t, name)
	first, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	defer first.Close()
	go func() {
		c, err := ipc.DialChannel(t.Context(), name)
		if assert.NoError(t, err) {
			assert.NoError(t, c.Send([]byte("hello")))
			c.Close()
		}
	}()
	second, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	defer second.Close()
	got, err := second.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	_, err = first.Receive(make([]byte, 1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = silent.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestChannelPeerThatIsNoChannelIsAnError(t *testing.T) {
	leakcheck.Start(t)
	for what, serve := range map[string]func(c net.Conn){
		"EPROTO": func(c net.Conn) {
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_, _ = io.Copy(io.Discard, c)
		},
		"EOF":    func(c net.Conn) {},
		"silent": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		name := newPath(t)
		l := listen(t, name)
		served := make(chan struct{})
		go func() {
			defer close(served)
			if c, err := l.Accept(); err == nil {
				serve(c)
				c.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := ipc.DialChannel(ctx, name)
		cancel()
		switch what {
		case "EPROTO":
			require.ErrorIs(t, err, syscall.EPROTO)
		case "EOF":
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		default:
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.ErrorContains(t, err, "dial ipc "+name.String())
		<-served
		require.NoError(t, l.Close())
	}
}

func TestChannelClientThatIsNoChannelIsAnError(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenChannel(name)
	require.NoError(t, err)
	defer l.Close()
	c := dial(t, name)
	_, err = c.Write([]byte("GET / HTTP/1.1\r\nHost: channel\r\nUser-Agent: a browser, perhaps\r\n\r\n"))
	require.NoError(t, err)
	server, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	_, err = server.Receive(make([]byte, 1))
	require.ErrorIs(t, err, syscall.EPROTO)
	require.ErrorIs(t, server.Send(nil), syscall.EPROTO)
	require.ErrorIs(t, server.Close(), net.ErrClosed)
	_, err = io.ReadAll(c)
	require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
}

func TestPeerThatBreaksTheProtocolEndsBothDirections(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenChannel(name)
	require.NoError(t, err)
	defer l.Close()
	peer := dial(t, name)
	_, err = peer.Write(channelHello)
	require.NoError(t, err)
	c, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	_, err = io.ReadFull(peer, make([]byte, len(channelHello)))
	require.NoError(t, err)
	_, err = peer.Write(make([]byte, 8)) // it chooses no memory
	require.NoError(t, err)
	sent := make(chan error)
	go func() { sent <- c.Send(make([]byte, 8<<20)) }()
	_, err = io.ReadFull(peer, make([]byte, 1)) // c has begun to send, and will wait
	require.NoError(t, err)
	_, err = peer.Write(bytes.Repeat([]byte{0xff}, 8)) // no such record
	require.NoError(t, err)
	_, err = c.Receive(make([]byte, 1))
	require.ErrorIs(t, err, syscall.EPROTO)
	err = <-sent
	require.True(t, errors.Is(err, syscall.EPROTO) || errors.Is(err, syscall.EPIPE), err)
	_, err = io.ReadAll(peer)
	require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
	require.NoError(t, c.SetDeadline(time.Time{}))
	_, err = c.Receive(make([]byte, 1))
	require.ErrorIs(t, err, syscall.EPROTO)
	require.ErrorIs(t, c.Send(nil), syscall.EPROTO)
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.Send(nil), net.ErrClosed)
}

func TestErrorOfTheHandshakeComesBeforeADeadline(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenChannel(name)
	require.NoError(t, err)
	defer l.Close()
	peer := dial(t, name)
	c, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Unix(1, 0)))
	_, err = c.Receive(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = peer.Write([]byte("GET / HTTP/1.1\r\n"))
	require.NoError(t, err)
	_, err = io.ReadAll(peer) // until the handshake is over
	require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
	for range 100 {
		_, err = c.Receive(make([]byte, 1))
		require.ErrorIs(t, err, syscall.EPROTO)
	}
}

func TestChannelsKnowTheirPeers(t *testing.T) {
	leakcheck.Start(t)
	eachChannel(t, func(t *testing.T, a, b *ipc.Channel) {
		for _, c := range []*ipc.Channel{a, b} {
			credentials, err := c.PeerCredentials()
			require.NoError(t, err)
			require.Equal(t, os.Getpid(), credentials.PID)
			require.Equal(t, os.Geteuid(), credentials.UID)
		}
	})
}

func TestChannelOfAConnectionNeedsBothSides(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := pair(t)
	done := make(chan error, 1)
	go func() {
		c, err := theirs.Channel(t.Context(), &ipc.ChannelConfig{Server: true})
		if err == nil {
			_, err = c.Receive(make([]byte, 10))
			c.Close()
		}
		done <- err
	}()
	c, err := ours.Channel(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, c.Send([]byte("x")))
	require.NoError(t, <-done)
	require.NoError(t, c.Close())
}

func TestClosingTheConnectionOfAChannelClosesTheChannel(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := pair(t)
	opened := make(chan *ipc.Channel)
	go func() {
		c, err := theirs.Channel(t.Context(), &ipc.ChannelConfig{Server: true})
		assert.NoError(t, err)
		opened <- c
	}()
	c, err := ours.Channel(t.Context(), nil)
	require.NoError(t, err)
	peer := <-opened
	require.NoError(t, peer.Send(nil))
	_, err = c.Receive(nil)
	require.NoError(t, err)
	require.NoError(t, ours.Close())
	_, err = ours.Channel(t.Context(), nil)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, c.Send([]byte("x")), net.ErrClosed)
	require.ErrorIs(t, c.Close(), net.ErrClosed)
	_, err = peer.Receive(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.NoError(t, peer.Close())
}

func TestConnectionThatBecomesNoChannelIsClosed(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := pair(t)
	_, err := ours.Channel(t.Context(), &ipc.ChannelConfig{MaxMessage: -1})
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = theirs.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestChannelBudgetIsOfTheListener(t *testing.T) {
	leakcheck.Start(t)
	config := &ipc.ChannelConfig{RingSize: 64 << 10, Budget: 300_000}
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	connect := func() (*ipc.Channel, *ipc.Channel) {
		dialled := make(chan *ipc.Channel)
		go func() {
			c, err := ipc.DialChannel(t.Context(), name)
			assert.NoError(t, err)
			dialled <- c
		}()
		server, err := l.AcceptChannel(t.Context())
		require.NoError(t, err)
		return <-dialled, server
	}
	var shared []bool
	var last func()
	for range 4 {
		client, server := connect()
		is, err := server.Shared()
		require.NoError(t, err)
		shared = append(shared, is)
		require.NoError(t, client.Send([]byte("x")))
		_, err = server.Receive(make([]byte, 1))
		require.NoError(t, err)
		last = func() { client.Close(); server.Close() }
		defer last()
		if len(shared) == 1 {
			defer client.Close()
		}
	}
	if shared[0] { // the system shares memory
		require.Equal(t, []bool{true, true, false, false}, shared)
	}
}

func TestClientThatStallsHoldsItsPartOfTheBudgetUntilItsChannelEnds(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	config := &ipc.ChannelConfig{RingSize: 4096, Budget: 3 * 4096, HandshakeTimeout: time.Minute}
	l, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	stalling := dial(t, name)
	hello := make([]byte, 64) // see docs/channel-protocol.md
	copy(hello, "\x89lipc\r\n\x1a")
	for at, word := range map[int]uint32{8: 0x01020304, 12: 64, 20: 1, 24: 4096} {
		binary.NativeEndian.PutUint32(hello[at:], word)
	}
	binary.NativeEndian.PutUint16(hello[16:], 1)
	binary.NativeEndian.PutUint16(hello[18:], 1)
	_, err = stalling.Write(hello)
	require.NoError(t, err)
	stalled, err := l.AcceptChannel(t.Context())
	require.NoError(t, err)
	_, err = io.ReadFull(stalling, hello)
	require.NoError(t, err)
	shares := hello[20]&1 != 0 || hello[23]&1 != 0 // on this system
	for _, first := range []bool{true, false} {
		dialled := make(chan error)
		go func() {
			c, err := ipc.DialChannel(t.Context(), name)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
		c, err := l.AcceptChannel(t.Context())
		require.NoError(t, err)
		shared, err := c.Shared()
		require.NoError(t, err)
		require.Equal(t, shares && !first, shared)
		require.NoError(t, <-dialled)
		require.NoError(t, c.Close())
		if first {
			require.NoError(t, stalling.Close())
			_, err = stalled.Receive(nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.ErrorIs(t, stalled.Close(), net.ErrClosed) // it has ended
		}
	}
}

func TestChannelConfigThatIsInvalidIsRefused(t *testing.T) {
	leakcheck.Start(t)
	for what, config := range map[string]*ipc.ChannelConfig{
		"RingSize": {RingSize: 100}, "RingSize 1073741825": {RingSize: 1<<30 + 1}, "MaxMessage": {MaxMessage: -1},
		"MaxFiles": {MaxFiles: 254}, "Spin": {Spin: time.Second}, "Memory": {Memory: 3}, "Budget": {Budget: -1},
		"Timeout": {HandshakeTimeout: -1},
	} {
		_, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(t.Context(), newPath(t))
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, what)
		_, _, err = ipc.ChannelPair(config)
		require.ErrorContains(t, err, what)
	}
	var c ipc.Channel
	for _, err := range []error{c.Send(nil), c.Close(), c.SetDeadline(time.Time{}), c.CloseWrite(), c.CloseRead(),
		c.SetPassCredentials(true), c.Commit(1)} {
		require.ErrorIs(t, err, syscall.EINVAL)
	}
	c.Release()
	_, err := c.Next()
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestDeathOfAChannelsPeerIsTheEndWheneverItHappened(t *testing.T) {
	leakcheck.Start(t)
	for name, config := range channelConfigs {
		t.Run(name, func(t *testing.T) {
			leakcheck.Start(t)
			path := newPath(t)
			l, err := (&ipc.ListenConfig{Channel: config}).ListenChannel(t.Context(), path)
			require.NoError(t, err)
			defer l.Close()
			for range 5 {
				peer := start(t, "channel peer", path.String())
				c, err := l.AcceptChannel(t.Context())
				require.NoError(t, err)
				got, err := c.ReceiveAppend(nil)
				require.NoError(t, err)
				require.Equal(t, "hello", string(got))
				peer.kill() // while nothing waits
				require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
				_, err = c.Receive(make([]byte, 10))
				require.Equal(t, io.EOF, err)
				for err = nil; err == nil; err = c.Send(make([]byte, 1000)) {
				}
				require.ErrorIs(t, err, syscall.EPIPE)
				require.NoError(t, c.Close())
			}
		})
	}
}
