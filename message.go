package ipc

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A MessageConn is a connection of messages: each is received as it was sent, whole and in order. It is a
// SOCK_SEQPACKET socket, which Linux and the BSDs have for local sockets, and on Windows a named pipe in message mode;
// on macOS, which has neither, everything that makes one fails with [errors.ErrUnsupported]. All methods may be called
// from any goroutine, at any time, and the errors are those of [Conn]. Sending and receiving allocate nothing.
//
// On Linux the socket has SO_PASSCRED set, since that tells an empty message from the end, and therefore gets a name
// of the kernel's choice with the first message that it sends, unix(7).
type MessageConn struct {
	packets
}

// packets is what connections that keep the boundaries of what is sent have in common.
type packets struct {
	conn
	maxMessage atomic.Int64 // for ReceiveAppend; 0 is the default
}

// defaultMaxMessage is what a MaxMessage of 0 means.
const defaultMaxMessage = 64 << 20

func checkMaxMessage(bytes int) error {
	if bytes < 0 {
		return core.Invalidf("negative MaxMessage")
	}
	return nil
}

// SetMaxMessage sets the size of the largest message that ReceiveAppend takes, in bytes, from the next call on. Zero is
// the default, 64 MiB, and a negative size is [syscall.EINVAL]. [Dialer].MaxMessage and [ListenConfig].MaxMessage set
// it from the start.
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

// Send sends b as one message: all of it, or none and an error. It waits for room. A message over the system's limit is
// [syscall.EMSGSIZE], with the limit in the error's text: on Linux that is 32 bytes less than the send buffer
// ([MessageConn.SetWriteBuffer]), on Windows 1 GiB, or what memory there is, elsewhere about the send buffer. An empty
// b is a message, too.
//
// On Windows the receiver may have read a part of a message that is larger than the pipe's buffer when a deadline ends
// the Send. The receiver gets [ErrTruncated] then, and nothing more is sent from this end: later calls fail with
// [syscall.EPIPE], and others that have this end, as after [Conn.File], must not send either. Of a message that is no
// larger than the buffer nothing is left.
func (c *packets) Send(b []byte) error { return c.opError("write", c.end.Send(b)) }

// Receive receives one message into b, and returns its length. The end is [io.EOF]; an empty message is not. If the
// message does not fit, b holds its beginning, the rest is lost, and the error is [ErrTruncated].
func (c *packets) Receive(b []byte) (int, error) { return c.readResult(c.end.Receive(b)) }

// ReceiveAppend appends one message to b, which grows to take it whole, and returns the result.
//
// A message that is larger than SetMaxMessage, [Dialer].MaxMessage or [ListenConfig].MaxMessage allow, by default 64
// MiB, is dropped: b is returned as it was, no memory is allocated for the message, and the error matches
// [ErrTruncated]. Its text has both sizes, where the system reports the message's, see MessageSize. The next message is
// not affected. How large a message can be is up to the sender: on Windows at most 1 GiB, elsewhere as much as its send
// buffer takes.
//
// On Windows a message that is larger than the pipe's buffer, and that its sender took back when a deadline or Close
// came before all of it was read, is [ErrTruncated], too; then what was read of it is appended.
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

// Peek is Receive, but leaves the message there to be received. On Windows, which does not tell when one comes, it looks
// every 1 to 4 milliseconds.
func (c *packets) Peek(b []byte) (int, error) { return c.readResult(c.end.Peek(b)) }

// MessageSize returns the length of the next message without taking it. It waits until there is one, as Peek does. Only
// Linux and Windows tell; elsewhere the error is [errors.ErrUnsupported].
func (c *packets) MessageSize() (int, error) { return c.readResult(c.end.MessageSize()) }

// SendBatch sends messages one after the other, and returns how many were sent. It is fewer than all only with an error.
func (c *packets) SendBatch(messages [][]byte) (int, error) {
	n, err := c.end.SendBatch(messages)
	return n, c.opError("write", err)
}

// ReceiveBatch waits for a message, receives as many as are there and messages has room for, and returns how many. Each
// slice is cut to the length of its message. One that does not fit ends the batch, filled and counted, with
// [ErrTruncated].
func (c *packets) ReceiveBatch(messages [][]byte) (int, error) {
	return c.readResult(c.end.ReceiveBatch(messages))
}

// DialMessage is [Dialer.Dial] for messages. A name that listens for bytes is [syscall.EPROTOTYPE].
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

// A MessageListener accepts connections of messages. It is to [MessageConn] what [Listener] is to [Conn], except that it
// is no [net.Listener], whose connections are streams: it has AcceptConn and Incoming, and no Accept.
type MessageListener struct {
	listener
}

// ListenMessage is [ListenConfig.Listen] for messages.
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

// AcceptConn waits for a connection, as [Listener.AcceptConn] does.
func (l *MessageListener) AcceptConn(ctx context.Context) (*MessageConn, error) {
	c := new(MessageConn)
	if err := l.accept(ctx, &c.conn); err != nil {
		return nil, err
	}
	c.maxMessage.Store(int64(l.maxMessage))
	return c, nil
}

// Incoming returns the connections as they come, as [Listener.Incoming] does.
func (l *MessageListener) Incoming(ctx context.Context) iter.Seq2[*MessageConn, error] {
	return incoming(ctx, l.AcceptConn)
}

// MessagePair returns two connections, each the other's peer.
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
