//go:build cgo

package ipc

// Unnamed pipes on Windows.

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func openPipe(r, w *endpoint, pc *PipeConfig) error {
	hr, hw, result := corePipe(pc)
	if result < 0 {
		return result.err()
	}
	r.open(hr, kindPipeReader)
	w.open(hw, kindPipeWriter)
	r.given, w.given = pc.InheritReader, pc.InheritWriter
	return nil
}

// passTo hands the handle to a process; variable is where that finds its number.
func (e *endpoint) passTo(cmd *exec.Cmd, variable string) error {
	if cmd.Process != nil {
		return &optionError{"the process has been started already"}
	}
	if slices.ContainsFunc(cmd.Env, func(one string) bool { return strings.HasPrefix(one, variable+"=") }) {
		return &optionError{variable + " is set already"}
	}
	var handle uintptr
	err := e.control(func(h uintptr) result {
		handle = h
		return coreSetInherit(h, true)
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.given = true
	e.mu.Unlock()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(handle))
	cmd.Env = append(cmd.Environ(), fmt.Sprintf("%s=%d", variable, handle))
	return nil
}

// adoptPipe takes over the handle whose number is value.
func (e *endpoint) adoptPipe(value string, kind result) error {
	handle, err := strconv.ParseUint(value, 10, strconv.IntSize-1)
	if err != nil {
		return &optionError{"not the number of a handle"}
	}
	r := coreKind(uintptr(handle))
	if r.isKind(kind) {
		return e.adopt(uintptr(handle), kind)
	}
	if err = r.kindErr(kind); err == errNotSocket {
		err = &optionError{"it is no pipe"}
	}
	return err
}

func adoptPipeFile(e *endpoint, f *os.File, kind result) error {
	handle, err := duplicateFile(f, kind)
	if err != nil {
		return err
	}
	return e.adopt(handle, kind)
}
