//go:build unix

package poll

import "github.com/lipc/ipc/internal/core"

// HasDatagrams reports whether the system has datagrams.
const HasDatagrams = true

var (
	sendTo      = &operation{step: (*direction).sendTo, writes: true}
	receiveFrom = &operation{step: (*direction).receiveFrom}
)

// addresses are the names of a datagram's receiver and sender.
type addresses struct {
	to   core.Name
	from *core.SocketName
}

func (d *direction) sendTo(fd uintptr) core.Result      { return core.SendTo(fd, d.data, d.to) }
func (d *direction) receiveFrom(fd uintptr) core.Result { return core.ReceiveFrom(fd, d.data, d.from) }

// SendTo sends a datagram to a peer.
func (e *Endpoint) SendTo(b []byte, peer core.Name) error {
	d := &e.out
	d.mu.Lock()
	d.needExtras()
	d.data, d.to, d.addressed = b, peer, true
	_, err := e.run(d, sendTo)
	d.data, d.to, d.addressed = nil, core.Name{}, false
	d.mu.Unlock()
	if err != nil {
		if wrong := peer.Check(); wrong != nil {
			return wrong
		}
	}
	return e.explainSize(len(b), err)
}

// ReceiveFrom receives a datagram. It calls received with the name of the sender before another datagram can be
// received, also with [core.ErrTruncated].
func (e *Endpoint) ReceiveFrom(b []byte, received func(from *core.SocketName)) (int, error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	if d.from == nil {
		d.from = new(core.SocketName)
	}
	d.data = b
	n, err := e.run(d, receiveFrom)
	d.data = nil
	if err == nil || d.result.Truncated() {
		received(d.from)
	}
	return n, err
}

// ListenDatagram binds a socket to a name.
func (e *Endpoint) ListenDatagram(name core.Name, o core.ListenOptions) error {
	listener, err := core.Listen(name, core.KindDatagram, o)
	if err != nil {
		return err
	}
	if err := e.open(listener.Detach()); err != nil {
		listener.Close()
		return err
	}
	e.bound = new(socketFile)
	e.bound.own(listener)
	return nil
}

// OpenDatagram opens a socket that is not bound.
func (e *Endpoint) OpenDatagram() error {
	handle, r := core.OpenDatagram()
	if r < 0 {
		return r.Err()
	}
	return e.open(handle)
}

// ConnectDatagram connects a socket to a peer. The zero Name dissolves the connection.
func (e *Endpoint) ConnectDatagram(peer core.Name) (err error) {
	asked := e.Control(func(fd uintptr) core.Result { err = core.ConnectDatagram(fd, peer); return 0 })
	if asked != nil {
		return asked
	}
	return err
}

// SetUnlinkOnClose sets whether Close removes the socket file.
func (e *Endpoint) SetUnlinkOnClose(unlink bool) {
	if e.bound != nil {
		e.bound.setUnlinkOnClose(unlink)
	}
}
