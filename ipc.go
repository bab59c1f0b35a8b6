package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// Dialer holds the options of dialling. The zero value is the default.
type Dialer struct {
	// Timeout is the longest time that a dial may take. After it the dial fails with [context.DeadlineExceeded]; with a
	// negative Timeout it fails at once, as in [net.Dialer]. Zero means that only the context limits it.
	Timeout time.Duration

	// Server decides whether the process that listens may be the server. Dial asks it when the connection is there,
	// before a byte is read or written. If it returns an error, the connection is closed and Dial fails with that
	// error, which also matches [fs.ErrPermission] and says who was found. The server then reads end of stream. Nil
	// means [SameUser] for a [UserName], [Admin] for a [SystemName], and everybody for other names. Dial also fails if
	// the system does not report who the server is. On macOS and the BSDs that is so once the server has closed the
	// connection; the error then also matches [syscall.ENOTCONN].
	Server PeerPolicy

	// HalfClose makes sure that [Conn.CloseWrite] works. On Windows Dial then fails with [syscall.EPROTOTYPE] if the
	// server's pipe is one of bytes, as it is without [ListenConfig].HalfClose or go-winio's MessageMode. HalfClose has no
	// effect on Unix, where CloseWrite always works, nor on connections of messages. With a SysDial.Direction of one way
	// the error is [syscall.EINVAL].
	HalfClose bool

	// Spin is how long the connection spins before it waits, see [Conn.SetSpin]. Zero means no spin.
	Spin time.Duration

	// MaxMessage is the size in bytes of the largest message that ReceiveAppend takes, see [MessageConn.SetMaxMessage].
	// Zero means 64 MiB. A negative size is [syscall.EINVAL]. It has no effect on connections of bytes.
	MaxMessage int

	// Channel holds the options of channels, see [Dialer.DialChannel]. Nil means the defaults. Spin and MaxMessage have
	// no effect on channels.
	Channel *ChannelConfig

	// Sys holds the options that only one system has. Nil means the defaults.
	Sys *SysDial
}

// Dial connects to a listener. If the listener's backlog is full, Dial tries again every 1 to 4 milliseconds until the
// context ends. If nothing listens on the name, Dial fails at once. If the server does not admit this client, see
// [ListenConfig].Client, Dial succeeds, and the connection is at its end: reading returns [io.EOF].
//
// macOS and the BSDs report a full backlog like a socket file that nobody listens on. There the backlog counts as full
// if any process has the socket open, so Dial also waits for a socket that is bound and never listens.
//
// On Windows a full backlog is a pipe whose instances are all taken. The server may learn who the client is, but cannot
// act as it, unless Sys says otherwise. Dial also connects to a pipe of messages, and reads bytes from it. Each write
// to such a pipe is one message there, unless a deadline cuts it. An empty message is end of stream there, see
// [ListenConfig].HalfClose. Dialling another machine, \\host\pipe\name, takes a thread meanwhile. If the context ends
// before the system answers, Dial returns at once; what the system still opens is closed, at most a minute later.
//
// Errors:
//
//   - [fs.ErrNotExist]: there is no such name.
//   - [syscall.ECONNREFUSED]: nobody listens on the socket file. On Linux also: there is no such name in the abstract
//     namespace. Windows does not have this error.
//   - [fs.ErrPermission]: this user may not connect to the listener; or the server is not whom Server admits; or the
//     directory of a [UserName] or [SystemName] is not safe.
//   - [syscall.EPROTOTYPE]: what listens on the path is of another kind: messages, not bytes, or the other way round.
//     In Linux's abstract namespace each kind has names of its own, and on Windows a pipe of messages can be read as
//     bytes. With HalfClose also: the pipe is one of bytes, which has no halves.
//   - [context.Canceled], [context.DeadlineExceeded]: the context ended.
func (d *Dialer) Dial(ctx context.Context, name Name) (*Conn, error) {
	c := new(Conn)
	if err := d.dial(ctx, name, &c.conn, core.KindStream); err != nil {
		return nil, opError("dial", Name{}, name, err)
	}
	return c, nil
}

