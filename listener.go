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

// ListenConfig holds the options of listening. The zero value is the safe default. Listening fails with
// [syscall.EINVAL] if Mode has more than permission bits, or if Backlog is negative.
type ListenConfig struct {
	// Mode is the users that may connect, as the permission bits of the socket file. Connecting takes write permission.
	// Zero means 0600: only the owner, and root. The umask has no effect. If the directory has a default ACL, acl(5), its
	// named users and groups may connect, too, as far as the bits for the group go, and its entry for the group limits
	// the group.
	//
	// Names in Linux's abstract namespace have no file. There Accept admits a peer that has this process's user or is
	// root. With the write bit for group it also admits a peer that has this process's group, as its own or as a
	// supplementary one, and with the write bit for other it admits everybody. It closes the connection of a peer that
	// is not admitted, and does not return it: that peer's dial succeeds, and then the peer reads end of stream. In a
	// user namespace that does not map all IDs, one ID stands for all others (65534, user_namespaces(7)). That ID
	// admits nobody, not even this process's own user if it has that ID. Without /proc, 65534 is always taken
	// for it.
	//
	// On Windows the owner, SYSTEM and the administrators may connect. With the write bit for other, everybody who has
	// logged in may connect, too, but cannot pose as the server. SysListen.SecurityDescriptor replaces Mode. Clients on
	// other machines are refused unless SysListen.AcceptRemote is set.
	Mode fs.FileMode

	// Group is a group whose members may connect, besides the owner and root: on Unix its name or number, and then Mode
	// must have its bits, as 0660 has. The socket file gets that group, and no other group can connect at any moment; a
	// process that does not run as root can give the file only to a group that it has ([fs.ErrPermission]). For names in
	// Linux's abstract namespace the group takes the place of this process's group, see Mode. On Windows it is the
	// security identifier of a group or a user, who may connect but cannot pose as the server, whatever the Mode; it does
	// not go together with SysListen.SecurityDescriptor. Empty means the group of this process, and on Windows none. A
	// group that does not exist is [syscall.EINVAL].
	Group string

	// Client decides which of the clients that Mode lets connect are accepted. It is asked after a connection was
	// accepted, before Accept, AcceptConn or Incoming return it and before a byte is read or written. If it returns an
	// error, the connection is closed and the next one is accepted: the client's dial has succeeded, and it reads end
	// of stream, also if it wrote before. While Client runs, other goroutines can accept. Nil admits them all. Datagram
	// sockets have no connections: with Client, [ListenConfig.ListenDatagram] is [errors.ErrUnsupported].
	Client PeerPolicy

	// Refused is called for each connection that Client, or Mode for a name in Linux's abstract namespace, does not admit.
	// It is called after the connection was closed, by the goroutine that accepts, with the credentials as far as they
	// are known, and with the error that says why.
	Refused func(Credentials, error)

	// Backlog is how many connections may wait to be accepted. The default, and the upper limit, is what the system
	// allows: net.core.somaxconn on Linux, kern.ipc.somaxconn or kern.somaxconn on macOS and the BSDs. On Windows it is
	// how many instances of the pipe wait for clients, from 2 to 64; the default is 32.
	Backlog int

	// HalfClose makes [Conn.CloseWrite] work on Windows, at both ends of the connections of a [Listener]. It has no effect
	// on Unix, where CloseWrite always works, nor on connections of messages. The pipe is then one of messages, and an
	// empty message is the end of a direction, as with go-winio's MessageMode. Clients need no option for that. A client
	// that sets [Dialer].HalfClose refuses a server without it. With a SysListen.Direction of one way the error is
	// [syscall.EINVAL].
	//
	// Each write to such a pipe is one message. If a deadline ends a write that is larger than the pipe's buffer, later
	// writes fail with [syscall.EPIPE], see [Conn.Write]. DialMessage connects to such a listener as to one for messages.
	HalfClose bool

	// Spin is how long each accepted connection spins before it waits, see [Conn.SetSpin]. For
	// [ListenConfig.ListenDatagram] it is how long the socket itself spins. Zero means no spin.
	Spin time.Duration

	// MaxMessage is the size in bytes of the largest message that ReceiveAppend takes, on the connections of a
	// MessageListener and on the socket of [ListenConfig.ListenDatagram], see [MessageConn.SetMaxMessage]. Zero means
	// 64 MiB. A negative size is [syscall.EINVAL].
	MaxMessage int

	// Channel holds the options of channels, see [ListenConfig.ListenChannel]. Nil means the defaults. Spin and
	// MaxMessage have no effect on channels.
	Channel *ChannelConfig

	// Sys holds the options that only one system has. Nil means the defaults.
	Sys *SysListen
}

