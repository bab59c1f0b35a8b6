package ipc

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A Conn is a connection of bytes, made by [Dial], [Listener.AcceptConn], [Pair] or [FileConn]; the methods of a zero
// Conn fail with [syscall.EINVAL]. It implements [net.Conn]. All methods may be called from any goroutine, at any time;
// simultaneous reads are served one after the other, and so are writes. Reading and writing allocate nothing and take
// no thread while they wait.
//
// Errors are of type [*net.OpError]. They match [net.ErrClosed] after Close, [os.ErrDeadlineExceeded] after a
// deadline, and [syscall.EPIPE] when a write finds the peer gone. The end of the stream is a bare [io.EOF].
type Conn struct {
	conn
}

var _ net.Conn = (*Conn)(nil)

// conn is what all connections have in common.
type conn struct {
	end    poll.Endpoint
	local  *Name                // nil: none
	remote atomic.Pointer[Name] // nil: none; a datagram socket's may change

	senders *senders // of a datagram socket, whose messages each have one; nil: none
}

func (c *conn) opError(op string, err error) error {
	if err == nil { // which costs no call
		return nil
	}
	return c.newOpError(op, err)
}

func (c *conn) newOpError(op string, err error) error {
	return opError(op, c.localName(), c.peer(), err)
}

// localName returns the name of this end, the zero Name if it has none.
func (c *conn) localName() Name { return nameAt(c.local) }

// peer returns the name of the peer, the zero Name if it has none.
func (c *conn) peer() Name { return nameAt(c.remote.Load()) }

func nameAt(name *Name) Name {
	if name == nil {
		return Name{}
	}
	return *name
}

// setPeer notes the name of the peer.
func (c *conn) setPeer(name Name) {
	if name == (Name{}) {
		c.remote.Store(nil)
		return
	}
	c.remote.Store(&name)
}

// readResult gives the result of a read its form: a bare io.EOF, any other error with the operation and the names.
func (c *conn) readResult(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// Read reads what is there, at most len(b) bytes, and waits until there is something. The end is [io.EOF]: the peer
// closed or shut down its writing half, or died; also when it left data of ours unread, which Linux would call
// ECONNRESET. A deadline in the past fails even if data is there. Reading into an empty b returns 0 at once.
func (c *Conn) Read(b []byte) (int, error) { return c.readResult(c.end.Read(b)) }

// Write writes all of b, waiting for room as often as needed. On an error it returns how many bytes were written
// before. A write after the peer closed is [syscall.EPIPE]; SIGPIPE is never raised. On Windows a deadline that ends a
// write to a pipe whose buffer is smaller than 4096 bytes may leave a part with the peer that is not counted, since the
// system does not tell: later writes fail with [syscall.EPIPE] then.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.end.Write(b)
	return n, c.opError("write", err)
}

// ReadBuffers is Read into several buffers, filled in order, by one system call where at most 64 of them are not
// empty; of more, the first 64 are filled. More than five cost an allocation, in [runtime.Pinner]. Windows makes a system
// call for each buffer.
func (c *Conn) ReadBuffers(buffers [][]byte) (int, error) {
	return c.readResult(c.end.ReadBuffers(buffers))
}

// WriteBuffers is Write of several buffers, gathered in order, by one system call for each 64 of them if there is
// room. The slices are not changed. More than five cost an allocation, in [runtime.Pinner]. On Windows small ones are put
// together first, up to 64 KiB.
func (c *Conn) WriteBuffers(buffers [][]byte) (int, error) {
	n, err := c.end.WriteBuffers(buffers)
	return n, c.opError("write", err)
}

// CloseRead shuts down the reading half, for every process that shares the connection: reads give io.EOF. On Linux they
// give what had arrived first, and the peer cannot write any more ([syscall.EPIPE]); elsewhere both may be discarded. The
// pipes of Windows have no halves: [errors.ErrUnsupported].
func (c *conn) CloseRead() error { return c.opError("close", c.end.Shutdown(core.Reading)) }

// CloseWrite shuts down the writing half, for every process that shares the connection: the peer reads io.EOF after
// what was written. The pipes of Windows have no halves: [errors.ErrUnsupported].
func (c *conn) CloseWrite() error { return c.opError("close", c.end.Shutdown(core.Writing)) }

// Close closes the connection. Operations that wait, and all later ones, fail with [net.ErrClosed], a second Close
// too. What was written before still reaches the peer, however late it reads; Close does not wait for that.
func (c *conn) Close() error { return c.opError("close", c.end.Close()) }

// LocalAddr returns the [Name] that this end is bound to: the listener's for an accepted connection, usually none
// (the zero Name) for a dialled one.
func (c *conn) LocalAddr() net.Addr { return c.localName() }

// RemoteAddr returns the [Name] that the peer is bound to: the dialled one, and on an accepted connection usually
// none (the zero Name).
func (c *conn) RemoteAddr() net.Addr { return c.peer() }

// SetDeadline sets both deadlines, see [net.Conn]. The zero time is none.
func (c *conn) SetDeadline(t time.Time) error { return c.opError("set", c.end.SetDeadline(t)) }

// SetReadDeadline sets the time after which reads fail with [os.ErrDeadlineExceeded], waiting ones included.
func (c *conn) SetReadDeadline(t time.Time) error { return c.opError("set", c.end.SetReadDeadline(t)) }

// SetWriteDeadline sets the time after which writes fail with [os.ErrDeadlineExceeded], waiting ones included. A
// write that fails so may have written a part.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.end.SetWriteDeadline(t))
}

