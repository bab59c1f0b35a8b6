package ipc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A DatagramConn is a datagram socket, SOCK_DGRAM. Datagrams are messages between sockets. They stay whole and in
// order, and are never dropped, unix(7). A DatagramConn implements [net.PacketConn], and [net.Conn] for a socket that
// is connected to a peer. Any goroutine may call any method at any time. Errors are those of [Conn]. Sending and
// receiving allocate no memory, not even for names, as long as there are few senders.
//
// Send and Write send to the peer. Without a peer the error is [syscall.ENOTCONN]. A datagram socket learns that its
// peer is gone only when it sends: [syscall.ECONNREFUSED]. On Linux it then has no peer until Connect is called again.
// Windows has no datagrams: everything that returns a DatagramConn fails there with [errors.ErrUnsupported].
type DatagramConn struct {
	packets
}

var (
	_ net.Conn       = (*DatagramConn)(nil)
	_ net.PacketConn = (*DatagramConn)(nil)
)

func newDatagramConn() *DatagramConn {
	c := new(DatagramConn)
	c.senders = new(senders)
	return c
}

// SendTo sends b as one datagram to a peer. If the receiver's queue is full (Linux: net.unix.max_dgram_qlen datagrams),
// it tries again every 1 to 4 milliseconds, because no system reports when there is room. Errors:
//
//   - [fs.ErrNotExist]: there is no such name.
//   - [syscall.ECONNREFUSED]: no socket is bound to the file any more. On Linux also: there is no such name in the
//     abstract namespace.
//   - [fs.ErrPermission]: this user may not write to the receiver, or the receiver is connected to another peer.
func (c *DatagramConn) SendTo(b []byte, peer Name) error {
	if err := c.end.SendTo(b, peer.name); err != nil {
		return opError("write", c.localName(), peer, peer.dialErr(err, core.KindDatagram))
	}
	return nil
}

// ReceiveFrom receives a datagram as Receive does, and returns the name of its sender. The name is the zero Name if the
// sender is not bound, and so cannot be answered. That of a [UserName] or a [SystemName] is the [Path] of its file. The
// name is also returned with [ErrTruncated].
func (c *DatagramConn) ReceiveFrom(b []byte) (int, Name, error) {
	n, from, err := c.receiveFrom(b)
	return n, from.name, err
}

// LocalAddr is [Conn.LocalAddr], with the network "unixgram".
func (c *DatagramConn) LocalAddr() net.Addr {
	return endAddress(c.localName(), c.peer(), core.KindDatagram)
}

// RemoteAddr is [Conn.RemoteAddr], with the network "unixgram".
func (c *DatagramConn) RemoteAddr() net.Addr {
	return endAddress(c.peer(), c.localName(), core.KindDatagram)
}

