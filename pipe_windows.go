//go:build cgo

package ipc

// Unnamed pipes on Windows.

import (
	"os/exec"
	"syscall"
)

// Flush waits until what was written has been read, as [Conn.Flush] does. The deadline and Close end it.
func (w *PipeWriter) Flush() error { return w.opError("flush", w.end.flush()) }

func openPipe(r, w *endpoint, pc *PipeConfig) error {
	hr, hw, result := corePipe(pc)
	if result < 0 {
		if pc.Sys != nil && pc.Sys.SecurityDescriptor != "" && result.invalid() {
			return errDescriptor
		}
		return result.err()
	}
	r.open(hr, kindPipeReader)
	w.open(hw, kindPipeWriter)
	r.given, w.given = pc.InheritReader, pc.InheritWriter
	return nil
}

// handTo has a process that is to be started get the handle, and returns its number there, which is the same.
func (e *endpoint) handTo(cmd *exec.Cmd) (number uintptr, err error) {
	err = e.control(func(handle uintptr) result {
		number = handle
		return coreSetInherit(handle, true)
	})
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	e.given = true
	e.mu.Unlock()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(number))
	return number, nil
}
