//go:build unix

package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// tryConnect makes one attempt. busy means that the listener's backlog is full.
func (e *Endpoint) tryConnect(_ context.Context, name core.Name, kind core.Kind, system *core.ConnectSystem) (
	busy bool, err error) {
	handle, r, err := core.Connect(name, kind, system, 0)
	if err != nil {
		return r.Busy(), err
	}
	return false, e.open(handle)
}

// Pair opens two endpoints. Each is the other's peer.
func Pair(a, b *Endpoint, kind core.Kind) error {
	ha, hb, r := core.Pair(kind)
	if r < 0 {
		return r.Err()
	}
	if err := a.open(ha); err != nil {
		core.Close(hb)
		return err
	}
	if err := b.open(hb); err != nil {
		a.Close()
		return err
	}
	return nil
}
