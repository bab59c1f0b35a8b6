package ipc

import (
	"context"
	"io"
	"iter"
	"math"
	"net"
	"os"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A Channel is an end of the fastest connection between two processes. It carries messages, and with [Channel.Stream]
// bytes, through memory that both processes share. [DialChannel], [ChannelListener], [ChannelPair] and [Conn.Channel]
// return one. The peer must be a channel, too, of this package or of the C library (lipc_channel.h).
//
// A message takes no system call as long as the peer is awake. The local connection that the channel was made of stays
// open: it says who the peer is, carries open files, wakes a peer that waits, and reports its death. Where memory
// cannot be shared, the same messages go over the connection, and only the speed differs, see [Channel.Shared].
//
// A message can be larger than the memory, up to the limit that the receiver set, see [ChannelConfig].MaxMessage. A
// receiver gets all that was sent before the peer closed or died, and then [io.EOF]. If the peer breaks the protocol,
// the error is [syscall.EPROTO], and nothing more arrives. Whatever a peer does, it cannot make this process read or
// write outside of the shared memory.
//
// Any goroutine may call any method at any time. Sends are performed one after the other, and so are receives. They
// allocate no memory. Before they wait they spin, see [ChannelConfig].Spin; while they wait they take no thread. An
// idle Channel takes no processor time. Errors are those of [Conn]. The methods of a zero Channel fail with
// [syscall.EINVAL].
//
// Only Linux shares memory so far. On Windows files and credentials with a message, and CloseRead, fail with
// [errors.ErrUnsupported]: named pipes have neither.
type Channel struct {
	conn *conn
	end  poll.Channel
}

// ChannelMemory says whether a channel shares memory.
type ChannelMemory int

// PreferMemory shares memory if both ends can, and the listener's budget allows it; otherwise everything goes over the
// connection. RequireMemory shares memory or fails: with [syscall.ENOMEM] if the budget is used up, otherwise with
// [errors.ErrUnsupported]. NeverMemory sends everything over the connection.
const (
	PreferMemory  = ChannelMemory(core.PreferMemory)
	RequireMemory = ChannelMemory(core.RequireMemory)
	NeverMemory   = ChannelMemory(core.NeverMemory)
)

// ChannelConfig holds the options of channels. The zero value is the default. With a value that is out of range the
// channel is not opened, and the error is [syscall.EINVAL].
type ChannelConfig struct {
	// RingSize is the size of the memory of each direction in bytes, 4096 to 1 GiB. It is rounded up to a power of two.
	// Zero means 256 KiB. If the ends have different sizes, both directions have the smaller one. RingSize limits how
	// much can be under way, not how large a message can be. Memory is in use only as far as the receiver lags behind.
	RingSize int

	// MaxMessage is the size in bytes of the largest message that this end receives. Zero means 16 MiB. The peer learns
	// it when the channel is opened, and its larger messages fail with [syscall.EMSGSIZE].
	MaxMessage int

	// MaxFiles is how many files a message may have that this end receives, at most 253. Zero means 16, and a negative
	// MaxFiles means none. Files that have arrived stay open until their message is received, also if that never
	// happens. The peer learns MaxFiles when the channel is opened, and its messages with more files fail with
	// [syscall.EINVAL].
	MaxFiles int

	// Spin is how long an operation spins before it waits, at most a millisecond. Zero means 50 microseconds. With a
	// negative Spin operations do not spin, and a round trip takes longer than on a Conn. A channel learns when spinning
	// is of use, as [Conn.SetSpin] describes.
	Spin time.Duration

	// Memory says whether to share memory.
	Memory ChannelMemory

	// Budget limits how many bytes of memory all channels of a listener share. Zero means 64 MiB. A channel takes 4096
	// bytes and twice its RingSize. If too little is left, it goes over its connection, or fails with RequireMemory.
	// Only listeners use Budget.
	//
	// A channel takes its part once its client has begun the handshake, and gives it back at Close, or at the end of
	// the HandshakeTimeout. So a client that was admitted can use the budget up, with channels that it stalls or leaves
	// idle; those of other clients then go over their connections. A client that sends nothing takes nothing.
	Budget int64

	// HandshakeTimeout is how long a listener's channel waits for its client to complete the handshake. After that its
	// operations fail with [context.DeadlineExceeded]. Zero means 10 seconds. Only listeners use HandshakeTimeout.
	HandshakeTimeout time.Duration

	// Server says that this end accepted the connection. One of the two ends must set it. Only [Conn.Channel] uses
	// Server.
	Server bool
}

const (
	defaultChannelSpin      = 50 * time.Microsecond
	defaultChannelBudget    = 64 << 20
	defaultHandshakeTimeout = 10 * time.Second
)

// options returns the options for the core, checked. A nil config means the defaults.
func (cc *ChannelConfig) options() (o core.ChannelOptions, err error) {
	if cc == nil {
		cc = new(ChannelConfig)
	}
	spin := cc.Spin
	if spin == 0 {
		spin = defaultChannelSpin
	}
	o = core.ChannelOptions{Accepting: cc.Server, Memory: core.ChannelMemory(cc.Memory), RingSize: cc.RingSize,
		MaxMessage: cc.MaxMessage, MaxFiles: cc.MaxFiles, Spin: int((spin + time.Microsecond - 1) / time.Microsecond)}
	if spin < 0 {
		o.Spin = -1
	}
	switch {
	case cc.RingSize != 0 && (cc.RingSize < core.ChannelRingMin || cc.RingSize > core.ChannelRingMax):
		err = core.Invalidf("RingSize %d is not between %d and %d", cc.RingSize, core.ChannelRingMin, core.ChannelRingMax)
	case cc.MaxMessage < 0 || cc.MaxMessage > core.ChannelMessageMax:
		err = core.Invalidf("MaxMessage %d is not between 0 and %d", cc.MaxMessage, core.ChannelMessageMax)
	case cc.MaxFiles > core.MaxFiles:
		err = core.Invalidf("MaxFiles %d is over %d", cc.MaxFiles, core.MaxFiles)
	case spin > maxSpin:
		err = checkSpin(spin)
	case cc.Memory < PreferMemory || cc.Memory > NeverMemory:
		err = core.Invalidf("Memory is %d", cc.Memory)
	case cc.Budget < 0:
		err = core.Invalidf("negative Budget")
	case cc.HandshakeTimeout < 0:
		err = core.Invalidf("negative HandshakeTimeout")
	}
	return o, err
}

// DialChannel connects to a [ChannelListener], as [Dialer.Dial] does to a Listener. It also waits until the server has
// accepted the connection and answered; the context limits that, too. Errors are those of Dial, and:
//
//   - [syscall.EPROTO]: the server does not speak the protocol of channels.
//   - [io.ErrUnexpectedEOF]: the server closed the connection, for instance because it does not admit this client.
//   - [errors.ErrUnsupported]: there is no version of the protocol that both ends speak; the error's text says so. Or
//     memory is required and the server does not share it.
func (d *Dialer) DialChannel(ctx context.Context, name Name) (*Channel, error) {
	c := &Channel{conn: new(conn)}
	ctx, cancel := d.limit(ctx)
	defer cancel()
	o, err := d.Channel.options()
	o.Accepting = false
	if err == nil {
		err = d.dial(ctx, name, c.conn, core.KindStream)
	}
	if err == nil {
		err = c.end.Open(ctx, &c.conn.end, o)
	}
	if err != nil {
		return nil, opError("dial", Name{}, name, err)
	}
	return c, nil
}

// DialChannel connects to a listener for channels with the default options, see [Dialer.DialChannel].
func DialChannel(ctx context.Context, name Name) (*Channel, error) {
	return new(Dialer).DialChannel(ctx, name)
}

// Channel turns a connection of bytes into a channel, and waits until the peer has done the same. Nothing may have been
// read from the connection or written to it, unless both ends know of that. The connection belongs to the channel then:
// c must not be used any more, except that Close closes the channel. If Channel fails, it closes c. A nil config means
// the defaults. Errors are those of [Dialer.DialChannel].
func (c *Conn) Channel(ctx context.Context, config *ChannelConfig) (*Channel, error) {
	ch := &Channel{conn: &c.conn}
	o, err := config.options()
	if err == nil {
		err = c.end.Usable()
	}
	if err == nil {
		err = ch.end.Open(ctx, &c.conn.end, o)
	} else {
		_ = c.end.Close()
	}
	if err != nil {
		return nil, c.opError("open", err)
	}
	return ch, nil
}

// ChannelPair returns both ends of a channel. A nil config means the defaults.
func ChannelPair(config *ChannelConfig) (*Channel, *Channel, error) {
	a, b := &Channel{conn: new(conn)}, &Channel{conn: new(conn)}
	o, err := config.options()
	if err == nil {
		err = poll.ChannelPair(&a.end, &b.end, &a.conn.end, &b.conn.end, o)
	}
	if err != nil {
		return nil, nil, opError("pair", Name{}, Name{}, err)
	}
	return a, b, nil
}

// A ChannelListener accepts channels. It works like a [Listener], and has the same options. As a [net.Listener] it
// accepts the streams of its channels, see [Channel.Stream].
type ChannelListener struct {
	listener
	options core.ChannelOptions
	timeout time.Duration
}

var _ net.Listener = (*ChannelListener)(nil)

// ListenChannel listens for channels, as [ListenConfig.Listen] does for connections of bytes.
func (lc *ListenConfig) ListenChannel(ctx context.Context, name Name) (*ChannelListener, error) {
	l := new(ChannelListener)
	config := lc.Channel
	if config == nil {
		config = new(ChannelConfig)
	}
	var err error
	if l.options, err = config.options(); err != nil {
		return nil, opError("listen", Name{}, name, err)
	}
	if err := l.listen(ctx, name, lc, core.KindStream); err != nil {
		return nil, err
	}
	l.options.Accepting = true
	l.options.Budget = core.NewChannelBudget(orDefault(config.Budget, defaultChannelBudget))
	l.timeout = orDefault(config.HandshakeTimeout, defaultHandshakeTimeout)
	return l, nil
}

func orDefault[N int64 | time.Duration](value, otherwise N) N {
	if value == 0 {
		return otherwise
	}
	return value
}

// ListenChannel listens for channels with the default options, see [ListenConfig.Listen].
func ListenChannel(name Name) (*ChannelListener, error) {
	return new(ListenConfig).ListenChannel(context.Background(), name)
}

// AcceptChannel waits for a connection, as [Listener.AcceptConn] does, and returns its channel at once. The handshake
// goes on in the background: a client that is slow, or never begins, delays only the operations of its own channel.
func (l *ChannelListener) AcceptChannel(ctx context.Context) (*Channel, error) {
	for {
		c := &Channel{conn: new(conn)}
		if admitted, err := l.accept(ctx, c.conn); err != nil {
			return nil, err
		} else if !admitted {
			continue
		}
		if err := c.end.Start(&c.conn.end, l.options); err != nil {
			_ = c.conn.end.Close()
			return nil, l.opError("accept", err)
		}
		go func() {
			limited, cancel := context.WithTimeout(context.Background(), l.timeout)
			defer cancel()
			_ = c.end.Handshake(limited) // the operations return the error
		}()
		return c, nil
	}
}

// Accept is [ChannelListener.AcceptChannel] without a context, and returns the channel's stream, for [net.Listener].
func (l *ChannelListener) Accept() (net.Conn, error) {
	c, err := l.AcceptChannel(context.Background())
	if err != nil {
		return nil, err
	}
	return c.Stream(), nil
}

// Incoming returns the channels as they arrive, as [Listener.Incoming] does.
func (l *ChannelListener) Incoming(ctx context.Context) iter.Seq2[*Channel, error] {
	return incoming(ctx, l.AcceptChannel)
}

func (c *Channel) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	if c.conn == nil {
		return opError(op, Name{}, Name{}, err)
	}
	return c.conn.newOpError(op, err)
}

