//go:build unix

package ipc

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// take sorts the descriptors that a service manager passed into the maps. If there are any, and only is not 0, it
// requires one of that kind.
func (a *Activation) take(lc *ListenConfig, only core.Kind) error {
	found, r := core.Activation()
	if r < 0 {
		return fmt.Errorf("LISTEN_PID=%q, LISTEN_FDS=%q, LISTEN_FDNAMES=%q: %w", os.Getenv("LISTEN_PID"),
			os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), r.Err())
	}
	err := a.takeAll(found, lc, only)
	for _, f := range found {
		if err == nil {
			core.Close(f.Handle)
		} else {
			f.Restore()
		}
	}
	return err
}

func (a *Activation) takeAll(found []core.Activated, lc *ListenConfig, only core.Kind) error {
	if only != 0 && len(found) > 0 && (len(found) > 1 || found[0].Kind != only) {
		return wrongActivation(found, only)
	}
	var taken []io.Closer
	for _, f := range found {
		one, err := a.adopt(f, lc)
		if err != nil {
			for _, one := range taken {
				one.Close()
			}
			return fmt.Errorf("descriptor %d, %q: %w", f.Handle, f.Name, err)
		}
		taken = append(taken, one)
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

// wrongActivation returns the error of a process that wants one listener, and was passed something else.
func wrongActivation(found []core.Activated, only core.Kind) error {
	names := map[core.Kind]string{core.KindDatagram: "a datagram socket", 0: "something else"}
	for _, kind := range []core.Kind{core.KindStream, core.KindMessage} {
		names[kind] = "a connection of " + kindNames[kind]
		names[kind|core.KindListener] = "a listener for " + kindNames[kind]
	}
	var passed []string
	for _, f := range found {
		what, known := names[f.Kind]
		if !known {
			what = names[0]
		}
		passed = append(passed, fmt.Sprintf("%s (%q)", what, f.Name))
	}
	return core.Invalidf("the service manager passed %s, but this program takes %s alone", strings.Join(passed, ", "),
		names[only])
}
