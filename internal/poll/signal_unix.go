//go:build unix

package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// systemSignalWatch is the call that takes a signal. It is bound once, so that Next allocates nothing. The poller waits
// for a duplicate of the core's handle, which nothing else may close.
type systemSignalWatch struct {
	once   func(fd uintptr) bool
	info   core.SignalInfo
	result core.Result
}

func (w *SignalWatch) open() error {
	duplicate, r := core.Duplicate(w.handle)
	if r < 0 {
		return r.Err()
	}
	w.once = w.takeSignal
	return w.end.open(duplicate)
}

func (w *SignalWatch) takeSignal(uintptr) bool {
	w.info, w.result = core.NextSignal(w.handle)
	return !w.result.Busy()
}

func (w *SignalWatch) wait(ctx context.Context) (core.SignalInfo, error) {
	if err := w.attempt(ctx, w.once); err != nil {
		return core.SignalInfo{}, err
	}
	return w.info, w.result.Err()
}

func (w *SignalWatch) release() { w.end.file.Close() }
