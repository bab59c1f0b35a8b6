//go:build unix

package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// open gives the poller a duplicate of the core's handle, because only the core may close the handle.
func (w *SignalWatch) open() error {
	duplicate, r := core.Duplicate(w.handle)
	if r < 0 {
		return r.Err()
	}
	return w.end.open(duplicate)
}

func (w *SignalWatch) wait(ctx context.Context) error { return w.attempt(ctx, w.once) }

func (w *SignalWatch) release() { w.end.file.Close() }
