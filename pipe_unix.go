//go:build cgo && unix

package ipc

// Pipes and FIFOs on Unix.

import (
	"context"
	"io/fs"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

func openPipe(r, w *endpoint, pc *PipeConfig) error {
	hr, hw, result := corePipe(pc)
	if result < 0 {
		return result.err()
	}
	if err := r.openPipe(hr, pc.InheritReader); err != nil {
		coreClose(hw)
		return err
	}
	if err := w.openPipe(hw, pc.InheritWriter); err != nil {
		r.close()
		return err
	}
	return nil
}

// openPipe is open for an end of a pipe, which the poller does not take if it is blocking.
func (e *endpoint) openPipe(handle uintptr, blocking bool) error {
	e.isPipe()
	if !blocking {
		return e.open(handle)
	}
	e.take(handle)
	e.given.Store(true)
	return nil
}

// handTo has a process that is to be started get the descriptor, and returns its number there.
func (e *endpoint) handTo(cmd *exec.Cmd) (number uintptr, err error) {
	if e.file == nil {
		return 0, errInvalid
	}
	e.given.Store(true)
	if controlErr := e.raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), false) }); controlErr != nil {
		return 0, e.known(controlErr)
	}
	if err != nil {
		return 0, err
	}
	const first = 3 // os/exec: entry i becomes file descriptor 3+i
	cmd.ExtraFiles = append(cmd.ExtraFiles, e.file)
	return uintptr(first + len(cmd.ExtraFiles) - 1), nil
}

// pathErr is for what the core takes as a text that ends with a NUL.
func pathErr(path string) error {
	if path == "" {
		return &optionError{"empty path"}
	}
	if strings.Contains(path, "\x00") {
		return &optionError{"path contains a NUL byte"}
	}
	return nil
}

func createFIFO(path string, mode fs.FileMode) error {
	if err := pathErr(path); err != nil {
		return err
	}
	return coreFIFOCreate(path, uint32(mode)).err()
}

func (e *endpoint) openFIFOReader(ctx context.Context, path string) error {
	if err := pathErr(path); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	handle, r := coreFIFOOpenReader(path)
	if r < 0 {
		return r.err()
	}
	err := retry(ctx, func() (bool, error) {
		r := coreFIFOWaitWriter(handle)
		return r.busy(), r.err()
	})
	if err != nil {
		coreClose(handle)
		return err
	}
	e.in.unpolled = runtime.GOOS == "darwin" // kqueue does not report that the last writer closed a FIFO, go.dev/issue/24164
	return e.openPipe(handle, false)
}

func (e *endpoint) openFIFOWriter(ctx context.Context, path string) error {
	if err := pathErr(path); err != nil {
		return err
	}
	var handle uintptr
	err := retry(ctx, func() (bool, error) {
		var r result
		handle, r = coreFIFOOpenWriter(path)
		return r.busy(), r.err()
	})
	if err != nil {
		return err
	}
	return e.openPipe(handle, false)
}