// Listen listens on a name.
//
// A lock file guards a socket file. It lies beside the socket file, is named after it with ".lock" added, is empty, and
// is locked as long as the listener lives. If several processes listen at the same time, exactly one succeeds. The file
// of a server that crashed is replaced. The file of a living server is never replaced, whatever program created it.
//
// Limits on Unix:
//
//   - A server counts as living if this kernel has its socket open. A server on another machine or in another virtual
//     machine that shares the directory looks dead.
//   - Another program of the same user may bind its own file at the same moment. On macOS and the BSDs, and in Linux
//     sandboxes that refuse AF_NETLINK, that file cannot be distinguished from this listener's: it may get the mode
//     asked for here, and Close may remove it.
//
// On Windows there is no file. After a crash of a server, the system keeps its pipe while clients have their ends open.
// Listen takes over such a pipe if the pipe is what Listen would create: it has the same user, Mode or
// SecurityDescriptor, kind, Direction and InstanceLimit. The clients' ends count towards InstanceLimit. If the pipe
// differs, Listen waits 250 milliseconds for the clients to go, and then fails with [syscall.EADDRINUSE]. Programs of
// other users can take a name first, unless it is below ProtectedPrefix\Administrators.
//
// Once Listen has returned, the context has no effect on the listener. Errors:
//
//   - [syscall.EADDRINUSE]: a living server has the name, or on Windows clients have the pipe open. Or the file is not
//     a socket, or is another user's.
//   - [fs.ErrNotExist]: there is no such directory.
//   - [fs.ErrPermission]: this user may not write to the directory, may not listen on a [SystemName], or the directory
//     of a [UserName] or [SystemName] is not safe.
//   - [context.Canceled], [context.DeadlineExceeded]: the context had ended.
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

// A Listener accepts connections of bytes. It implements [net.Listener]. Any goroutine may call any method at any time.
// The methods of a zero Listener fail with [syscall.EINVAL]. A Listener that becomes unreachable is closed, and its
// file is removed, so keep a reference to it.
type Listener struct {
	listener
}

var _ net.Listener = (*Listener)(nil)

// listener is what all listeners have in common.
type listener struct {
	acceptor poll.Acceptor
	name     *Name // nil: none; connections share it

	// Of the connections:
	spin       time.Duration
	maxMessage int
	client     PeerPolicy
	refused    func(Credentials, error)
}

// configure notes the options of the connections.
func (l *listener) configure(lc *ListenConfig) {
	l.spin, l.maxMessage, l.client, l.refused = lc.Spin, lc.MaxMessage, lc.Client, lc.Refused
}

func (l *listener) listen(ctx context.Context, name Name, lc *ListenConfig, kind core.Kind) error {
	l.name = &name
	l.configure(lc)
	o, err := lc.options()
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	if err == nil {
		err = name.listenErr(l.acceptor.Listen(name.name, kind, o), kind)
	}
	return opError("listen", Name{}, name, err)
}

func (l *listener) adopt(f *os.File, lc *ListenConfig, kind core.Kind) error {
	l.configure(lc)
	o, err := lc.options()
	if err == nil {
		err = l.adopted(l.acceptor.AdoptFile(f, kind, o))
	}
	return opError("file", Name{}, Name{}, err)
}

// adopted notes the name of a listener that was opened on a handle.
func (l *listener) adopted(name core.Name, err error) error {
	public := publicName(name)
	l.name = &public
	return err
}

// options returns the options for the core, checked.
func (lc *ListenConfig) options() (core.ListenOptions, error) {
	o := core.ListenOptions{Mode: lc.Mode, Backlog: lc.Backlog, System: lc.Sys.options(lc.HalfClose)}
	err := lc.check()
	if err == nil && lc.Group != "" {
		err = setGroup(&o, lc.Group)
	}
	return o, err
}

func (lc *ListenConfig) check() error {
	if lc.Mode&^fs.ModePerm != 0 {
		return core.Invalidf("Mode %#o has more than permission bits", uint32(lc.Mode))
	}
	if lc.Backlog < 0 {
		return core.Invalidf("negative Backlog")
	}
	return errors.Join(checkSpin(lc.Spin), checkMaxMessage(lc.MaxMessage), lc.Sys.check(lc.HalfClose))
}

func (l *listener) opError(op string, err error) error {
	return opError(op, Name{}, nameAt(l.name), err)
}

// accept accepts a connection. admitted: it is not one of those that are closed again.
func (l *listener) accept(ctx context.Context, c *conn) (admitted bool, err error) {
	c.end.SetSpin(l.spin)
	peer, err := l.acceptor.Accept(ctx, &c.end)
	var refused *refusedError
	if notAdmitted, ok := err.(*poll.NotAdmittedError); ok {
		refused = &refusedError{"client", Credentials(notAdmitted.Peer), errMode}
	} else if err != nil {
		return false, l.opError("accept", err)
	} else {
		refused = c.check(l.client, "client")
	}
	if refused != nil {
		if l.refused != nil {
			l.refused(refused.found, refused)
		}
		return false, nil
	}
	c.local = l.name
	c.setPeer(publicName(peer))
	return true, nil
}

// Accept is [Listener.AcceptConn] without a context, for [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn(context.Background())
	return netConn(c, err)
}

