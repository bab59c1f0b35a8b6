package ipc

import (
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A Conn is a connection of bytes. [Dial], [Listener.AcceptConn], [Pair] and [FileConn] return one. It implements
// [net.Conn]. The methods of a zero Conn fail with [syscall.EINVAL].
//
// Any goroutine may call any method at any time. Simultaneous reads are performed one after the other, and so are
// simultaneous writes. Reading and writing allocate no memory, and take no thread while they wait.
//
// End of stream is a bare [io.EOF]. Other errors are of type [*net.OpError] and match:
//
//   - [net.ErrClosed] after Close.
//   - [os.ErrDeadlineExceeded] after a deadline.
//   - [syscall.EPIPE] if a write finds that the peer is gone.
type Conn struct {
	conn
}

var _ net.Conn = (*Conn)(nil)

// conn is what all connections have in common.
type conn struct {
	end    poll.Endpoint
	local  *Name                // nil: none
	remote atomic.Pointer[Name] // nil: none; that of a datagram socket may change

	senders *senders // remembered by a datagram socket; nil for other connections
}

func (c *conn) opError(op string, err error) error {
	if err == nil { // checked here so that a success is inlined
		return nil
	}
	return c.newOpError(op, err)
}

func (c *conn) newOpError(op string, err error) error {
	return opError(op, c.localName(), c.peer(), err)
}

// localName returns the name of this end, or the zero Name if it has none.
func (c *conn) localName() Name { return nameAt(c.local) }

// peer returns the name of the peer, or the zero Name if it has none.
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

// readResult returns the result of a read in its public form: io.EOF stays bare, and any other error gets the operation
// and the names.
func (c *conn) readResult(n int, err error) (int, error) {
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// Read reads the bytes that are there, at most len(b), and waits if there are none. It returns [io.EOF] at end of
// stream: the peer closed, shut down its writing half, or died. That holds also if the peer left data unread, which
// Linux reports as ECONNRESET. After a deadline Read fails even if there is data. Reading into an empty b returns 0 at
// once. Open files that arrive with the bytes, see [Message], are closed.
func (c *Conn) Read(b []byte) (int, error) { return c.readResult(c.end.Read(b)) }

// Write writes all of b, and waits for room as often as needed. With an error it returns the number of bytes written
// before the error. If the peer is gone, the error is [syscall.EPIPE]; SIGPIPE is never raised.
//
// On Windows a deadline may end a write to a pipe whose buffer is smaller than 4096 bytes. The peer may then have read
// a part that is not counted, because the system does not report it. Later writes fail with [syscall.EPIPE].
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.end.Write(b)
	return n, c.opError("write", err)
}

// ReadContext is Read with a context. When ctx ends, ReadContext fails, and the error matches [context.Canceled] or
// [context.DeadlineExceeded]. The end of ctx affects this call alone: other calls go on, and deadlines stay as they
// are. Deadlines also end this call. A ctx that cannot end, such as [context.Background], costs nothing. One that can
// end costs a few allocations, and a goroutine only while the call waits for another call of the same direction.
//
// The same holds for each method of a connection, channel or pipe whose name ends in Context. Packages that take an
// [io.Reader], such as bufio, call Read, which no context ends. For these let [context.AfterFunc] set a deadline that
// has passed, or close the connection.
func (c *Conn) ReadContext(ctx context.Context, b []byte) (int, error) {
	return c.readResult(c.end.ReadContext(ctx, b))
}

// WriteContext is Write with a context, see ReadContext. If ctx ends when a part was written, WriteContext returns the
// size of that part with the error. Otherwise the effect is that of a deadline, see Write.
func (c *Conn) WriteContext(ctx context.Context, b []byte) (int, error) {
	n, err := c.end.WriteContext(ctx, b)
	return n, c.opError("write", err)
}

// ReadBuffers reads as Read does, into several buffers, which it fills in order. It performs one system call for the
// first 64 buffers that are not empty, and fills no more than these. Windows performs one or two for each buffer.
// More than five buffers cost an allocation, in [runtime.Pinner].
func (c *Conn) ReadBuffers(buffers [][]byte) (int, error) {
	return c.readResult(c.end.ReadBuffers(buffers))
}

// WriteBuffers writes several buffers as Write does, in order. If there is room, it performs one system call for each
// 64 buffers. It does not change the slices. More than five buffers cost an allocation, in [runtime.Pinner]. On Windows
// it first joins small buffers, up to 64 KiB.
func (c *Conn) WriteBuffers(buffers [][]byte) (int, error) {
	n, err := c.end.WriteBuffers(buffers)
	return n, c.opError("write", err)
}

// CloseRead shuts down the reading half, for every process that shares the connection. Reads then return io.EOF. On
// Linux they first return what had arrived, and the peer's writes fail with [syscall.EPIPE]. But a Write of the peer
// that waits for room already goes on to wait, until this end has read enough of what had arrived, or closes. On other
// systems what had arrived, and what the peer writes, may be discarded. On Windows the error is
// [errors.ErrUnsupported].
func (c *conn) CloseRead() error { return c.opError("close", c.end.Shutdown(core.Reading)) }

// CloseWrite shuts down the writing half, for every process that shares the connection. The peer reads what was written
// before, and then io.EOF.
//
// On Windows two kinds of connections of bytes have halves: those of a listener with [ListenConfig].HalfClose, and
// those to a pipe of messages that another program serves. On all others the error is [errors.ErrUnsupported].
// CloseWrite waits there until the peer has read what was written, because readers of other programs, such as
// go-winio's, would otherwise not notice the end. So go on reading meanwhile. The write deadline and Close end the
// wait; after a deadline CloseWrite can be called again. If the peer is gone, the error is [syscall.EPIPE]. The system
// keeps no record of the end, so a duplicate of either end, from [Conn.File] or in another process, does not know of
// it: what the duplicate writes is never read, and its reads wait.
func (c *conn) CloseWrite() error { return c.opError("close", c.end.Shutdown(core.Writing)) }

// Close closes the connection. Operations under way, and all later ones, fail with [net.ErrClosed]; so does a second
// Close. The peer still receives what was written before, however late it reads. Close does not wait for that.
func (c *conn) Close() error { return c.opError("close", c.end.Close()) }

// LocalAddr returns the [Name] that this end is bound to. An accepted connection has the listener's name. A dialled
// connection usually has none: the zero Name.
//
// On Windows both ends have the name of the pipe, and the address prints as the pipe's path, as gRPC's local credentials
// and others expect. [NameOf] returns the Name.
func (c *conn) LocalAddr() net.Addr { return endAddress(c.localName(), c.peer(), core.KindStream) }

// RemoteAddr returns the [Name] that the peer is bound to. A dialled connection has the name that was dialled. The peer
// of an accepted connection usually has none: the zero Name. Windows: as for LocalAddr.
func (c *conn) RemoteAddr() net.Addr { return endAddress(c.peer(), c.localName(), core.KindStream) }

// SetDeadline sets both deadlines, see [net.Conn]. The zero time means no deadline.
func (c *conn) SetDeadline(t time.Time) error { return c.opError("set", c.end.SetDeadline(t)) }

// SetReadDeadline sets the time after which reads fail with [os.ErrDeadlineExceeded], including reads under way.
func (c *conn) SetReadDeadline(t time.Time) error { return c.opError("set", c.end.SetReadDeadline(t)) }

// SetWriteDeadline sets the time after which writes fail with [os.ErrDeadlineExceeded], including writes under way.
// Such a write may have written a part.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.opError("set", c.end.SetWriteDeadline(t))
}

