package ipc

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"sync/atomic"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A MessageConn is a connection of messages. Each message is received as it was sent, whole and in order. On Linux and
// the BSDs it is a SOCK_SEQPACKET socket, and on Windows a named pipe in message mode. macOS has neither: everything
// that returns a MessageConn fails there with [errors.ErrUnsupported]. Any goroutine may call any method at any time.
// Errors are those of [Conn]. Sending and receiving allocate no memory.
//
// On Linux the socket has SO_PASSCRED set, to tell an empty message from end of stream. For that the kernel gives the
// socket a name that it chooses, with the first message that the socket sends, unix(7).
type MessageConn struct {
	packets
}

var _ net.Conn = (*MessageConn)(nil)

// packets is what connections that keep messages apart have in common.
type packets struct {
	conn
	maxMessage atomic.Int64 // for ReceiveAppend; 0 is the default
}

// defaultMaxMessage is what a MaxMessage of 0 stands for.
const defaultMaxMessage = 64 << 20

func checkMaxMessage(bytes int) error {
	if bytes < 0 {
		return core.Invalidf("negative MaxMessage")
	}
	return nil
}

// SetMaxMessage sets the size in bytes of the largest message that ReceiveAppend takes, beginning with the next call.
// Zero means the default, 64 MiB. A negative size is [syscall.EINVAL]. [Dialer].MaxMessage and
// [ListenConfig].MaxMessage set it from the start.
func (c *packets) SetMaxMessage(bytes int) error {
	err := c.end.Usable()
	if err == nil {
		err = checkMaxMessage(bytes)
	}
	if err == nil {
		c.maxMessage.Store(int64(bytes))
	}
	return c.opError("set", err)
}

// Send sends b as one message: all of it, or nothing. It waits for room. An empty b is a message, too.
//
// A message over the system's limit is [syscall.EMSGSIZE], and the error's text has the limit. On Linux the limit is 32
// bytes less than the send buffer ([MessageConn.SetWriteBuffer]), and on other Unix systems about the send buffer. On
// Windows it is 1 GiB, but the system may lack the memory for a smaller message, too.
//
// On Windows, if a message is larger than the pipe's buffer, the receiver may have read a part of it when a deadline
// ends the Send. The receiver then gets [ErrTruncated]. Nothing more is sent from this end, because the receiver could
// take it for the rest: later calls fail with [syscall.EPIPE]. Others that have the same end, for instance by
// [Conn.File], must not send any more either. A message that is no larger than the buffer leaves nothing behind.
func (c *packets) Send(b []byte) error { return c.opError("write", c.end.Send(b)) }

// Receive receives one message into b, and returns its length. It returns [io.EOF] at end of stream; an empty message
// is not the end. If the message does not fit, b has the beginning of it, the rest is lost, and the error is
// [ErrTruncated].
func (c *packets) Receive(b []byte) (int, error) { return c.readResult(c.end.Receive(b)) }

// SendContext is Send with a context, see [Conn.ReadContext]. If ctx ends while a message is being sent, the effect is
// that of a deadline, see Send.
func (c *packets) SendContext(ctx context.Context, b []byte) error {
	return c.opError("write", c.end.SendContext(ctx, b))
}

// ReceiveContext is Receive with a context, see [Conn.ReadContext].
func (c *packets) ReceiveContext(ctx context.Context, b []byte) (int, error) {
	return c.readResult(c.end.ReceiveContext(ctx, b))
}

// Read is Receive, for [net.Conn]: it returns one message, and [ErrTruncated] with the beginning of one that does not
// fit. For an empty message it returns 0 without an error; [io.ReadFull] and package bufio then read on, and do not
// notice the message. Reading into an empty b takes no message, and returns 0 at once, as in package net.
func (c *packets) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return c.readResult(0, c.end.Usable())
	}
	return c.Receive(b)
}

