//go:build linux

// Shmipc is the contender for package shmipc-go of CloudWeGo.
package main

import (
	"errors"
	"io"
	"net"

	"github.com/cloudwego/shmipc-go"

	"github.com/lipc/ipc/bench/contender"
)

func main() {
	shmipc.SetLogLevel(noLog)
	contender.Main(map[string]contender.Variant{
		"stream": {Works: contender.Asking, Listen: listen, Dialer: dialer},
	})
}

// noLog is the level of the package at which it logs nothing. It logs to standard output, which is the driver's.
const noLog = 5

func listen(j contender.Job) (contender.Listener, error) {
	l, err := shmipc.Listen(j.Address)
	if err != nil {
		return nil, err
	}
	accept := func() (contender.Conn, error) {
		c, err := l.Accept()
		return conn{c}, err
	}
	return contender.ListenerOf[contender.Conn]{AcceptConn: accept, CloseAll: l.Close}, nil
}

func dialer(j contender.Job) (contender.Dial, error) {
	config := shmipc.DefaultSessionManagerConfig()
	config.Network, config.Address = "unix", j.Address
	config.MemMapType = shmipc.MemMapTypeMemFd // leaves no files behind
	config.SessionNum = 1
	config.LogOutput = io.Discard
	manager, err := shmipc.NewSessionManager(config)
	if err != nil {
		return nil, err
	}
	return func() (contender.Conn, error) {
		s, err := manager.GetStream()
		if err != nil {
			return nil, err
		}
		return conn{s}, nil
	}, nil
}

// A conn is a stream whose end is io.EOF.
type conn struct{ net.Conn }

func (c conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, shmipc.ErrEndOfStream) || errors.Is(err, shmipc.ErrStreamClosed) {
		err = io.EOF
	}
	return n, err
}
