//go:build linux && (amd64 || arm64)

// Shmipc is the contender of github.com/cloudwego/shmipc-go, whose connections are streams in the memory that a session of two
// processes shares: here, as in its examples, a memfd of the default size.
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
		"stream": {Works: []string{"roundtrip", "stream", "idle", "busy"}, Listen: listen, Dialer: dialer},
	})
}

// A conn is a stream, whose memory is lent and not copied when it is read.
type conn struct{ *shmipc.Stream }

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

func (c conn) Release() { c.BufferReader().ReleasePreviousRead() }

// A listener accepts the streams of one session after the other.
type listener struct {
	*net.UnixListener
	session *shmipc.Session
}

func listen(address string) (contender.Listener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
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
			return conn{stream}, nil
		}
		l.session = nil // Its client is gone.
	}
}

func dialer(address string) (contender.Dial, error) {
	config := shmipc.DefaultSessionManagerConfig()
	config.Network, config.Address = "unix", address
	config.MemMapType = shmipc.MemMapTypeMemFd
	config.InitializeTimeout = 100 * time.Second // as in the examples
	sessions, err := shmipc.NewSessionManager(config)
	return func() (contender.Conn, error) {
		stream, err := sessions.GetStream()
		return conn{stream}, err
	}, err
}
