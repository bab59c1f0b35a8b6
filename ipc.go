//go:build cgo

// Package ipc lets programs on one machine talk to each other: over Unix domain sockets on Linux, macOS and the BSDs, over
// named pipes on Windows. It is a thin layer over the C library lipc, whose sources it carries and compiles; it needs cgo
// and a C compiler.
//
// A server listens on a [Name], a client dials it:
//
//	l, err := ipc.Listen(ipc.Namespaced("greeter"))
//	…
//	c, err := ipc.Dial(ctx, ipc.Namespaced("greeter"))
//
// [Conn] is a [net.Conn] and [Listener] a [net.Listener], so that net/http, net/rpc, crypto/tls and the like run on
// them, and the other side may be any program that opens a Unix domain socket, or a named pipe.
//
// Beyond bytes there are messages ([MessageConn]), datagrams ([DatagramConn]), and open files, credentials and other data
// that travel with any of them ([Message]). [Pipe] and [OpenFIFOReader] make pipes whose deadlines work, and [Activated]
// returns the sockets that a service manager passed.
//
// What is promised on every system:
//
//   - A listener is its owner's alone unless [ListenConfig].Mode says otherwise.
//   - What a crashed server left behind does not stop the next one, and a living server never loses its name. (On
//     Windows the next one has to listen with the same options while clients of the last have their ends open, see
//     [ListenConfig.Listen].)
//   - Dialling a busy server waits until the context ends; an absent one is an error at once.
//   - Descriptors are close-on-exec, received ones too, and no write raises SIGPIPE.
//   - A file that is passed arrives once, or is closed: none is left open that nobody knows of.
//   - Close and deadlines end whatever waits, and a context ends what takes one: dialling, accepting, opening a FIFO.
//     Reading and writing take none; Close and SetDeadline end them from any goroutine.
//   - Waiting takes no thread, reading and writing no allocation.
//
// Errors are of type [*net.OpError] and match the sentinels of the standard library: [net.ErrClosed],
// [os.ErrDeadlineExceeded], [fs.ErrNotExist], [fs.ErrPermission], [syscall.ECONNREFUSED], [syscall.EADDRINUSE],
// [syscall.EPIPE], [errors.ErrUnsupported], [context.Canceled] and [context.DeadlineExceeded]. Where the system's
// poller takes no more descriptors, what opens one fails with [syscall.ENOSPC] (Linux: fs.epoll.max_user_watches) or
// ENOMEM, and the error is Temporary. An argument that cannot be is [syscall.EINVAL], a name that is too long
// [syscall.ENAMETOOLONG], a file that is no such socket [syscall.ENOTSOCK].
package ipc

import (
	"context"
	"errors"
	"time"
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
	if err := d.dial(ctx, name, &c.conn, kindStream); err != nil {
		return nil, opError("dial", Name{}, name, err)
	}
	return c, nil
}

// Dial connects to a listener with the default options, see [Dialer.Dial].
func Dial(ctx context.Context, name Name) (*Conn, error) {
	return new(Dialer).Dial(ctx, name)
}

func (d *Dialer) dial(ctx context.Context, name Name, c *conn, kind result) error {
	if d.Timeout < 0 {
		return &optionError{"negative Timeout"}
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
	c.end.limitSpin(d.Spin)
	return retry(ctx, func() (busy bool, err error) { return c.end.connect(ctx, name, kind, d.Sys) })
}

// nextPause is how long to wait before the next attempt at what no system tells the right time for.
func nextPause(last time.Duration) time.Duration {
	return min(max(2*last, time.Millisecond), 4*time.Millisecond)
}

// retry makes attempts at what no system tells the right time for, until the context ends.
func retry(ctx context.Context, attempt func() (busy bool, err error)) error {
	for pause := nextPause(0); ; pause = nextPause(pause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if busy, err := attempt(); !busy {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}
