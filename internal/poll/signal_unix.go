//go:build unix

package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// open has the poller wait for a duplicate of the core's handle, which nothing but the core may close.
func (w *SignalWatch) open() error {
	duplicate, r := core.Duplicate(w.handle)
	if r < 0 {
		return r.Err()
	}
	return w.end.open(duplicate)
}

func (w *SignalWatch) wait(ctx context.Context) error { return w.attempt(ctx, w.once) }

func (w *SignalWatch) release() { w.end.file.Close() }
