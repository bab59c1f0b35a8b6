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

// Give lets child processes inherit the handle, which is no longer used here.
func (e *Endpoint) Give() (number uintptr, err error) {
	if e.channel.Load() != nil {
		return 0, errChannel
	}
	err = e.Control(func(handle uintptr) core.Result {
		number = handle
		return core.SetInherit(handle, true)
	})
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.given = true
	return number, nil
}

// Flush waits until the peer has read all that was written.
func (e *Endpoint) Flush() error {
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
	const look = 20 * time.Millisecond // how often to look at the deadline and at Close
	for {
		if err := d.interrupted(); err != nil {
			return err
		}
		if r := core.Flush(e.held.handle, look); !r.TimedOut() {
			return r.Err()
		}
	}
}
