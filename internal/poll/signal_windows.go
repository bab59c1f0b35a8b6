package poll

import "context"

func (w *SignalWatch) open() error {
	if _, r := thePort.open(); r < 0 {
		return r.Err()
	}
	w.watch, w.waiter = thePort.add()
	return nil
}

func (w *SignalWatch) wait(ctx context.Context) error {
	for {
		if err := w.stopped(ctx); err != nil {
			return err
		}
		if w.once(0) {
			return nil
		}
		if r := w.await(w.handle); r < 0 {
			return r.Err()
		}
	}
}

func (w *SignalWatch) release() { thePort.remove(w.watch) }
