package ipc

import (
	"context"
	"errors"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// Dialer holds the options of dialling. The zero value is the default.
type Dialer struct {
	// Timeout is the most that a dial may take, after which it fails with [context.DeadlineExceeded]. Zero is no limit but
	// the context's, and a negative one is [syscall.EINVAL].
	Timeout time.Duration

	// Spin is how long the connection polls before it waits, see [Conn.SetSpin]. Zero is not at all.
	Spin time.Duration

	// MaxMessage is the size of the largest message that ReceiveAppend takes, see [MessageConn.SetMaxMessage]. Zero is
	// 64 MiB, and a negative one is [syscall.EINVAL]. It means nothing to connections of bytes.
	MaxMessage int

	// Sys holds what one system alone has. Nil is the default.
	Sys *SysDial
}

// Dial connects to a listener. Where nothing has the name the error is at once [fs.ErrNotExist], or
// [syscall.ECONNREFUSED] if a socket file exists and nobody listens (for an absent name of Linux's abstract
// namespace too). A listener whose backlog is full is tried again, every 1 to 4 milliseconds, until the context
// ends. (macOS and the BSDs tell it from a file that nobody listens on only by whether any process has the socket open;
// there a socket that is bound and never listens is waited for, too.) One that this user may not connect to is
// [fs.ErrPermission].
//
// On Windows a listener is busy while all instances of its pipe are taken, and there is no ECONNREFUSED. The server may
// learn who the client is, and not act as it, unless Sys says otherwise. A pipe of messages can be dialled, too, and is
// read as bytes; each write that is not cut by a deadline is a message there. Dialling another machine,
// \\host\pipe\name, takes a thread meanwhile. When the context ends before the system has an answer, Dial returns; what
// the system still opens is closed, at most a minute later.
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

func (d *Dialer) dial(ctx context.Context, name Name, c *conn, kind core.Kind) error {
	if d.Timeout < 0 {
		return core.Invalidf("negative Timeout")
	}
	if err := errors.Join(checkSpin(d.Spin), checkMaxMessage(d.MaxMessage), d.Sys.check()); err != nil {
		return err
	}
	if d.Timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, d.Timeout)
		defer cancel()
		ctx = limited
	}
	c.setPeer(name)
	c.end.SetSpin(d.Spin)
	return c.end.Connect(ctx, name.name, kind, d.Sys.options())
}

// maxSpin bounds how long Close and deadlines can be held up by a goroutine that spins: so long, a few times.
const maxSpin = time.Millisecond

func checkSpin(spin time.Duration) error {
	if spin < 0 || spin > maxSpin {
		return core.Invalidf("Spin %v is not between 0 and %v", spin, maxSpin)
	}
	return nil
}

// setSpin makes both directions of an endpoint spin for so long before they wait.
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