// WriteTo is [DatagramConn.SendTo], for [net.PacketConn]. addr may be what ReadFrom returned, a [Name] or a
// [*net.UnixAddr].
func (c *DatagramConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	peer, known := NameOf(addr)
	if !known {
		return 0, c.opError("write", core.Invalidf("address %v, a %[1]T, is neither a Name nor a *net.UnixAddr", addr))
	}
	if err := c.SendTo(b, peer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadFrom is [DatagramConn.ReceiveFrom], for [net.PacketConn]. The address prints as the [Name], and [ParseName] reads
// it; its network is "unixgram". The address of a sender that is not bound is nil.
func (c *DatagramConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.receiveFrom(b)
	return n, from.addr, err
}

func (c *DatagramConn) receiveFrom(b []byte) (n int, from sender, err error) {
	n, err = c.end.ReceiveFrom(b, func(name *core.SocketName) { from = c.senders.named(name) })
	n, err = c.readResult(n, err)
	return n, from, err
}

// A sender is a name, and the same name as an address, because converting it would allocate each time.
type sender struct {
	name Name
	addr net.Addr
}

// senders remembers senders, so that another datagram of theirs allocates nothing. Only the goroutine that receives
// uses it, of which there is one at a time.
type senders struct{ known map[string]sender }

func (s *senders) named(name *core.SocketName) sender {
	const most = 256
	if known, found := s.known[string(name.Bytes())]; found {
		return known
	}
	if s.known == nil || len(s.known) == most {
		s.known = map[string]sender{}
	}
	found := sender{name: publicName(name.Name())}
	if found.name != (Name{}) {
		found.addr = endAddress(found.name, Name{}, core.KindDatagram)
	}
	s.known[string(name.Bytes())] = found
	return found
}

// Connect connects the socket to a peer, in place of the one that it is connected to, if any. Send and Write then send
// to the peer, and the socket receives only from the peer. The zero Name only dissolves the connection.
func (c *DatagramConn) Connect(peer Name) error {
	if err := c.end.ConnectDatagram(peer.name); err != nil {
		return opError("connect", c.localName(), peer, peer.dialErr(err, core.KindDatagram))
	}
	c.setPeer(peer)
	return nil
}

// SetUnlinkOnClose sets whether Close removes the socket file and its lock file. That is the default if
// [ListenConfig.ListenDatagram] created them.
func (c *DatagramConn) SetUnlinkOnClose(unlink bool) { c.end.SetUnlinkOnClose(unlink) }

// ListenDatagram returns a socket that is bound to a name. It receives from everybody that may write to its socket
// file. [ListenConfig.Listen] describes that file. Backlog has no effect.
//
// Names in Linux's abstract namespace have no file, so anybody can send to them: a receiver that must know its senders
// calls [DatagramConn.SetPassCredentials]. On macOS and the BSDs the file first has the mode that the umask leaves, and
// then gets its own. A process that connects or sends in that moment is let in. There, put the file in a directory that
// others cannot enter.
func (lc *ListenConfig) ListenDatagram(ctx context.Context, name Name) (*DatagramConn, error) {
	c := newDatagramConn()
	c.local = &name
	c.end.SetSpin(lc.Spin)
	c.maxMessage.Store(int64(lc.MaxMessage))
	o, err := lc.options()
	if ended := ctx.Err(); ended != nil {
		err = ended
	}
	if err == nil && lc.Client != nil {
		err = fmt.Errorf("a datagram socket has no connections that Client could decide about: %w", errors.ErrUnsupported)
	}
	if err == nil {
		err = name.listenErr(c.end.ListenDatagram(name.name, o), core.KindDatagram)
	}
	if err != nil {
		return nil, opError("listen", Name{}, name, err)
	}
	return c, nil
}

// ListenDatagram returns a socket that is bound to a name, with the default options, see [ListenConfig.ListenDatagram].
func ListenDatagram(name Name) (*DatagramConn, error) {
	return new(ListenConfig).ListenDatagram(context.Background(), name)
}

// DialDatagram returns a socket that is connected to a name, and not bound, so nobody can answer it. To get answers,
// use [ListenDatagram] and [DatagramConn.Connect]. DialDatagram never waits. Errors are those of [DatagramConn.SendTo].
func DialDatagram(name Name) (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.end.Connect(context.Background(), name.name, core.KindDatagram, nil); err != nil {
		return nil, opError("dial", Name{}, name, name.dialErr(err, core.KindDatagram))
	}
	c.setPeer(name)
	return c, nil
}

// OpenDatagram returns a socket that is neither bound nor connected. It can send with [DatagramConn.SendTo].
func OpenDatagram() (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.end.OpenDatagram(); err != nil {
		return nil, opError("open", Name{}, Name{}, err)
	}
	return c, nil
}

// DatagramPair returns two sockets. Each is connected to the other.
func DatagramPair() (*DatagramConn, *DatagramConn, error) {
	a, b := newDatagramConn(), newDatagramConn()
	if err := poll.Pair(&a.end, &b.end, core.KindDatagram); err != nil {
		return nil, nil, opError("pair", Name{}, Name{}, err)
	}
	return a, b, nil
}

// FileDatagramConn is [FileConn] for a SOCK_DGRAM socket, bound or not, connected or not.
func FileDatagramConn(f *os.File) (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.adopt(f, core.KindDatagram); err != nil {
		return nil, opError("file", Name{}, Name{}, err)
	}
	return c, nil
}
