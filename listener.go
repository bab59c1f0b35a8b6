package ipc

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// ListenConfig holds the options of listening. The zero value is the safe default. More than permission bits in Mode, and
// a negative Backlog, are [syscall.EINVAL].
type ListenConfig struct {
	// Mode says who may connect, as the permission bits of the socket file (connecting takes write permission). Zero is
	// 0600: the owner alone, and root. The umask plays no part. Names of Linux's abstract namespace have no file: there
	// a connection is closed, before Accept would return it, unless its peer has this process's user, or is root, or
	// Mode has the write bit for group and the peer is in this process's group, or the write bit for other. A peer that
	// is not admitted connects, and then reads the end. In a user namespace that does not map all IDs, the ID that
	// stands for the others (65534, user_namespaces(7)) admits nobody, not even this process's own user if that has it.
	// On Windows the pipe's security descriptor lets in the owner, SYSTEM and the administrators; with the write bit
	// for other everybody who has logged in, who cannot pose as the server, though. SysListen.SecurityDescriptor takes
	// the place of Mode, and clients on other machines are turned away unless AcceptRemote lets them in.
	Mode fs.FileMode

	// Backlog is how many connections may wait to be accepted. Zero, and anything beyond it, is the most that the
	// system allows: net.core.somaxconn on Linux, kern.ipc.somaxconn or kern.somaxconn on macOS and the BSDs. On Windows it is
	// how many instances of the pipe wait for clients: 2 to 64, and 8 if it is zero.
	Backlog int

	// Spin is how long each connection that is accepted polls before it waits, see [Conn.SetSpin]; of
	// [ListenConfig.ListenDatagram], the socket itself. Zero is not at all.
	Spin time.Duration

	// MaxMessage is the size of the largest message that ReceiveAppend takes on the connections of a MessageListener,
	// and on the socket of [ListenConfig.ListenDatagram], see [MessageConn.SetMaxMessage]. Zero is 64 MiB, and a
	// negative one is [syscall.EINVAL].
	MaxMessage int

	// Sys holds what one system alone has. Nil is the default.
	Sys *SysListen
}

// Listen listens on a name.
//
// A socket file is guarded by a lock file beside it, its path with ".lock" added, empty, and locked for as long as the
// listener lives. So a file left by a server that crashed is replaced, and the file of a living server, whoever wrote
// it, never is: that is [syscall.EADDRINUSE], and so is a file that is no socket, or another user's. Of several
// processes that listen at once, exactly one succeeds. A server counts as alive if this kernel has its socket open: one
// on another machine, or in another virtual machine, that shares the directory looks dead. On macOS and the BSDs, and
// in sandboxes of Linux that refuse AF_NETLINK, a file that another program of the same user binds in the very moment
// in which Listen does cannot be distinguished from ours: it may get the mode of ours, and Close may remove it. A
// missing directory is [fs.ErrNotExist], one that may not be written is [fs.ErrPermission]. A context that has ended is
// its error; once Listen has returned, the context means nothing to the listener.
//
// On Windows there is no file. A name that somebody else has is [syscall.EADDRINUSE]. When a server crashes the system
// keeps its pipe while clients have their ends open. Listen takes such a pipe over if it is as Listen would make it: of
// the same user, with the same Mode or SecurityDescriptor, kind, Direction and InstanceLimit, which the old clients'
// ends count towards. Otherwise it waits for the clients to go, for 250 milliseconds, and then the name is in use. Only
// a name below ProtectedPrefix\Administrators is safe from programs of other users that take it first.
func (lc *ListenConfig) Listen(ctx context.Context, name Name) (*Listener, error) {
	l := new(Listener)
	if err := l.listen(ctx, name, lc, core.KindStream); err != nil {
		return nil, err
	}
	return l, nil
}

// Listen listens on a name with the default options, see [ListenConfig.Listen].
func Listen(name Name) (*Listener, error) {
	return new(ListenConfig).Listen(context.Background(), name)
}

// A Listener accepts connections of bytes. It implements [net.Listener]. All methods may be called from any
// goroutine, at any time. One that becomes unreachable is closed, and its file removed, so keep it. The methods of a
// zero Listener fail with [syscall.EINVAL].
type Listener struct {
	listener
}

var _ net.Listener = (*Listener)(nil)

// listener is what all listeners have in common.
type listener struct {
	acceptor poll.Acceptor
	name     *Name // nil: none; connections share it

	spin       time.Duration // of the connections
	maxMessage int           // of theirs
}

// configure takes what the options say of the connections.
func (l *listener) configure(lc *ListenConfig) { l.spin, l.maxMessage = lc.Spin, lc.MaxMessage }

func (l *listener) listen(ctx context.Context, name Name, lc *ListenConfig, kind core.Kind) error {
	l.name = &name
	l.configure(lc)
	err := ctx.Err()
	if err == nil {
		err = lc.check()
	}
	if err == nil {
		err = l.acceptor.Listen(name.name, kind, lc.options())
	}
	return opError("listen", Name{}, name, err)
}

func (l *listener) adopt(f *os.File, lc *ListenConfig, kind core.Kind) error {
	l.configure(lc)
	err := lc.check()
	if err == nil {
		err = l.adopted(l.acceptor.AdoptFile(f, kind, lc.Mode))
	}
	return opError("file", Name{}, Name{}, err)
}

// adopted takes the name of a listener that was made of a handle.
func (l *listener) adopted(name core.Name, err error) error {
	public := publicName(name)
	l.name = &public
	return err
}

func (lc *ListenConfig) options() poll.ListenOptions {
	return poll.ListenOptions{Mode: lc.Mode, Backlog: lc.Backlog, System: lc.Sys.options()}
}

