package ipc

import (
	"context"
	"net"
	"os"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A DatagramConn is a socket of datagrams, SOCK_DGRAM: messages that go from socket to socket, are kept whole and in
// order, and never dropped, unix(7). It implements [net.PacketConn] and, for one that is connected to a peer, [net.Conn].
// All methods may be called from any goroutine, at any time, and the errors are those of [Conn]. Sending and receiving
// allocate nothing, names included as long as there are few of them.
//
// A datagram socket does not learn that its peer is gone until it sends: [syscall.ECONNREFUSED]. Linux then has it
// connected to none ([syscall.ENOTCONN]), until Connect is called again. There are no datagrams on Windows: what makes such
// a socket fails with [errors.ErrUnsupported].
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

// Read is [DatagramConn.Receive], for [net.Conn].
func (c *DatagramConn) Read(b []byte) (int, error) { return c.Receive(b) }

// Write is [DatagramConn.Send] to the peer that the socket is connected to, for [net.Conn]. Without one the error is
// [syscall.ENOTCONN].
func (c *DatagramConn) Write(b []byte) (int, error) {
	if err := c.Send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// SendTo sends b as one datagram to a peer. It waits while the receiver's queue is full (Linux: net.unix.max_dgram_qlen
// datagrams), and looks every 1 to 4 milliseconds, since no system tells. Where nothing has the name the error is
// [fs.ErrNotExist], a file that no socket is bound to any more (and an absent name of Linux's abstract namespace) is
// [syscall.ECONNREFUSED], a receiver that this user may not
// write to, or that is connected to another peer, [fs.ErrPermission].
func (c *DatagramConn) SendTo(b []byte, peer Name) error {
	if err := c.end.SendTo(b, peer.name); err != nil {
		return opError("write", c.localName(), peer, err)
	}
	return nil
}

// ReceiveFrom is Receive, and returns who sent the datagram: the zero Name if the sender is bound to none
// and cannot be answered. It is there with [ErrTruncated], too.
func (c *DatagramConn) ReceiveFrom(b []byte) (int, Name, error) {
	n, from, err := c.receiveFrom(b)
	return n, from.name, err
}

// WriteTo is [DatagramConn.SendTo], for [net.PacketConn]. addr may be a [Name] or a [*net.UnixAddr].
func (c *DatagramConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	var peer Name
	switch addr := addr.(type) {
	case Name:
		peer = addr
	case *net.UnixAddr:
		if addr != nil {
			peer = nameOf(addr.Name)
		}
	default:
		return 0, c.opError("write", core.Invalidf("address is a %T, neither a Name nor a *net.UnixAddr", addr))
	}
	if err := c.SendTo(b, peer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadFrom is [DatagramConn.ReceiveFrom], for [net.PacketConn]. The address is a [Name].
func (c *DatagramConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.receiveFrom(b)
	return n, from.addr, err
}

func (c *DatagramConn) receiveFrom(b []byte) (n int, from sender, err error) {
	n, err = c.end.ReceiveFrom(b, func(name *core.SocketName) { from = c.senders.named(name) })
	n, err = c.readResult(n, err)
	return n, from, err
}

// A sender is a name, and the same as an address, so that making one of the other does not allocate each time.
type sender struct {
	name Name
	addr net.Addr
}

// senders remembers some, so that hearing of them again allocates nothing. It is for a goroutine that receives, of which
// there is one at a time.
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
	found.addr = found.name
	s.known[string(name.Bytes())] = found
	return found
}

// Connect makes peer the one that Send and Write go to, and the only one that is received from; the zero Name undoes it.
func (c *DatagramConn) Connect(peer Name) error {
	if err := c.end.ConnectDatagram(peer.name); err != nil {
		return opError("connect", c.localName(), peer, err)
	}
	c.setPeer(peer)
	return nil
}

// SetUnlinkOnClose says whether Close removes the socket file and its lock file. It does by default if
// [ListenConfig.ListenDatagram] made them.
func (c *DatagramConn) SetUnlinkOnClose(unlink bool) { c.end.SetUnlinkOnClose(unlink) }

// ListenDatagram returns a socket that is bound to a name, and receives from everybody who may write to its socket
// file; what [ListenConfig.Listen] says of that file holds here, too. Backlog means nothing. Names of Linux's abstract
// namespace have no file, and nobody is kept from sending to them: [DatagramConn.SetPassCredentials] tells who did. On
// macOS and the BSDs the file has the mode that the umask leaves until it gets its own, and whoever connects or sends
// in that moment gets in: there it belongs in a directory that others cannot enter.
func (lc *ListenConfig) ListenDatagram(ctx context.Context, name Name) (*DatagramConn, error) {
	c := newDatagramConn()
	c.local = &name
	c.end.SetSpin(lc.Spin)
	c.maxMessage.Store(int64(lc.MaxMessage))
	err := ctx.Err()
	if err == nil {
		err = lc.check()
	}
	if err == nil {
		err = c.end.ListenDatagram(name.name, lc.options())
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

// DialDatagram returns a socket that is connected to a name, and bound to none, so that nobody can answer it: for that,
// [ListenDatagram] and [DatagramConn.Connect]. It never waits. The errors are those of [DatagramConn.SendTo].
func DialDatagram(name Name) (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.end.Connect(context.Background(), name.name, core.KindDatagram, nil); err != nil {
		return nil, opError("dial", Name{}, name, err)
	}
	c.setPeer(name)
	return c, nil
}

// OpenDatagram returns a socket that is neither bound nor connected: it sends with [DatagramConn.SendTo].
func OpenDatagram() (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.end.OpenDatagram(); err != nil {
		return nil, opError("open", Name{}, Name{}, err)
	}
	return c, nil
}

// DatagramPair returns two sockets, each connected to the other.
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
