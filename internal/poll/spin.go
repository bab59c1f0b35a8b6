package poll

import (
	"runtime"
	"sync/atomic"
	"time"
)

// SetSpin sets how long both directions spin before they wait.
func (e *Endpoint) SetSpin(spin time.Duration) {
	microseconds := uint32((spin + time.Microsecond - 1) / time.Microsecond)
	e.in.spinLimit.Store(microseconds)
	e.out.spinLimit.Store(microseconds)
}

// spinning is the number of goroutines that spin.
var spinning atomic.Int32

// spin repeats a busy call, for as long as that is of use. It always leaves one processor to others.
func (d *direction) spin(call func()) {
	d.needExtras()
	if int(spinning.Add(1)) < runtime.GOMAXPROCS(0) {
		for d.spinner.SetLimit(d.spinLimit.Load()); d.spinner.Again(d.result); {
			call()
		}
	}
	spinning.Add(-1)
}