func (lc *ListenConfig) check() error {
	if lc.Mode&^fs.ModePerm != 0 {
		return core.Invalidf("Mode %#o has more than permission bits", uint32(lc.Mode))
	}
	if lc.Backlog < 0 {
		return core.Invalidf("negative Backlog")
	}
	return errors.Join(checkSpin(lc.Spin), checkMaxMessage(lc.MaxMessage), lc.Sys.check())
}

func (l *listener) opError(op string, err error) error {
	return opError(op, Name{}, nameAt(l.name), err)
}

func (l *listener) accept(ctx context.Context, c *conn) error {
	c.end.SetSpin(l.spin)
	peer, err := l.acceptor.Accept(ctx, &c.end)
	if err != nil {
		return l.opError("accept", err)
	}
	c.local = l.name
	c.setPeer(publicName(peer))
	return nil
}

// Accept is [Listener.AcceptConn] without a context, for [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn(context.Background())
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn waits for a connection, until the context ends ([context.Canceled], [context.DeadlineExceeded]) or the
// listener's deadline passes ([os.ErrDeadlineExceeded]). Connections that their
// clients gave up are passed over. When the process is out of descriptors, the system out of memory, or its poller has
// as many descriptors as it takes ([syscall.EMFILE], ENFILE, ENOBUFS, ENOMEM, ENOSPC; the last is Linux's
// fs.epoll.max_user_watches) the error is Temporary: the connection still waits, and the listener goes on working.
func (l *Listener) AcceptConn(ctx context.Context) (*Conn, error) {
	c := new(Conn)
	if err := l.accept(ctx, &c.conn); err != nil {
		return nil, err
	}
	return c, nil
}

// Incoming returns the connections as they come, until the listener is closed or the context ends; then the sequence
// ends without an error. Any other error is yielded with a nil Conn. After a temporary one, see AcceptConn, the
// sequence goes on after 5 to 100 milliseconds; any other ends it. The caller closes each Conn.
func (l *Listener) Incoming(ctx context.Context) iter.Seq2[*Conn, error] {
	return incoming(ctx, l.AcceptConn)
}

func incoming[C any](ctx context.Context, accept func(context.Context) (C, error)) iter.Seq2[C, error] {
	return func(yield func(C, error) bool) {
		for pause := time.Duration(0); ; {
			c, err := accept(ctx)
			if errors.Is(err, net.ErrClosed) || err != nil && ctx.Err() != nil {
				return
			}
			if !yield(c, err) {
				return
			}
			var op *net.OpError
			switch {
			case err == nil:
				pause = 0
			case errors.As(err, &op) && op.Temporary() && !op.Timeout():
				pause = min(max(2*pause, 5*time.Millisecond), 100*time.Millisecond)
				if poll.Sleep(ctx, pause) != nil {
					return
				}
			default:
				return
			}
		}
	}
}

// Addr returns the [Name] that is listened on.
func (l *listener) Addr() net.Addr { return nameAt(l.name) }

// SetDeadline sets the time after which accepting fails with [os.ErrDeadlineExceeded]. The zero time is none.
func (l *listener) SetDeadline(t time.Time) error { return l.opError("set", l.acceptor.SetDeadline(t)) }

// SetUnlinkOnClose says whether Close removes the socket file and its lock file. It does by default if this listener
// made them. A listener that came from [FileListener] never removes any. On Windows there are no files.
func (l *listener) SetUnlinkOnClose(unlink bool) { l.acceptor.SetUnlinkOnClose(unlink) }

// Close removes the socket file, if it is still the one that this listener made, and its lock file, and stops
// listening. Calls that wait, and all later ones, fail with [net.ErrClosed], a second Close too. Connections that
// nobody accepted are reset; accepted ones live on. On Windows these keep the name in use, until this end of the last
// of them is closed. For what their clients still have open then see [ListenConfig.Listen].
func (l *listener) Close() error { return l.opError("close", l.acceptor.Close()) }

// SyscallConn returns access to the system's handle, see [syscall.Conn]. On Windows: [errors.ErrUnsupported]. There a
// listener is not one handle but instances of a pipe, each of which waits for one client.
func (l *listener) SyscallConn() (syscall.RawConn, error) {
	raw, err := l.acceptor.RawConn()
	return raw, l.opError("raw", err)
}

// File returns a duplicate of the listening handle, for instance to pass on to another process. Closing either does not
// affect the other, but both share the non-blocking mode, which must stay. When the listener is closed first,
// [Listener.SetUnlinkOnClose] decides what becomes of the socket file.
//
// On Windows: [errors.ErrUnsupported]. Two processes could not share the clients that wait there: each would have
// instances of its own, and closing one listener would turn its clients away. What can be passed on is an accepted
// connection, [Conn.GiveFile] of its [Conn.File].
func (l *listener) File() (*os.File, error) {
	f, err := l.acceptor.Duplicate(fileName(nameAt(l.name)))
	return f, l.opError("file", err)
}

// FileListener returns a listener on a duplicate of f with the default options, see [ListenConfig.FileListener].
func FileListener(f *os.File) (*Listener, error) { return new(ListenConfig).FileListener(f) }

// FileListener returns a listener on a duplicate of f, which must be a listening local stream socket: inherited, or
// from another package. f stays the caller's, but is non-blocking from then on, and must stay so. Of the options Spin
// and MaxMessage count, and Mode where no file does it: for names of Linux's abstract namespace. On Windows:
// [errors.ErrUnsupported], see [Listener.File].
func (lc *ListenConfig) FileListener(f *os.File) (*Listener, error) {
	l := new(Listener)
	if err := l.adopt(f, lc, core.KindStream); err != nil {
		return nil, err
	}
	return l, nil
}
