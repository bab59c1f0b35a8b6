package poll

import (
	"time"

	"github.com/lipc/ipc/internal/core"
)

// Pipe opens the two ends of an unnamed pipe. An end that child processes inherit is for them only.
func Pipe(r, w *Endpoint, o PipeOptions) error {
	hr, hw, err := core.Pipe(o.InheritReader, o.InheritWriter, o.BufferSize, o.System)
	if err != nil {
		return err
	}
	r.open(hr, core.KindPipeReader)
	w.open(hw, core.KindPipeWriter)
	r.given, w.given = o.InheritReader, o.InheritWriter
	return nil
}

// Give lets child processes inherit the handle, which is no longer used here: operations under way fail.
func (e *Endpoint) Give() (number uintptr, err error) {
	if e.channel.Load() != nil {
		return 0, errChannel
	}
	if err := e.give(); err != nil {
		return 0, err
	}
	for _, d := range []*direction{&e.in, &e.out} {
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	err = e.Control(func(handle uintptr) core.Result {
		number = handle
		return core.SetInherit(handle, true)
	})
	return number, err
}

// give ends the operations under way.
func (e *Endpoint) give() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usableLocked(); err != nil {
		return err
	}
	e.given = true
	for _, d := range []*direction{&e.in, &e.out} {
		d.cancelLocked()
	}
	return nil
}

// flushTime is how often a flush looks at the deadline and at Close.
const flushTime = 20 * time.Millisecond

// Flush waits until the peer has read all that was written.
func (e *Endpoint) Flush() error {
	return e.flush(e.out.interrupted, func(handle uintptr) core.Result { return core.Flush(handle, flushTime) })
}

// flush repeats attempt, which waits for flushTime, until it need not wait, unless first returns an error.
func (e *Endpoint) flush(first func() error, attempt func(handle uintptr) core.Result) error {
	d := &e.out
	d.mu.Lock()
	defer d.mu.Unlock()
	if !e.opened() {
		return core.ErrZero
	}
	if err := d.begin(); err != nil {
		return err
	}
	defer d.over()
	err := first()
	for ; err == nil; err = d.interrupted() {
		if r := attempt(e.held.handle); !r.TimedOut() && !r.Busy() {
			return r.Err()
		}
	}
	return err
}
