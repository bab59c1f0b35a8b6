package poll

import "time"

// A deadline is when an operation gives up. Its fields are guarded by a mutex of its owner, which every method needs.
type deadline struct {
	at     time.Time // zero: never
	passed bool
	timer  *time.Timer
}

// set changes the deadline, and reports whether it is past already. Otherwise expire is called when it passes, always the
// same function, without the mutex; and maybe when it does not, see due.
func (d *deadline) set(t time.Time, expire func()) (passed bool) {
	d.stop()
	left := time.Until(t)
	d.at, d.passed = t, !t.IsZero() && left <= 0
	switch {
	case t.IsZero() || d.passed:
	case d.timer == nil:
		d.timer = time.AfterFunc(left, expire)
	default:
		d.timer.Reset(left)
	}
	return d.passed
}

// due reports whether the deadline has passed. The timer may have been that of one before.
func (d *deadline) due() bool {
	if d.at.IsZero() {
		return false
	}
	if left := time.Until(d.at); left > 0 {
		d.timer.Reset(left)
		return false
	}
	d.passed = true
	return true
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
