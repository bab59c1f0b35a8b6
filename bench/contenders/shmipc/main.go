//go:build linux && (amd64 || arm64)

// Shmipc is the contender of github.com/cloudwego/shmipc-go, whose connections are streams in the memory that a session of two
// processes shares: here, as in its examples, a memfd of the default size.
//
// It does not stream: nothing stops a sender that is faster than the receiver, so that the memory is soon full, and from then
// on that stream goes through a socket. It does not connect either: the other process does not learn of a stream before the
// first message, and a session is no counterpart to a connection.
package main

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/cloudwego/shmipc-go"
	"github.com/lipc/ipc/bench/contender"
)

func main() {
	const silent = 5 // The library would print to standard output. Its errors are returned, too.
	shmipc.SetLogLevel(silent)
	contender.Main(map[string]contender.Variant{
		"stream": {Works: []string{"roundtrip", "idle", "busy"}, Listen: listen, Dialer: dialer},
	})
}

// A conn is a stream, whose memory is lent and not copied when it is read.
type conn struct {
	*shmipc.Stream
	reuse bool // what was read for what is written next
}

func (c conn) Write(b []byte) (int, error) {
	n, err := c.BufferWriter().WriteBytes(b)
	if err != nil {
		return n, err
	}
	return n, c.Flush(false)
}

func (c conn) Lend(size int) ([]byte, error) {
	b, err := c.BufferReader().ReadBytes(size)
	if errors.Is(err, shmipc.ErrEndOfStream) || errors.Is(err, shmipc.ErrStreamClosed) {
		err = io.EOF
	}
	return b, err
}

// Release does, on both sides, what the library's own benchmark does.
func (c conn) Release() {
	if c.reuse {
		c.ReleaseReadAndReuse()
	} else {
		c.BufferReader().ReleasePreviousRead()
	}
}

// A listener accepts the streams of one session after the other.
type listener struct {
	*net.UnixListener
	session *shmipc.Session
}

func listen(j contender.Job) (contender.Listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: j.Address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &listener{UnixListener: l}, nil
}

func (l *listener) Accept() (contender.Conn, error) {
	for {
		if l.session == nil {
			c, err := l.AcceptUnix()
			if err != nil {
				return nil, err
			}
			if l.session, err = shmipc.Server(c, shmipc.DefaultConfig()); err != nil {
				return nil, err
			}
		}
		stream, err := l.session.AcceptStream()
		if err == nil {
			return conn{Stream: stream}, nil
		}
		l.session = nil // Its client is gone.
	}
}

func dialer(j contender.Job) (contender.Dial, error) {
	config := shmipc.DefaultSessionManagerConfig()
	config.Network, config.Address = "unix", j.Address
	config.MemMapType = shmipc.MemMapTypeMemFd
	config.InitializeTimeout = 100 * time.Second // as in the examples
	reuse := j.Work != "idle"                    // which would keep 8 KiB for each connection, and use the memory up
	sessions, err := shmipc.NewSessionManager(config)
	return func() (contender.Conn, error) {
		stream, err := sessions.GetStream()
		return conn{stream, reuse}, err
	}, err
}
