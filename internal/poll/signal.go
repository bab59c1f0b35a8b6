package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// A SignalWatch collects signals. The zero SignalWatch is not open.
type SignalWatch struct {
	turns
	handle uintptr

	// Only the goroutine that has the turn uses these. once is bound in Open, so that Next allocates nothing.
	once   func(uintptr) bool
	info   core.SignalInfo
	result core.Result
}

// Open watches signals.
func (w *SignalWatch) Open(signals []int32, o core.SignalOptions) error {
	handle, r := core.WatchSignals(signals, o)
	if r < 0 {
		return r.Err()
	}
	w.handle, w.once = handle, w.takeSignal
	if err := w.open(); err != nil {
		core.CloseSignals(handle)
		return err
	}
	w.turn = make(chan struct{}, 1)
	return nil
}

// takeSignal takes a signal, and reports whether there was one, or an error.
func (w *SignalWatch) takeSignal(uintptr) bool {
	w.info, w.result = core.NextSignal(w.handle)
	return !w.result.Busy()
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
	// Waking by the context allocates memory, which is not needed if a signal is there.
	if !w.once(0) {
		defer w.interruptAfter(ctx)()
		if err := w.wait(ctx); err != nil {
			return core.SignalInfo{}, err
		}
	}
	return w.info, w.result.Err()
}

// Close ends a Next under way, and ends the watch.
func (w *SignalWatch) Close() error {
	return w.close(func() error {
		w.release()
		return core.CloseSignals(w.handle).Err()
	})
}