// Dial connects to a listener with the default options, see [Dialer.Dial].
func Dial(ctx context.Context, name Name) (*Conn, error) {
	return new(Dialer).Dial(ctx, name)
}

// DialContext connects to the name whose text is address, see [ParseName]. It has the parameters of DialContext of
// [net.Dialer], so that it can be the function by which a library opens its connections. With the network "unix" or
// "pipe" it returns a connection of bytes, a [*Conn], and with "unixpacket" a connection of messages, a [*MessageConn].
// Any other network is a [net.UnknownNetworkError]. Other errors are those of [ParseName] and Dial. With an error the
// net.Conn is nil.
//
// A library that has URLs or host names, such as net/http, passes "tcp" and HOST:PORT instead. For such a library use
// [Dialer.To].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	name, err := ParseName(address)
	if err != nil {
		return nil, err
	}
	switch network {
	case "unix", "pipe":
		c, err := d.Dial(ctx, name)
		return netConn(c, err)
	case "unixpacket":
		c, err := d.DialMessage(ctx, name)
		return netConn(c, err)
	}
	err = fmt.Errorf("%w; for hooks that get any network there is Dialer.To", net.UnknownNetworkError(network))
	return nil, opError("dial", Name{}, name, err)
}

// To returns a function that connects to a name, whatever network and address it gets. It is for libraries that have
// URLs or host names, where it takes the place of DialContext:
//
//	client := http.Client{Transport: &http.Transport{DialContext: new(ipc.Dialer).To(ipc.UserName("app"))}}
//	response, err := client.Get("http://app/path") // the host is what the server sees as Host
func (d *Dialer) To(name Name) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.Dial(ctx, name)
		return netConn(c, err)
	}
}

// netConn returns c, or a nil net.Conn after an error, when c is a nil pointer.
func netConn(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, name Name, c *conn, kind core.Kind) error {
	if err := errors.Join(checkSpin(d.Spin), checkMaxMessage(d.MaxMessage), d.Sys.check(d.HalfClose)); err != nil {
		return err
	}
	ctx, cancel := d.limit(ctx)
	defer cancel()
	c.setPeer(name)
	c.end.SetSpin(d.Spin)
	if err := c.end.Connect(ctx, name.name, kind, d.Sys.options(d.HalfClose)); err != nil {
		return name.dialErr(err, kind)
	}
	if refused := c.check(d.serverPolicy(name), "server"); refused != nil {
		return refused
	}
	return nil
}

// limit returns the context with the Timeout.
func (d *Dialer) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.Timeout != 0 {
		return context.WithTimeout(ctx, d.Timeout)
	}
	return ctx, func() {}
}

// kindNames are what connections carry, in words.
var kindNames = map[core.Kind]string{
	core.KindStream: "bytes", core.KindMessage: "messages", core.KindDatagram: "datagrams",
}

// dialErr adds what can be said about an error of connecting or sending to a name.
func (n Name) dialErr(err error, kind core.Kind) error {
	if errors.Is(err, syscall.EPROTOTYPE) && err != poll.ErrNoHalves {
		return fmt.Errorf("what listens there is not for %s: %w", kindNames[kind], err)
	}
	return n.accessErr(err, false)
}

// maxSpin limits how long a goroutine that spins can delay Close and deadlines: a few times as long.
const maxSpin = time.Millisecond

func checkSpin(spin time.Duration) error {
	if spin < 0 || spin > maxSpin {
		return core.Invalidf("Spin %v is not between 0 and %v", spin, maxSpin)
	}
	return nil
}

// setSpin sets how long both directions of an endpoint spin before they wait.
func setSpin(e *poll.Endpoint, spin time.Duration) error {
	err := e.Usable()
	if err == nil {
		err = checkSpin(spin)
	}
	if err == nil {
		e.SetSpin(spin)
	}
	return err
}
