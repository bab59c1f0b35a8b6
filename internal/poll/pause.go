package poll

import (
	"context"
	"time"
)

// nextPause returns how long to wait before the next attempt, where no system reports when to try.
func nextPause(last time.Duration) time.Duration {
	return min(max(2*last, time.Millisecond), 4*time.Millisecond)
}

// retry repeats attempt until it is not busy, or the context ends. It is for what no system reports.
func retry(ctx context.Context, attempt func() (busy bool, err error)) error {
	for pause := nextPause(0); ; pause = nextPause(pause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if busy, err := attempt(); !busy {
			return err
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Sleep waits for this time, or until the context ends.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Done() == nil {
		time.Sleep(d)
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
