package poll

import (
	"context"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// tryConnect makes one attempt. busy means that all instances of the pipe are taken, or that another machine has not
// answered in time.
func (e *Endpoint) tryConnect(ctx context.Context, name core.Name, kind core.Kind, system *core.ConnectSystem) (
	busy bool, err error) {
	var o opening
	if isRemote(name) {
		o, err = openOrAbandon(ctx, func() opening { return connect(name, kind, system, remoteTime(ctx)) })
		if err != nil {
			return false, err
		}
	} else {
		o = connect(name, kind, system, 0)
	}
	switch r := o.result; {
	case r.NotSocket() && kind == core.KindStream && system.HalfClose:
		return false, ErrNoHalves
	case r.NotSocket():
		return false, r.Explained("the pipe is one of bytes, not of messages", syscall.EPROTOTYPE)
	case r < 0:
		return r.Busy() || r.TimedOut(), o.err
	}
	e.open(o.handle, kind)
	return false, nil
}

// An opening is the result of a call that opens a handle.
type opening struct {
	handle uintptr
	result core.Result
	err    error
}

func connect(name core.Name, kind core.Kind, system *core.ConnectSystem, timeout time.Duration) opening {
	handle, r, err := core.Connect(name, kind, system, timeout)
	return opening{handle, r, err}
}

// isRemote reports whether a name is on another machine, which the system may take long to reach.
func isRemote(name core.Name) bool {
	return name.Type == core.PathName && !strings.HasPrefix(name.Text, `\\.\`) && !strings.HasPrefix(name.Text, `\\?\`)
}

// remoteTime returns how long an attempt to reach another machine may take: as long as the context allows, but at most
// a minute, so that an abandoned attempt ends.
func remoteTime(ctx context.Context) time.Duration {
	most := time.Minute
	if end, limited := ctx.Deadline(); limited {
		most = max(min(most, time.Until(end)), time.Millisecond)
	}
	return most
}

// openOrAbandon calls open, which opens a handle, and returns without waiting for it when the context ends. The handle
// that open returns after that is closed.
func openOrAbandon(ctx context.Context, open func() opening) (opening, error) {
	opened := make(chan opening)
	go func() {
		o := open()
		select {
		case opened <- o:
		case <-ctx.Done():
			if o.result >= 0 {
				core.Close(o.handle)
			}
		}
	}()
	select {
	case o := <-opened:
		return o, nil
	case <-ctx.Done():
		return opening{}, ctx.Err()
	}
}

// Pair opens two endpoints. Each is the other's peer.
func Pair(a, b *Endpoint, kind core.Kind) error {
	ha, hb, r := core.Pair(kind)
	if r < 0 {
		return r.Err()
	}
	a.open(ha, kind)
	b.open(hb, kind)
	return nil
}
