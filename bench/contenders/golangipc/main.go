//go:build linux || darwin

// Golangipc is the contender of github.com/james-barrow/golang-ipc, without encryption. Its server has one client, and waits
// two milliseconds after each message that it sends.
package main

import (
	"io"
	"path/filepath"

	ipc "github.com/james-barrow/golang-ipc"
	"github.com/lipc/ipc/bench/contender"
)

func main() {
	contender.Main(map[string]contender.Variant{
		"message": {Works: contender.Single, Listen: listen, Dialer: dialer},
	})
}

// name returns the name of a socket beside address. The library puts "/tmp/" in front, and ".sock" behind it.
func name(address string) (string, error) {
	path, err := filepath.Abs(address)
	if err != nil {
		return "", err
	}
	return filepath.Rel("/tmp", path)
}

// A peer is the library's server or client.
type peer interface {
	Read() (*ipc.Message, error)
	Write(kind int, message []byte) error
	Close()
}

// A conn lends the memory that the library makes for each message. Messages can come before the library says, in a message of
// its own, that it is connected, and until then it does not send any.
type conn struct {
	peer
	connected bool
	early     [][]byte
}

// connect waits until the library is connected.
func (c *conn) connect() error {
	for !c.connected {
		m, err := c.peer.Read()
		if err != nil {
			return err
		}
		if m.MsgType > 0 {
			c.early = append(c.early, m.Data)
		}
		c.connected = m.Status == "Connected"
	}
	return nil
}

func (c *conn) Lend(int) ([]byte, error) {
	if err := c.connect(); err != nil {
		return nil, err
	}
	if len(c.early) > 0 {
		b := c.early[0]
		c.early = c.early[1:]
		return b, nil
	}
	m, err := c.peer.Read()
	if err != nil {
		return nil, err
	}
	if m.MsgType < 0 {
		return nil, io.EOF // whatever happened to the connection
	}
	return m.Data, nil
}

func (c *conn) Release() {}

func (c *conn) Read(b []byte) (int, error) {
	data, err := c.Lend(len(b))
	return copy(b, data), err
}

func (c *conn) Write(b []byte) (int, error) { return len(b), c.peer.Write(1, b) }

func (c *conn) Close() error {
	c.peer.Close()
	return nil
}

func listen(j contender.Job) (contender.Listener, error) {
	name, err := name(j.Address)
	if err != nil {
		return nil, err
	}
	s, err := ipc.StartServer(name, &ipc.ServerConfig{})
	if err != nil {
		return nil, err
	}
	return contender.Sole(&conn{peer: s}), nil
}

func dialer(j contender.Job) (contender.Dial, error) {
	name, err := name(j.Address)
	if err != nil {
		return nil, err
	}
	return func() (contender.Conn, error) {
		client, err := ipc.StartClient(name, &ipc.ClientConfig{})
		if err != nil {
			return nil, err
		}
		c := &conn{peer: client}
		return c, c.connect()
	}, nil
}
