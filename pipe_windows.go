package ipc

import (
	"os/exec"
	"syscall"

	"github.com/lipc/ipc/internal/poll"
)

// Flush waits until what was written has been read, as [Conn.Flush] does. The deadline and Close end the wait.
func (w *PipeWriter) Flush() error { return w.opError("flush", w.end.Flush()) }

// handTo passes the handle to a process that has not been started yet, and returns its number there, which is the same.
func handTo(cmd *exec.Cmd, end *poll.Endpoint) (number uintptr, err error) {
	number, err = end.Give()
	if err != nil {
		return 0, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(number))
	return number, nil
}