// AcceptConn waits for a connection. It skips a connection that its client gave up. On Windows that is a connection
// whose client is gone at this moment and wrote nothing. Errors:
//
//   - [context.Canceled], [context.DeadlineExceeded]: the context ended.
//   - [os.ErrDeadlineExceeded]: the listener's deadline passed.
//   - [syscall.EMFILE], [syscall.ENFILE]: the process or the system is out of descriptors.
//   - [syscall.ENOBUFS], [syscall.ENOMEM]: the system is out of memory.
//   - [syscall.ENOSPC], [syscall.ENOMEM]: the system's poller takes no more descriptors. ENOSPC is Linux's
//     fs.epoll.max_user_watches.
//
// The errors from EMFILE to ENOSPC are Temporary: the connection still waits, and the listener goes on working.
func (l *Listener) AcceptConn(ctx context.Context) (*Conn, error) {
	for {
		c := new(Conn)
		if admitted, err := l.accept(ctx, &c.conn); err != nil {
			return nil, err
		} else if admitted {
			return c, nil
		}
	}
}

// Incoming returns the connections as they arrive. The sequence ends without an error when the listener is closed or
// the context ends. Any other error is yielded with a nil Conn. After a temporary error, see AcceptConn, the sequence
// goes on after 5 to 100 milliseconds; any other error ends it. The caller closes each Conn.
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

// Addr returns the [Name] that the listener listens on.
func (l *listener) Addr() net.Addr { return nameAt(l.name) }

// SetDeadline sets the time after which accepting fails with [os.ErrDeadlineExceeded], including calls under way. The
// zero time means no deadline.
func (l *listener) SetDeadline(t time.Time) error { return l.opError("set", l.acceptor.SetDeadline(t)) }

// SetUnlinkOnClose sets whether Close removes the socket file and its lock file. That is the default for a listener
// that created them. A listener from [FileListener] never removes files. On Windows there are no files.
func (l *listener) SetUnlinkOnClose(unlink bool) { l.acceptor.SetUnlinkOnClose(unlink) }

// Close stops listening. It removes the socket file, if it is still the one that this listener created, and its lock
// file. Calls under way, and all later ones, fail with [net.ErrClosed]; so does a second Close. Connections that nobody
// accepted are reset. Accepted connections stay open. On Windows they keep the name in use until the server's end of
// the last one is closed. For ends that clients still have open after that, see [ListenConfig.Listen].
func (l *listener) Close() error { return l.opError("close", l.acceptor.Close()) }

// SyscallConn returns access to the system's handle, see [syscall.Conn]. Only Control works; Read and Write fail with
// [syscall.EINVAL], as those of package net's listeners do. On Windows SyscallConn fails with [errors.ErrUnsupported]:
// there a listener is not one handle, but instances of a pipe, each of which waits for one client.
func (l *listener) SyscallConn() (syscall.RawConn, error) {
	raw, err := l.acceptor.RawConn()
	if err != nil {
		return nil, l.opError("raw", err)
	}
	return rawListener{rawConn{raw, l.opError}}, nil
}

// A rawListener is the handle of a listener, which only accepting waits for.
type rawListener struct{ rawConn }

func (l rawListener) Read(func(uintptr) bool) error {
	return l.opError("raw-read", core.Invalidf("a listener is not read"))
}

func (l rawListener) Write(func(uintptr) bool) error {
	return l.opError("raw-write", core.Invalidf("a listener is not written to"))
}

// File returns a duplicate of the listening handle, for instance to pass it to another process. Closing one does not
// affect the other. Both share the non-blocking mode, which must stay. If the listener is closed first,
// [Listener.SetUnlinkOnClose] decides whether the socket file is removed.
//
// On Windows: [errors.ErrUnsupported]. Two processes could not share the clients that wait there: each would have
// instances of its own, and closing one listener would turn its clients away. An accepted connection can be passed on,
// by GiveFile of its [Conn.File].
func (l *listener) File() (*os.File, error) {
	f, err := l.acceptor.Duplicate(fileName(nameAt(l.name)))
	return f, l.opError("file", err)
}

// FileListener returns a listener on a duplicate of f with the default options, see [ListenConfig.FileListener].
func FileListener(f *os.File) (*Listener, error) { return new(ListenConfig).FileListener(f) }

// FileListener returns a listener on a duplicate of f, which must be a listening local stream socket, inherited or from
// another package. f stays the caller's, but becomes non-blocking, and must stay so. Only the options Client, Refused,
// Spin and MaxMessage have an effect, and for names in Linux's abstract namespace also Mode and Group. On Windows:
// [errors.ErrUnsupported], see [Listener.File]. The listener's name is the one that the system reports: for a
// [UserName] or a [SystemName] the [Path] of its file.
func (lc *ListenConfig) FileListener(f *os.File) (*Listener, error) {
	l := new(Listener)
	if err := l.adopt(f, lc, core.KindStream); err != nil {
		return nil, err
	}
	return l, nil
}