// readResult is [conn.readResult].
func (c *Channel) readResult(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// Send sends b as one message. It waits for room. An empty b is a message, too. If b is larger than the receiver's
// limit, the error is [syscall.EMSGSIZE]. If a deadline ends Send, the receiver gets nothing of the message, or,
// without shared memory, possibly all of it.
func (c *Channel) Send(b []byte) error {
	err := c.end.Send(b)
	if err != nil {
		err = c.opError("write", err)
	}
	return err
}

// SendContext is Send with a context, see [Conn.ReadContext]. If ctx ends while a message is being sent, the effect is
// that of a deadline, see Send.
func (c *Channel) SendContext(ctx context.Context, b []byte) error {
	return c.opError("write", c.end.SendContext(ctx, b))
}

// SendBatch sends messages one after the other, and returns how many it sent. If these are not all, it also returns an
// error. SendBatch takes far less time than as many calls of Send.
func (c *Channel) SendBatch(messages [][]byte) (int, error) {
	n, err := c.end.SendBatch(messages)
	return n, c.opError("write", err)
}

// SendMessage sends a message with what travels with it, in order with all other messages, and returns the size of its
// payload. An empty payload may have files, too. A message with files or credentials waits until the receiver has taken
// the one before it. It may have no more files than the receiver's [ChannelConfig].MaxFiles. Peer and Control must be
// zero; otherwise the error is [errors.ErrUnsupported].
func (c *Channel) SendMessage(m *Message) (int, error) {
	return c.SendMessageContext(context.Background(), m)
}

// SendMessageContext is SendMessage with a context, see [Conn.ReadContext].
func (c *Channel) SendMessageContext(ctx context.Context, m *Message) (int, error) {
	err, n := m.check(), 0
	if err == nil {
		n, err = c.end.SendMessage(ctx, m.Buffers, m.Files, m.fill)
	}
	return n, c.opError("write", err)
}

// SendFiles sends b with files, as [Channel.SendMessage] does.
func (c *Channel) SendFiles(b []byte, files ...*os.File) (int, error) {
	n, err := c.end.SendMessage(context.Background(), [][]byte{b}, files, new(Message).fill)
	return n, c.opError("write", err)
}

// Reserve waits for room for a message of size bytes, and returns that room, which is shared memory. Fill it, and call
// [Channel.Commit]. Until then nothing is sent. Any other method that sends takes the room back, so only one goroutine
// should send. If size is more than half of the RingSize less 16 bytes, or without shared memory more than 32752 bytes,
// or more than the receiver's limit, the error is [syscall.EMSGSIZE]. After Close the room stays valid until Commit,
// which then fails.
func (c *Channel) Reserve(size int) ([]byte, error) {
	b, err := c.end.Reserve(size)
	return b, c.opError("write", err)
}

// Commit sends the first size bytes of the room that Reserve returned, as one message. If nothing was reserved, or less
// than size, the error is [syscall.EINVAL]; after CloseWrite it is [syscall.EPIPE].
func (c *Channel) Commit(size int) error { return c.opError("write", c.end.Commit(size)) }

// Receive receives one message into b, and returns its length. It returns [io.EOF] once the peer has closed the channel
// or its writing half, or has died, and all that the peer sent was received. If the message does not fit, b has the
// beginning of it, the rest is lost, and the error is [ErrTruncated].
func (c *Channel) Receive(b []byte) (int, error) { return c.readResult(c.end.Receive(b)) }

// ReceiveContext is Receive with a context, see [Conn.ReadContext].
func (c *Channel) ReceiveContext(ctx context.Context, b []byte) (int, error) {
	return c.readResult(c.end.ReceiveContext(ctx, b))
}

// ReceiveAppend appends one message to b, which grows to take the whole message, and returns the result. No message is
// larger than [ChannelConfig].MaxMessage.
func (c *Channel) ReceiveAppend(b []byte) ([]byte, error) {
	b, _, err := c.end.ReceiveAppend(b, math.MaxInt32)
	_, err = c.readResult(0, err)
	return b, err
}

// ReceiveBatch waits for a message, receives those that are there, at most len(messages), and returns how many. It cuts
// each slice to the length of its message. A message that does not fit is counted, and ends the batch: its slice has
// the beginning of it, the rest is lost, and the error is [ErrTruncated]. ReceiveBatch takes far less time than as many
// calls of Receive.
func (c *Channel) ReceiveBatch(messages [][]byte) (int, error) {
	return c.readResult(c.end.ReceiveBatch(messages))
}

// ReceiveMessage receives a message with what travels with it, and returns the size of its payload. Credentials are
// those of the sender if the message was sent with files or credentials, and if SetPassCredentials asked for them
// before that; otherwise the IDs are -1. After an error all files that came are closed. Other methods that receive
// close the files of their messages.
func (c *Channel) ReceiveMessage(m *Message) (int, error) {
	return c.ReceiveMessageContext(context.Background(), m)
}

// ReceiveMessageContext is ReceiveMessage with a context, see [Conn.ReadContext].
func (c *Channel) ReceiveMessageContext(ctx context.Context, m *Message) (int, error) {
	m.clearReceived()
	err, n := m.check(), 0
	if err == nil {
		n, err = c.end.ReceiveMessage(ctx, m.Buffers, m.MaxFiles, m.take)
	}
	return c.readResult(n, err)
}

// ReceiveFiles receives into b and files, as [Channel.ReceiveMessage] does. It accepts at most len(files) files, and
// returns how many came.
func (c *Channel) ReceiveFiles(b []byte, files []*os.File) (n, nfiles int, err error) {
	n, err = c.end.ReceiveMessage(context.Background(), [][]byte{b}, len(files), func(a *core.Ancillary) {
		nfiles = takeFiles(files, a)
	})
	n, err = c.readResult(n, err)
	return n, nfiles, err
}

// Next waits for a message, and returns it without copying. The message stays valid until [Channel.Release], even after
// Close. Until then Next returns the same message again, and all other methods that receive fail with [syscall.EINVAL].
// The message lies in shared memory, where the peer can change it at any time: copy what you check before you check it.
func (c *Channel) Next() ([]byte, error) {
	b, err := c.end.Next()
	_, err = c.readResult(0, err)
	return b, err
}

// Release removes the message that Next returned. Without such a message it does nothing.
func (c *Channel) Release() { c.end.Release() }

// Peek receives a message as Receive does, without removing it: the next call returns it again, also after
// [ErrTruncated].
func (c *Channel) Peek(b []byte) (int, error) { return c.readResult(c.end.Peek(b)) }

// MessageSize waits for a message, and returns its length. The message stays.
func (c *Channel) MessageSize() (int, error) { return c.readResult(c.end.MessageSize()) }

// Shared reports whether the channel shares memory. It waits until the channel is open, as Receive does.
func (c *Channel) Shared() (bool, error) {
	shared, err := c.end.Shared()
	return shared, c.opError("get", err)
}

// SetPassCredentials is [Conn.SetPassCredentials], for messages that were sent with files or credentials.
func (c *Channel) SetPassCredentials(on bool) error {
	if c.conn == nil {
		return c.opError("set", core.ErrZero)
	}
	return c.conn.SetPassCredentials(on)
}

// PeerCredentials is [Conn.PeerCredentials].
func (c *Channel) PeerCredentials() (Credentials, error) {
	if c.conn == nil {
		return Credentials(core.NoCredentials), c.opError("get", core.ErrZero)
	}
	return c.conn.PeerCredentials()
}

// PeerPIDFD is [Conn.PeerPIDFD].
func (c *Channel) PeerPIDFD() (*os.File, error) {
	if c.conn == nil {
		return nil, c.opError("get", core.ErrZero)
	}
	return c.conn.PeerPIDFD()
}

// LocalAddr is [Conn.LocalAddr].
func (c *Channel) LocalAddr() net.Addr {
	if c.conn == nil {
		return Name{}
	}
	return c.conn.LocalAddr()
}

// RemoteAddr is [Conn.RemoteAddr].
func (c *Channel) RemoteAddr() net.Addr {
	if c.conn == nil {
		return Name{}
	}
	return c.conn.RemoteAddr()
}

// CloseRead makes this end receive [io.EOF] at once. The peer's sends fail with [syscall.EPIPE], at the latest when the
// memory is full. On Windows the error is [errors.ErrUnsupported], as for [Conn.CloseRead].
func (c *Channel) CloseRead() error { return c.opError("close", c.end.CloseRead()) }

// CloseWrite makes the peer receive what was sent before, and then [io.EOF]. It waits for a Send that is under way.
func (c *Channel) CloseWrite() error { return c.opError("close", c.end.CloseWrite()) }

// Close closes the channel. Operations under way, and all later ones, fail with [net.ErrClosed]; so does a second
// Close. The peer still receives what was sent before.
func (c *Channel) Close() error { return c.opError("close", c.end.Close()) }

// SetDeadline sets both deadlines, see [net.Conn]. The zero time means no deadline.
func (c *Channel) SetDeadline(t time.Time) error { return c.opError("set", c.end.SetDeadline(t)) }

// SetReadDeadline sets the time after which receives fail with [os.ErrDeadlineExceeded], including receives under way.
func (c *Channel) SetReadDeadline(t time.Time) error {
	return c.opError("set", c.end.SetReadDeadline(t))
}

// SetWriteDeadline sets the time after which sends fail with [os.ErrDeadlineExceeded], including sends under way.
func (c *Channel) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.end.SetWriteDeadline(t))
}

// Stream returns the channel as a connection of bytes. Both ends should use bytes, or both should use messages: bytes
// that were written arrive as messages whose boundaries have no meaning, and messages are read as bytes. The net.Conn
// also has the other methods of the channel, among them CloseWrite.
func (c *Channel) Stream() net.Conn { return &channelStream{c} }

type channelStream struct{ *Channel }

// Read reads bytes. It returns [io.EOF] as Receive does.
func (s *channelStream) Read(b []byte) (int, error) { return s.readResult(s.end.Read(b)) }

// Write writes all of b, and returns how many bytes of it were written.
func (s *channelStream) Write(b []byte) (int, error) {
	n, err := s.end.Write(b)
	return n, s.opError("write", err)
}
