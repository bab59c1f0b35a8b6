//go:build cgo && unix && !linux

package ipc

import (
	"errors"
	"syscall"
)

// openHot is for Linux alone.
func (e *endpoint) openHot(uintptr) error { return errors.ErrUnsupported }

// pollerErrno is why the runtime's poller refused a descriptor: the only reason that there is, kevent(2).
func pollerErrno(uintptr) syscall.Errno { return syscall.ENOMEM }
