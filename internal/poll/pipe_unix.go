//go:build unix

package poll

import (
	"context"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// setPipe records, before open, that the descriptor is an end of a pipe.
func (e *Endpoint) setPipe() { e.in.pipe, e.out.pipe = true, true }

// Pipe opens the two ends of an unnamed pipe. An end that child processes inherit is for them only.
func Pipe(r, w *Endpoint, o PipeOptions) error {
	hr, hw, err := core.Pipe(o.InheritReader, o.InheritWriter, o.BufferSize, o.System)
	if err != nil {
		return err
	}
	if err := r.openPipe(hr, o.InheritReader); err != nil {
		core.Close(hw)
		return err
	}
	if err := w.openPipe(hw, o.InheritWriter); err != nil {
		r.Close()
		return err
	}
	return nil
}

// openPipe opens an end of a pipe. The poller does not take a blocking one.
func (e *Endpoint) openPipe(handle uintptr, blocking bool) error {
	e.setPipe()
	if !blocking {
		return e.open(handle)
	}
	e.take(handle)
	e.given.Store(true)
	return nil
}

// Give makes the descriptor blocking, for a child process, and no longer used here: operations under way fail. The
// endpoint still owns the file.
func (e *Endpoint) Give() (*os.File, error) {
	if !e.opened() {
		return nil, core.ErrZero
	}
	if e.channel.Load() != nil {
		return nil, errChannel
	}
	e.given.Store(true)
	e.SetUnlinkOnClose(false)
	for _, d := range []*direction{&e.in, &e.out} {
		e.endOperations(d)
		d.mu.Lock()
		defer d.mu.Unlock()
	}
	var err error
	if failed := e.raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), false) }); failed != nil {
		return nil, e.closedErr(failed)
	}
	return e.file, err
}

// CreateFIFO creates a FIFO.
func CreateFIFO(path string, mode fs.FileMode) error { return core.CreateFIFO(path, mode) }

// OpenFIFOReader opens a FIFO for reading, and waits for a writer.
func (e *Endpoint) OpenFIFOReader(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	handle, err := core.OpenFIFOReader(path)
	if err != nil {
		return err
	}
	err = retry(ctx, func() (bool, error) {
		r := core.WaitFIFOWriter(handle)
		return r.Busy(), r.Err()
	})
	if err != nil {
		core.Close(handle)
		return err
	}
	// kqueue does not report that the last writer closed a FIFO, go.dev/issue/24164.
	e.in.unpolled = runtime.GOOS == "darwin"
	return e.openPipe(handle, false)
}

// OpenFIFOWriter opens a FIFO for writing, and waits for a reader.
func (e *Endpoint) OpenFIFOWriter(ctx context.Context, path string) error {
	var handle uintptr
	err := retry(ctx, func() (busy bool, err error) {
		handle, busy, err = core.OpenFIFOWriter(path)
		return busy, err
	})
	if err != nil {
		return err
	}
	return e.openPipe(handle, false)
}
