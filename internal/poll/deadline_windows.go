package poll

import "time"

// A deadline is the time at which an operation gives up. Its owner has a mutex that guards it, and that every method
// needs.
type deadline struct {
	at     time.Time // zero: never
	passed bool
	timer  *time.Timer
}

// set changes the deadline, and reports whether it has passed already. If not, expire is called when it passes, without
// the mutex. expire must be the same function in every call. It may also be called when a deadline has not passed, see
// due.
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

// due reports whether the deadline has passed. The timer that expired may have been set for an earlier deadline.
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
