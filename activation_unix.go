//go:build cgo && unix

package ipc

import (
	"fmt"
	"io"
	"os"
)

// take sorts the descriptors that a service manager passed.
func (a *Activation) take(lc *ListenConfig) error {
	found, r := coreActivation()
	if r < 0 {
		return fmt.Errorf("LISTEN_PID=%q, LISTEN_FDS=%q, LISTEN_FDNAMES=%q: %w", os.Getenv("LISTEN_PID"),
			os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), r.err())
	}
	var taken []io.Closer
	for _, f := range found {
		one, err := a.adopt(f, lc)
		if err != nil {
			for _, one := range taken {
				one.Close()
			}
			for _, f := range found {
				f.restore()
			}
			return fmt.Errorf("descriptor %d, %q: %w", f.handle, f.name, err)
		}
		taken = append(taken, one)
	}
	for _, f := range found {
		coreClose(f.handle)
	}
	return nil
}

// adopt makes what it is of a duplicate of a descriptor.
func (a *Activation) adopt(f activated, lc *ListenConfig) (io.Closer, error) {
	handle, r := coreDuplicate(f.handle)
	if r < 0 {
		return nil, r.err()
	}
	switch f.kind {
	case kindStream | kindListener:
		l := new(Listener)
		a.Listeners[f.name] = append(a.Listeners[f.name], l)
		return l, l.adoptHandle(handle, lc)
	case kindMessage | kindListener:
		l := new(MessageListener)
		a.MessageListeners[f.name] = append(a.MessageListeners[f.name], l)
		return l, l.adoptHandle(handle, lc)
	case kindDatagram:
		c := newDatagramConn()
		a.Datagrams[f.name] = append(a.Datagrams[f.name], c)
		err := adoptHandle(&c.conn, handle, f.kind)
		c.end.limitSpin(lc.Spin) // not before, since others may have the socket, too
		c.maxMessage.Store(int64(lc.MaxMessage))
		return c, err
	default:
		file := os.NewFile(handle, f.name)
		a.Files[f.name] = append(a.Files[f.name], file)
		return file, nil
	}
}

func (l *listener) adoptHandle(handle uintptr, lc *ListenConfig) error {
	name, err := l.acceptor.adoptHandle(handle, lc)
	l.name = &name
	l.configure(lc)
	return err
}