// SetReadBuffer requests a receive buffer of this size, which the system rounds and limits. On Linux it has no effect
// on a local stream, which has only a send buffer, unix(7). On Windows the server sets the sizes when it listens, see
// [SysListen]: [errors.ErrUnsupported].
func (c *conn) SetReadBuffer(bytes int) error {
	return c.opError("set", c.end.SetBufferSize(core.Reading, bytes))
}

// SetWriteBuffer requests a send buffer of this size, which the system rounds and limits. Linux doubles the size, and
// limits it to net.core.wmem_max, socket(7). On Linux Write doubles a buffer that still has the system's own size,
// 212992 bytes, if it has no room for 32 KiB of what is written, because that is faster then. On Windows:
// [errors.ErrUnsupported], see SetReadBuffer.
func (c *conn) SetWriteBuffer(bytes int) error {
	return c.opError("set", c.end.SetBufferSize(core.Writing, bytes))
}

// SetSpin sets how long reads and writes spin before they wait, at most a millisecond. Zero, the default, means no
// spin. [Dialer].Spin and [ListenConfig].Spin set it from the start.
//
// To spin is to repeat a call for a short time, before waiting. Waking a process takes the system several times as long
// as moving a small message. A caller whose answer comes within microseconds gets it several times sooner by spinning:
// 20 to 100 microseconds are of use, best on both sides. The price is a processor that is busy meanwhile, in every wait
// that does not end sooner.
//
// A connection learns when spinning is of use. After a spin in vain, the next wait does not spin; after further ones
// the next 3, 7 and so on, up to 255. A spin that brings the result halves that number. A spin that takes at least
// twice d counts as in vain even if it brings the result, once for each d that it took: the system took the processor
// away meanwhile. Spinning therefore gains little and costs little beside programs that keep all processors busy, and
// where both sides share one processor. At most GOMAXPROCS-1 goroutines spin at a time. Close, and a deadline that
// passes, take effect when the spin ends.
//
// On Windows only reading and writing spin. Peek and MessageSize look from time to time.
//
// On Linux a connection that has a Spin from its Dialer or ListenConfig is faster than one that gets it from SetSpin,
// because it is not on the runtime's poller while it spins. It takes three descriptors instead of one, as long as there
// are enough descriptors.
func (c *conn) SetSpin(d time.Duration) error { return c.opError("set", setSpin(&c.end, d)) }

