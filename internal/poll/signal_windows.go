package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

type systemSignalWatch struct{}

func (w *SignalWatch) open() error {
	if _, r := thePort.open(); r < 0 {
		return r.Err()
	}
	w.watch, w.waiter = thePort.add()
	return nil
}

func (w *SignalWatch) wait(ctx context.Context) (core.SignalInfo, error) {
	for {
		if err := w.stopped(ctx); err != nil {
			return core.SignalInfo{}, err
		}
		info, r := core.NextSignal(w.handle)
		if !r.Busy() {
			return info, r.Err()
		}
		if r := w.await(w.handle); r < 0 {
			return core.SignalInfo{}, r.Err()
		}
	}
}

func (w *SignalWatch) release() { thePort.remove(w.watch) }