// Write is Send, for [net.Conn].
func (c *packets) Write(b []byte) (int, error) {
	if err := c.Send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReceiveAppend appends one message to b, which grows to take the whole message, and returns the result.
//
// A message that is larger than the limit is dropped. The limit is 64 MiB unless SetMaxMessage, [Dialer].MaxMessage or
// [ListenConfig].MaxMessage set another. ReceiveAppend then returns b unchanged, allocates no memory for the message,
// and the error matches [ErrTruncated]. The error's text has both sizes if the system reports that of the message, see
// MessageSize. The next message is not affected. The sender decides how large a message is: at most 1 GiB on Windows,
// and on other systems what its send buffer takes.
//
// On Windows [ErrTruncated] has a second cause: the message was larger than the pipe's buffer, and its sender took it
// back, because of a deadline or Close, before all of it was read. The part that was read is then appended.
func (c *packets) ReceiveAppend(b []byte) ([]byte, error) {
	most := int(c.maxMessage.Load())
	if most == 0 {
		most = defaultMaxMessage
	}
	b, excess, err := c.end.ReceiveAppend(b, most)
	switch {
	case err == io.EOF:
		return b, err
	case excess > 0:
		err = fmt.Errorf("a message of %d bytes, MaxMessage is %d: %w", excess, most, err)
	case excess < 0:
		err = fmt.Errorf("a message of more than %d bytes, which MaxMessage is: %w", most, err)
	}
	return b, c.opError("read", err)
}

// Peek receives a message as Receive does, without removing it: the next call returns it again. Windows does not report
// when a message arrives, so there Peek looks every 1 to 4 milliseconds.
func (c *packets) Peek(b []byte) (int, error) { return c.readResult(c.end.Peek(b)) }

// MessageSize returns the length of the next message, without removing it. It waits as Peek does. Only Linux and
// Windows report the length; other systems: [errors.ErrUnsupported].
func (c *packets) MessageSize() (int, error) { return c.readResult(c.end.MessageSize()) }

// SendBatch sends messages one after the other, and returns how many were sent. That is less than all only with an
// error.
func (c *packets) SendBatch(messages [][]byte) (int, error) {
	n, err := c.end.SendBatch(messages)
	return n, c.opError("write", err)
}

// ReceiveBatch waits for a message, receives all messages that are there, at most len(messages), and returns how many.
// It cuts each slice to the length of its message. A message that does not fit ends the batch: its slice has the
// beginning of it, it is counted, and the error is [ErrTruncated].
func (c *packets) ReceiveBatch(messages [][]byte) (int, error) {
	return c.readResult(c.end.ReceiveBatch(messages))
}

// LocalAddr is [Conn.LocalAddr], with the network "unixpacket", or on Windows "pipe".
func (c *MessageConn) LocalAddr() net.Addr {
	return endAddress(c.localName(), c.peer(), core.KindMessage)
}

// RemoteAddr is [Conn.RemoteAddr], with the network "unixpacket", or on Windows "pipe".
func (c *MessageConn) RemoteAddr() net.Addr {
	return endAddress(c.peer(), c.localName(), core.KindMessage)
}

// DialMessage connects to a listener for messages, as [Dialer.Dial] does to one for bytes. If the listener is one for
// bytes, the error is [syscall.EPROTOTYPE]. On Windows a client learns a pipe's kind only after it has connected.
// DialMessage then closes the connection at once. A server of this package skips it, unless AcceptConn returned it just
// before that.
func (d *Dialer) DialMessage(ctx context.Context, name Name) (*MessageConn, error) {
	c := new(MessageConn)
	if err := d.dial(ctx, name, &c.conn, core.KindMessage); err != nil {
		return nil, opError("dial", Name{}, name, err)
	}
	c.maxMessage.Store(int64(d.MaxMessage))
	return c, nil
}

// DialMessage connects to a listener for messages with the default options, see [Dialer.Dial].
func DialMessage(ctx context.Context, name Name) (*MessageConn, error) {
	return new(Dialer).DialMessage(ctx, name)
}

// A MessageListener accepts connections of messages. It works like a [Listener], and is a [net.Listener], too. Servers
// that take a net.Listener expect streams: they work with messages only if they read and write whole ones.
type MessageListener struct {
	listener
}

var _ net.Listener = (*MessageListener)(nil)

// ListenMessage listens for connections of messages, as [ListenConfig.Listen] does for connections of bytes.
func (lc *ListenConfig) ListenMessage(ctx context.Context, name Name) (*MessageListener, error) {
	l := new(MessageListener)
	if err := l.listen(ctx, name, lc, core.KindMessage); err != nil {
		return nil, err
	}
	return l, nil
}

// ListenMessage listens for messages with the default options, see [ListenConfig.Listen].
func ListenMessage(name Name) (*MessageListener, error) {
	return new(ListenConfig).ListenMessage(context.Background(), name)
}

// Accept is [MessageListener.AcceptConn] without a context, for [net.Listener]. The net.Conn is a [*MessageConn].
func (l *MessageListener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn(context.Background())
	return netConn(c, err)
}

// AcceptConn waits for a connection, as [Listener.AcceptConn] does.
func (l *MessageListener) AcceptConn(ctx context.Context) (*MessageConn, error) {
	for {
		c := new(MessageConn)
		if admitted, err := l.accept(ctx, &c.conn); err != nil {
			return nil, err
		} else if admitted {
			c.maxMessage.Store(int64(l.maxMessage))
			return c, nil
		}
	}
}

// Incoming returns the connections as they arrive, as [Listener.Incoming] does.
func (l *MessageListener) Incoming(ctx context.Context) iter.Seq2[*MessageConn, error] {
	return incoming(ctx, l.AcceptConn)
}

// Addr is [Listener.Addr], with the network "unixpacket", or on Windows "pipe".
func (l *MessageListener) Addr() net.Addr {
	return endAddress(nameAt(l.name), Name{}, core.KindMessage)
}

// MessagePair returns two connections. Each is the other's peer.
func MessagePair() (*MessageConn, *MessageConn, error) {
	a, b := new(MessageConn), new(MessageConn)
	if err := poll.Pair(&a.end, &b.end, core.KindMessage); err != nil {
		return nil, nil, opError("pair", Name{}, Name{}, err)
	}
	return a, b, nil
}

// FileMessageConn is [FileConn] for a SOCK_SEQPACKET socket.
func FileMessageConn(f *os.File) (*MessageConn, error) {
	c := new(MessageConn)
	if err := c.adopt(f, core.KindMessage); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return c, nil
}

// FileMessageListener is [ListenConfig.FileListener] for a listening SOCK_SEQPACKET socket, with the default options.
func FileMessageListener(f *os.File) (*MessageListener, error) {
	return new(ListenConfig).FileMessageListener(f)
}

// FileMessageListener is [ListenConfig.FileListener] for a listening SOCK_SEQPACKET socket.
func (lc *ListenConfig) FileMessageListener(f *os.File) (*MessageListener, error) {
	l := new(MessageListener)
	if err := l.adopt(f, lc, core.KindMessage); err != nil {
		return nil, err
	}
	return l, nil
}
