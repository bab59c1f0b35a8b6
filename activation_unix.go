//go:build unix

package ipc

import (
	"fmt"
	"io"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// take sorts the descriptors that a service manager passed into the maps.
func (a *Activation) take(lc *ListenConfig) error {
	found, r := core.Activation()
	if r < 0 {
		return fmt.Errorf("LISTEN_PID=%q, LISTEN_FDS=%q, LISTEN_FDNAMES=%q: %w", os.Getenv("LISTEN_PID"),
			os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), r.Err())
	}
	var taken []io.Closer
	for _, f := range found {
		one, err := a.adopt(f, lc)
		if err != nil {
			for _, one := range taken {
				one.Close()
			}
			for _, f := range found {
				f.Restore()
			}
			return fmt.Errorf("descriptor %d, %q: %w", f.Handle, f.Name, err)
		}
		taken = append(taken, one)
	}
	for _, f := range found {
		core.Close(f.Handle)
	}
	return nil
}

// adopt adds a duplicate of a descriptor to the map of its kind.
func (a *Activation) adopt(f core.Activated, lc *ListenConfig) (io.Closer, error) {
	handle, r := core.Duplicate(f.Handle)
	if r < 0 {
		return nil, r.Err()
	}
	switch f.Kind {
	case core.KindStream | core.KindListener:
		l := new(Listener)
		a.Listeners[f.Name] = append(a.Listeners[f.Name], l)
		return l, l.adoptHandle(handle, lc)
	case core.KindMessage | core.KindListener:
		l := new(MessageListener)
		a.MessageListeners[f.Name] = append(a.MessageListeners[f.Name], l)
		return l, l.adoptHandle(handle, lc)
	case core.KindDatagram:
		c := newDatagramConn()
		a.Datagrams[f.Name] = append(a.Datagrams[f.Name], c)
		err := c.adoptHandle(handle, f.Kind)
		c.end.SetSpin(lc.Spin) // after opening: others may have the socket, which rules out a spinningConn
		c.maxMessage.Store(int64(lc.MaxMessage))
		return c, err
	default:
		file := os.NewFile(handle, f.Name)
		a.Files[f.Name] = append(a.Files[f.Name], file)
		return file, nil
	}
}

// adoptHandle opens l on a handle, which it takes over, with those of the options that have an effect on it.
func (l *listener) adoptHandle(handle uintptr, lc *ListenConfig) error {
	l.configure(lc)
	o, err := lc.options()
	if err != nil {
		core.Close(handle)
		return err
	}
	return l.adopted(l.acceptor.AdoptHandle(handle, o))
}

// adoptHandle opens c on a handle, which it takes over.
func (c *conn) adoptHandle(handle uintptr, kind core.Kind) error {
	local, peer, err := c.end.AdoptHandle(handle, kind)
	c.setNames(local, peer)
	return err
}
