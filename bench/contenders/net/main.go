//go:build unix

// Net is the contender for package net, and for the pipes of package os.
package main

import (
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/lipc/ipc/bench/contender"
)

func main() {
	contender.Main(map[string]contender.Variant{
		"unix":       {Works: contender.Chatting, Listen: listen("unix"), Dialer: dialer("unix")},
		"unixpacket": {Works: contender.Passing, Listen: listen("unixpacket"), Dialer: dialer("unixpacket")},
		"bufio":      {Works: contender.Buffered, Listen: listen("unix"), Dialer: dialer("unix")},
		"tcp":        {Works: contender.Connecting, Listen: listenTCP, Dialer: dialerTCP},
		"unixgram":   {Works: contender.Single, Listen: listenDatagram, Dialer: dialerDatagram},
		"pipe":       {Works: contender.Single, Listen: listenPipe, Dialer: dialerPipe},
	})
}

func listen(network string) func(j contender.Job) (contender.Listener, error) {
	return func(j contender.Job) (contender.Listener, error) {
		l, err := net.ListenUnix(network, &net.UnixAddr{Name: j.Address, Net: network})
		if err != nil {
			return nil, err
		}
		accept := func() (contender.Conn, error) {
			c, err := l.AcceptUnix()
			return newConn(c), err
		}
		return contender.ListenerOf[contender.Conn]{AcceptConn: accept, CloseAll: l.Close}, nil
	}
}

func dialer(network string) func(j contender.Job) (contender.Dial, error) {
	return func(j contender.Job) (contender.Dial, error) {
		peer := &net.UnixAddr{Name: j.Address, Net: network}
		return func() (contender.Conn, error) {
			c, err := net.DialUnix(network, nil, peer)
			return newConn(c), err
		}, nil
	}
}

// A conn is a connection, and the control data of what it receives.
type conn struct {
	*net.UnixConn
	control []byte
}

func newConn(c *net.UnixConn) *conn { return &conn{UnixConn: c} }

// SendFile keeps the file from being closed meanwhile, as lipc does.
func (c *conn) SendFile(b []byte, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = c.WriteMsgUnix(b, syscall.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}

// ReceiveFile makes the descriptor an os.File, as lipc does.
func (c *conn) ReceiveFile(b []byte) error {
	if c.control == nil {
		c.control = make([]byte, syscall.CmsgSpace(4))
	}
	_, n, _, _, err := c.ReadMsgUnix(b, c.control)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseSocketControlMessage(c.control[:n])
	if err != nil {
		return err
	}
	if len(messages) != 1 {
		return errors.New("a byte came without a file")
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	return os.NewFile(uintptr(fds[0]), "received").Close()
}

// listenTCP writes the port that the system chose to the file address.
func listenTCP(j contender.Job) (contender.Listener, error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(j.Address, []byte(port), 0o600); err != nil {
		return nil, err
	}
	stop := func() error { return errors.Join(l.Close(), os.Remove(j.Address)) }
	return contender.ListenerOf[*net.TCPConn]{AcceptConn: l.AcceptTCP, CloseAll: stop}, nil
}

func dialerTCP(j contender.Job) (contender.Dial, error) {
	text, err := os.ReadFile(j.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(string(text))
	peer := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	return func() (contender.Conn, error) { return net.DialTCP("tcp", nil, peer) }, err
}

// A datagramConn answers the last sender. Close removes the socket file, which would outlive the socket.
type datagramConn struct {
	*net.UnixConn
	peer *net.UnixAddr
}

func (c *datagramConn) Read(b []byte) (n int, err error) {
	n, c.peer, err = c.ReadFromUnix(b)
	return n, err
}

func (c *datagramConn) Write(b []byte) (int, error) { return c.WriteToUnix(b, c.peer) }

func (c *datagramConn) Close() error {
	return errors.Join(c.UnixConn.Close(), os.Remove(c.LocalAddr().String()))
}

func listenDatagram(j contender.Job) (contender.Listener, error) {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: j.Address, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return contender.Sole(&datagramConn{UnixConn: c}), nil
}

// A clientConn is a datagram socket that has a name, so that it can be answered, and is connected to the server.
type clientConn struct{ *net.UnixConn }

func (c clientConn) Close() error {
	return errors.Join(c.UnixConn.Close(), os.Remove(c.LocalAddr().String()))
}

func dialerDatagram(j contender.Job) (contender.Dial, error) {
	own := &net.UnixAddr{Name: j.Address + ".client", Net: "unixgram"}
	peer := &net.UnixAddr{Name: j.Address, Net: "unixgram"}
	return func() (contender.Conn, error) {
		c, err := net.DialUnix("unixgram", own, peer)
		return clientConn{c}, err
	}, nil
}

// A pipeConn is a pipe for each direction.
type pipeConn struct{ r, w *os.File }

func (c pipeConn) Read(b []byte) (int, error)  { return c.r.Read(b) }
func (c pipeConn) Write(b []byte) (int, error) { return c.w.Write(b) }
func (c pipeConn) Close() error                { return errors.Join(c.r.Close(), c.w.Close()) }

// newPipeConn returns the pipes that the process was started with, non-blocking as from os.Pipe: waiting takes no
// thread.
func newPipeConn() (contender.Conn, error) {
	for fd := 3; fd <= 4; fd++ {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	return pipeConn{os.NewFile(3, "reading end"), os.NewFile(4, "writing end")}, nil
}

func listenPipe(contender.Job) (contender.Listener, error) {
	c, err := newPipeConn()
	if err != nil {
		return nil, err
	}
	return contender.Sole(c), nil
}

func dialerPipe(contender.Job) (contender.Dial, error) { return newPipeConn, nil }