// SetReadBuffer asks for a receive buffer of so many bytes. The system rounds and limits it. On Linux a local stream
// has a send buffer only, so that this one changes nothing there, unix(7). On Windows the listener's SysListen says how large
// the buffers are: [errors.ErrUnsupported].
func (c *conn) SetReadBuffer(bytes int) error {
	return c.opError("set", c.end.SetBufferSize(core.Reading, bytes))
}

// SetWriteBuffer asks for a send buffer of so many bytes. The system rounds and limits it (Linux doubles it, and limits
// it to net.core.wmem_max, socket(7)). There a buffer of the system's own size, 212992 bytes, is doubled when a Write
// has no room in it for 32 KiB, since that goes through faster then. On Windows: [errors.ErrUnsupported], see
// SetReadBuffer.
func (c *conn) SetWriteBuffer(bytes int) error {
	return c.opError("set", c.end.SetBufferSize(core.Writing, bytes))
}

// SetSpin makes reads and writes poll for so long before they wait, at most a millisecond; zero, the default, is not at all.
// [Dialer].Spin and [ListenConfig].Spin set it from the start.
//
// Waking a process takes the system several times as long as moving a small message, so a caller whose answer comes
// within microseconds gets it several times sooner by asking again and again: 20 to 100 microseconds are of use, and
// best on both sides. It costs a processor that is busy in that time, at every wait that is not over sooner. Therefore
// it learns. Polling in vain is left out at the next wait, then at the next 3, 7, and so on up to 255; polling that
// brings the result halves that number. If the system takes the processor away meanwhile, so that polling takes at
// least twice d, it counts as in vain even if it brings the result, once for each d that it took. So beside programs
// that keep all processors busy, and where both sides share one, it gains little, and costs little. At most
// GOMAXPROCS-1 goroutines poll at a time. Close, and a deadline that passes, take effect when the polling ends.
//
// On Windows it is for reading and writing, not for Peek and MessageSize, which look from time to time.
//
// On Linux a connection whose Dialer or ListenConfig has a Spin is quicker still than one that SetSpin is called for, since it
// is kept from the runtime's poller while polling does. It takes three descriptors instead of one, as long as there are enough.
func (c *conn) SetSpin(d time.Duration) error { return c.opError("set", setSpin(&c.end, d)) }

// PeerCredentials returns who the peer is. On Windows that is the process ID, -1 on another machine, and the user's
// SID:
//
//   - A client's is that of the user as whom it acts. A client that asked for nothing when it connected, as programs
//     without this package often do, acts as the user who wrote what was read last. Before anything was read the error
//     matches [syscall.EAGAIN]; the process ID is returned with it. The SID is empty if the client does not let it be
//     known (ImpersonationAnonymous).
//   - A server's is that of the owner of the pipe, in the pipe's security descriptor. [Listen] makes that the user of
//     its process. A pipe that another program made as an administrator may be owned by all administrators,
//     "S-1-5-32-544". The SID is empty for a connection from elsewhere ([FileConn]) whose handle does not have
//     READ_CONTROL.
func (c *conn) PeerCredentials() (Credentials, error) {
	credentials, err := c.end.PeerCredentials()
	return Credentials(credentials), c.opError("get", err)
}

// PeerPIDFD returns a pidfd of the process whose credentials PeerCredentials tells, pidfd_open(2): it becomes readable
// when the process ends, for which the file's SyscallConn waits without a thread, and never means another process that
// gets the same ID later. Linux 6.5 and later; elsewhere the error is [errors.ErrUnsupported].
func (c *conn) PeerPIDFD() (*os.File, error) {
	f, err := c.end.PeerPIDFD()
	return f, c.opError("get", err)
}

// SyscallConn returns access to the system's handle, see [syscall.Conn]. The handle is non-blocking and stays the
// connection's. On Windows there is Control alone: Read and Write are [errors.ErrUnsupported].
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.end.RawConn()
	return raw, c.opError("raw", err)
}

// File returns a duplicate of the connection's handle. Closing either does not affect the other, but both share the
// non-blocking mode and what CloseRead and CloseWrite do. On Windows they share the completion port of whoever first
// read or wrote; [FileConn] and package os can do without it. For a connection that was taken from another process the
// error is [errors.ErrUnsupported].
func (c *conn) File() (*os.File, error) {
	name := c.peer()
	if name.Type() == 0 {
		name = c.localName()
	}
	f, err := c.end.Duplicate(fileName(name))
	return f, c.opError("file", err)
}

// fileName is the name of a file that is a duplicate of a handle.
func fileName(name Name) string { return "ipc:" + name.String() }

// adopt makes c of a duplicate of a file's handle.
func (c *conn) adopt(f *os.File, kind core.Kind) error {
	local, peer, err := c.end.AdoptFile(f, kind)
	c.setNames(local, peer)
	return err
}

func (c *conn) setNames(local, peer core.Name) {
	if local != (core.Name{}) {
		name := publicName(local)
		c.local = &name
	}
	c.setPeer(publicName(peer))
}

// FileConn returns a connection on a duplicate of f, which must be a connected local stream socket: inherited, or from
// another package. f stays the caller's, but is non-blocking from then on, and must stay so. On Windows it must be a named
// pipe in byte mode that goes both ways, and was opened for overlapped operation ([errors.ErrUnsupported]).
func FileConn(f *os.File) (*Conn, error) {
	c := new(Conn)
	if err := c.adopt(f, core.KindStream); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return c, nil
}

// Pair returns two connections, each the other's peer.
func Pair() (*Conn, *Conn, error) {
	a, b := new(Conn), new(Conn)
	if err := poll.Pair(&a.end, &b.end, core.KindStream); err != nil {
		return nil, nil, opError("pair", Name{}, Name{}, err)
	}
	return a, b, nil
}