// PeerCredentials returns the identity of the peer, supplied by the kernel. On Windows that is the process ID, -1 for a
// peer on another machine, and the user's SID:
//
//   - If the peer is a client, the SID is that of the user that the client acts as. A client that used [Dial] acts as
//     the user that connected. A client that did not ask for that, which is common in programs without this package,
//     acts as the user that wrote what was read last. Before anything was read the error matches [syscall.EAGAIN]; the
//     process ID is returned with it. The SID is empty if the client hides its user (ImpersonationAnonymous).
//   - If the peer is a server, the SID is that of the pipe's owner, in the pipe's security descriptor. [Listen] makes
//     the user of its process the owner. A pipe that another program created as an administrator may be owned by all
//     administrators, "S-1-5-32-544". The SID is empty if the connection came from elsewhere ([FileConn]) and its
//     handle does not have READ_CONTROL, or if the server is on another machine, which could claim any owner.
func (c *conn) PeerCredentials() (Credentials, error) {
	credentials, err := c.end.PeerCredentials()
	return Credentials(credentials), c.opError("get", err)
}

// PeerPIDFD returns a pidfd of the process that PeerCredentials reports, pidfd_open(2). The pidfd becomes readable when
// the process ends; the file's SyscallConn waits for that without a thread. It never refers to another process that
// gets the same ID later. Linux 6.5 and later; other systems: [errors.ErrUnsupported].
func (c *conn) PeerPIDFD() (*os.File, error) {
	f, err := c.end.PeerPIDFD()
	return f, c.opError("get", err)
}

// SyscallConn returns access to the system's handle, see [syscall.Conn]. The handle is non-blocking, and stays the
// connection's. Errors are those of the connection's other methods. On Windows only Control works; Read and Write fail
// with [errors.ErrUnsupported].
func (c *conn) SyscallConn() (syscall.RawConn, error) { return newRawConn(&c.end, c.opError) }

// A rawConn gives access to a handle. Its errors have the operation and the names of the handle's owner.
type rawConn struct {
	raw     syscall.RawConn
	opError func(op string, err error) error
}

func newRawConn(end *poll.Endpoint, opError func(op string, err error) error) (syscall.RawConn, error) {
	raw, err := end.RawConn()
	if err != nil {
		return nil, opError("raw", err)
	}
	return rawConn{raw, opError}, nil
}

func (c rawConn) Control(f func(uintptr)) error    { return c.opError("raw-control", c.raw.Control(f)) }
func (c rawConn) Read(f func(uintptr) bool) error  { return c.opError("raw-read", c.raw.Read(f)) }
func (c rawConn) Write(f func(uintptr) bool) error { return c.opError("raw-write", c.raw.Write(f)) }

// File returns a duplicate of the connection's handle. Closing one does not affect the other. Both share the
// non-blocking mode, and what CloseRead and CloseWrite do. On Windows both also share the completion port of the one
// that read or wrote first; [FileConn] and package os can do without that port. When package os closes the duplicate, it
// cancels what this process has under way on either: a read goes on, but a Write fails, because the peer may have got a
// part. So close the duplicate while nothing is written. A connection that was taken from
// another process cannot be duplicated: [errors.ErrUnsupported].
func (c *conn) File() (*os.File, error) {
	name := c.peer()
	if name.Type() == 0 {
		name = c.localName()
	}
	f, err := c.end.Duplicate(fileName(name))
	return f, c.opError("file", err)
}

// fileName returns the name of a file that is a duplicate of a handle.
func fileName(name Name) string { return "ipc:" + name.String() }

// adopt opens c on a duplicate of a file's handle.
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

// FileConn returns a connection on a duplicate of f, which must be a connected local stream socket, inherited or from
// another package. f stays the caller's, but becomes non-blocking, and must stay so. On Windows f must be a named pipe
// that carries data both ways and is read in byte mode. If it is a pipe of messages, [Conn.CloseWrite] works. If it was
// not opened for overlapped operation, the error is [errors.ErrUnsupported].
func FileConn(f *os.File) (*Conn, error) {
	c := new(Conn)
	if err := c.adopt(f, core.KindStream); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return c, nil
}

// Pair returns two connections. Each is the other's peer.
func Pair() (*Conn, *Conn, error) {
	a, b := new(Conn), new(Conn)
	if err := poll.Pair(&a.end, &b.end, core.KindStream); err != nil {
		return nil, nil, opError("pair", Name{}, Name{}, err)
	}
	return a, b, nil
}
