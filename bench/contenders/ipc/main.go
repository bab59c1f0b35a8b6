//go:build unix

// Ipc is the contender for package ipc.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/bench/contender"
)

// spin is for how long a connection of the spinning variants polls before it waits.
const spin = 100 * time.Microsecond

func main() {
	listen, dial := &ipc.ListenConfig{}, &ipc.Dialer{}
	listenSpinning, dialSpinning := &ipc.ListenConfig{Spin: spin}, &ipc.Dialer{Spin: spin}
	contender.Main(map[string]contender.Variant{
		"unix":        stream(contender.Chatting, listen, dial),
		"spin":        stream(contender.Passing, listenSpinning, dialSpinning),
		"bufio":       stream(contender.Buffered, listen, dial),
		"message":     message(contender.Passing, listen, dial),
		"messagespin": message(contender.Passing, listenSpinning, dialSpinning),
		"datagram":    {Works: contender.Single, Listen: listenDatagram, Dialer: dialerDatagram},
		"pipe":        {Works: contender.Single, Listen: listenPipe, Dialer: dialerPipe},

		"channel":         channel(contender.Chatting, ipc.ChannelConfig{}, newChannelConn),
		"channelnospin":   channel(contender.Single, ipc.ChannelConfig{Spin: -1}, newChannelConn),
		"channelbatch":    channel(contender.OneWay, ipc.ChannelConfig{}, newBatchConn),
		"channelzerocopy": channel(contender.Single, ipc.ChannelConfig{RingSize: ringSize}, newZeroCopyConn),
		"channelstream":   channel(contender.Single, ipc.ChannelConfig{}, newStreamOfChannel),
	})
}

var background = context.Background()

func stream(works []string, lc *ipc.ListenConfig, d *ipc.Dialer) contender.Variant {
	listen := func(j contender.Job) (contender.Listener, error) {
		l, err := lc.Listen(background, ipc.Path(j.Address))
		if err != nil {
			return nil, err
		}
		accept := func() (*streamConn, error) {
			c, err := l.AcceptConn(background)
			return &streamConn{Conn: c}, err
		}
		return contender.ListenerOf[*streamConn]{AcceptConn: accept, CloseAll: l.Close}, nil
	}
	dialer := func(j contender.Job) (contender.Dial, error) {
		name := ipc.Path(j.Address)
		return func() (contender.Conn, error) {
			c, err := d.Dial(background, name)
			return &streamConn{Conn: c}, err
		}, nil
	}
	return contender.Variant{Works: works, Listen: listen, Dialer: dialer}
}

// A streamConn is a connection of bytes, and the file that it receives.
type streamConn struct {
	*ipc.Conn
	files [1]*os.File
}

func (c *streamConn) SendFile(b []byte, f *os.File) error {
	_, err := c.SendFiles(b, f)
	return err
}

func (c *streamConn) ReceiveFile(b []byte) error {
	_, n, err := c.ReceiveFiles(b, c.files[:])
	return closed(n, c.files[0], err)
}

// closed closes the file that was received.
func closed(n int, f *os.File, err error) error {
	if err == nil && n != 1 {
		err = errors.New("a byte came without a file")
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func message(works []string, lc *ipc.ListenConfig, d *ipc.Dialer) contender.Variant {
	listen := func(j contender.Job) (contender.Listener, error) {
		l, err := lc.ListenMessage(background, ipc.Path(j.Address))
		if err != nil {
			return nil, err
		}
		accept := func() (*messageConn, error) {
			c, err := l.AcceptConn(background)
			return &messageConn{MessageConn: c}, err
		}
		return contender.ListenerOf[*messageConn]{AcceptConn: accept, CloseAll: l.Close}, nil
	}
	dialer := func(j contender.Job) (contender.Dial, error) {
		name := ipc.Path(j.Address)
		return func() (contender.Conn, error) {
			c, err := d.DialMessage(background, name)
			return &messageConn{MessageConn: c}, err
		}, nil
	}
	return contender.Variant{Works: works, Listen: listen, Dialer: dialer}
}

// A messageConn is a connection of messages, and the file that it receives.
type messageConn struct {
	*ipc.MessageConn
	files [1]*os.File
}

func (c *messageConn) Read(b []byte) (int, error)  { return c.Receive(b) }
func (c *messageConn) Write(b []byte) (int, error) { return len(b), c.Send(b) }

func (c *messageConn) SendFile(b []byte, f *os.File) error {
	_, err := c.SendFiles(b, f)
	return err
}

func (c *messageConn) ReceiveFile(b []byte) error {
	_, n, err := c.ReceiveFiles(b, c.files[:])
	return closed(n, c.files[0], err)
}

// A datagramConn answers the last sender.
type datagramConn struct {
	*ipc.DatagramConn
	peer ipc.Name
}

func (c *datagramConn) Read(b []byte) (n int, err error) {
	n, c.peer, err = c.ReceiveFrom(b)
	return n, err
}

func (c *datagramConn) Write(b []byte) (int, error) { return len(b), c.SendTo(b, c.peer) }

func listenDatagram(j contender.Job) (contender.Listener, error) {
	c, err := ipc.ListenDatagram(ipc.Path(j.Address))
	if err != nil {
		return nil, err
	}
	return contender.Sole(&datagramConn{DatagramConn: c}), nil
}

// dialerDatagram dials by a socket that has a name, so that it can be answered, and is connected to the server.
func dialerDatagram(j contender.Job) (contender.Dial, error) {
	return func() (contender.Conn, error) {
		c, err := ipc.ListenDatagram(ipc.Path(j.Address + ".client"))
		if err != nil {
			return nil, err
		}
		return c, c.Connect(ipc.Path(j.Address))
	}, nil
}

// A pipeConn is a pipe for each direction.
type pipeConn struct {
	*ipc.PipeReader
	w *ipc.PipeWriter
}

func (c pipeConn) Write(b []byte) (int, error) { return c.w.Write(b) }
func (c pipeConn) Close() error                { return errors.Join(c.PipeReader.Close(), c.w.Close()) }

// newPipeConn returns the pipes that the process was started with.
func newPipeConn() (contender.Conn, error) {
	reading, writing := os.NewFile(3, "reading end"), os.NewFile(4, "writing end")
	defer reading.Close() // the pipe ends are duplicates
	defer writing.Close()
	r, err := ipc.FilePipeReader(reading)
	if err != nil {
		return nil, err
	}
	w, err := ipc.FilePipeWriter(writing)
	return pipeConn{r, w}, err
}

func listenPipe(contender.Job) (contender.Listener, error) {
	c, err := newPipeConn()
	if err != nil {
		return nil, err
	}
	return contender.Sole(c), nil
}

func dialerPipe(contender.Job) (contender.Dial, error) { return newPipeConn, nil }
