//go:build linux && (amd64 || arm64)

// Shmipc is the contender of github.com/cloudwego/shmipc-go, whose connections are streams in the memory that a session of two
// processes shares: here, as in its examples, a memfd of the default size, which is cut to fit the units.
//
// It does not connect: the other process does not learn of a stream before the first message, and a session is no counterpart
// to a connection.
package main

import (
	"errors"
	"fmt"
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
type conn struct {
	*shmipc.Stream
	client bool
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
	if c.client {
		c.ReleaseReadAndReuse()
	} else {
		c.BufferReader().ReleasePreviousRead()
	}
}

func (c conn) Close() error {
	_, stability, _ := c.Session().GetMetrics()
	if stability.FallbackWriteCount+stability.FallbackReadCount > 0 {
		return errors.New("the shared memory was full, so that a part went through a socket")
	}
	return c.Stream.Close()
}

// configure returns the configuration, in which memory is cut to fit the units, as in the library's own benchmark. What slows a
// sender down that is faster than the receiver is that the queue is full. If the memory is full before, that stream goes on
// through a socket, for good, and then it is not shared memory that is measured: only small units stream.
func configure(j contender.Job) (*shmipc.SessionManagerConfig, error) {
	c := shmipc.DefaultSessionManagerConfig()
	c.Network, c.Address = "unix", j.Address
	c.MemMapType, c.InitializeTimeout = shmipc.MemMapTypeMemFd, 100*time.Second // as in the examples
	likely := uint32(j.Size+3)&^3 + 256
	c.BufferSliceSizes = []*shmipc.SizePercentPair{{Size: likely, Percent: 70}, {Size: 16 << 10, Percent: 20},
		{Size: 64 << 10, Percent: 10}}
	if j.Work == "stream" && c.ShareMemoryBufferCap/likely < 8*c.QueueCap {
		return nil, fmt.Errorf("a stream of %d bytes at a time, in the shared memory alone: %w", j.Size, errors.ErrUnsupported)
	}
	return c, nil
}

// A listener accepts the streams of one session after the other.
type listener struct {
	*net.UnixListener
	config  *shmipc.Config
	session *shmipc.Session
}

func listen(j contender.Job) (contender.Listener, error) {
	config, err := configure(j)
	if err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: j.Address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &listener{UnixListener: l, config: config.Config}, nil
}

func (l *listener) Accept() (contender.Conn, error) {
	for {
		if l.session == nil {
			c, err := l.AcceptUnix()
			if err != nil {
				return nil, err
			}
			if l.session, err = shmipc.Server(c, l.config); err != nil {
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
	config, err := configure(j)
	if err != nil {
		return nil, err
	}
	sessions, err := shmipc.NewSessionManager(config)
	return func() (contender.Conn, error) {
		stream, err := sessions.GetStream()
		return conn{stream, true}, err
	}, err
}
