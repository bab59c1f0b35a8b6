package poll

import (
	"runtime"
	"sync/atomic"
	"time"
)

// SetSpin makes both directions spin for so long before they wait.
func (e *Endpoint) SetSpin(spin time.Duration) {
	microseconds := uint32((spin + time.Microsecond - 1) / time.Microsecond)
	e.in.spinLimit.Store(microseconds)
	e.out.spinLimit.Store(microseconds)
}

// spinning is how many goroutines spin.
var spinning atomic.Int32

// spin makes a call that is busy again and again, for as long as that is worth while. One processor is always left for
// others.
func (d *direction) spin(call func()) {
	d.needExtras()
	if int(spinning.Add(1)) < runtime.GOMAXPROCS(0) {
		for d.spinner.SetLimit(d.spinLimit.Load()); d.spinner.Again(d.result); {
			call()
		}
	}
	spinning.Add(-1)
}
