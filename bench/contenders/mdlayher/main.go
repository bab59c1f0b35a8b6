//go:build linux

// Mdlayher is the contender for github.com/mdlayher/socket, with messages.
package main

import (
	"context"
	"errors"
	"os"

	"github.com/lipc/ipc/bench/contender"
	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

func main() {
	contender.Main(map[string]contender.Variant{
		"seqpacket": {Works: contender.Passing, Listen: listen, Dialer: dialer},
	})
}

var background = context.Background()

func newSocket() (*socket.Conn, error) {
	return socket.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0, "seqpacket", nil)
}

func listen(j contender.Job) (contender.Listener, error) {
	l, err := newSocket()
	if err != nil {
		return nil, err
	}
	if err := l.Bind(&unix.SockaddrUnix{Name: j.Address}); err != nil {
		return nil, err
	}
	if err := l.Listen(unix.SOMAXCONN); err != nil {
		return nil, err
	}
	accept := func() (*conn, error) {
		c, _, err := l.Accept(background, 0)
		return &conn{Conn: c}, err
	}
	stop := func() error { return errors.Join(l.Close(), os.Remove(j.Address)) }
	return contender.ListenerOf[*conn]{AcceptConn: accept, CloseAll: stop}, nil
}

func dialer(j contender.Job) (contender.Dial, error) {
	peer := &unix.SockaddrUnix{Name: j.Address}
	return func() (contender.Conn, error) {
		c, err := newSocket()
		if err != nil {
			return nil, err
		}
		_, err = c.Connect(background, peer)
		return &conn{Conn: c}, err
	}, nil
}

// A conn is a connection, and the control data of what it receives.
type conn struct {
	*socket.Conn
	control []byte
}

func (c *conn) SendFile(b []byte, f *os.File) error {
	_, err := c.Sendmsg(background, b, unix.UnixRights(int(f.Fd())), nil, 0)
	return err
}

func (c *conn) ReceiveFile(b []byte) error {
	if c.control == nil {
		c.control = make([]byte, unix.CmsgSpace(4))
	}
	_, n, _, _, err := c.Recvmsg(background, b, c.control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(c.control[:n])
	if err != nil {
		return err
	}
	if len(messages) != 1 {
		return errors.New("a byte came without a file")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	return unix.Close(fds[0])
}
