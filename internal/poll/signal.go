package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// A SignalWatch collects signals. The zero SignalWatch is not open. A goroutine that has its turn alone may take signals
// from the core.
type SignalWatch struct {
	turns
	handle uintptr
	systemSignalWatch
}

// Open watches signals.
func (w *SignalWatch) Open(signals []int32, o core.SignalOptions) error {
	handle, r := core.WatchSignals(signals, o)
	if r < 0 {
		return r.Err()
	}
	w.handle = handle
	if err := w.open(); err != nil {
		core.CloseSignals(handle)
		return err
	}
	w.turn = make(chan struct{}, 1)
	return nil
}

// Next waits for a signal, and takes it.
func (w *SignalWatch) Next(ctx context.Context) (core.SignalInfo, error) {
	if err := w.take(ctx); err != nil {
		return core.SignalInfo{}, err
	}
	defer w.leave()
	if err := w.interrupted(ctx); err != nil {
		return core.SignalInfo{}, err
	}
	// To be woken by the context allocates memory, which a signal that is there does not need.
	if info, r := core.NextSignal(w.handle); !r.Busy() {
		return info, r.Err()
	}
	defer w.interruptAfter(ctx)()
	return w.wait(ctx)
}

// Close ends a Next under way, and ends the watch.
func (w *SignalWatch) Close() error {
	return w.close(func() error {
		w.release()
		return core.CloseSignals(w.handle).Err()
	})
}
