//go:build unix && !linux

package poll

import (
	"errors"
	"syscall"
)

// openSpinning is only for Linux.
func (e *Endpoint) openSpinning(uintptr) error { return errors.ErrUnsupported }

// pollerErrno returns why the runtime's poller refused a descriptor: kevent(2) has only this reason.
func pollerErrno(uintptr) syscall.Errno { return syscall.ENOMEM }
