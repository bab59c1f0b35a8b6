//go:build unix && !linux

package poll

import (
	"errors"
	"syscall"
)

// openSpinning is for Linux alone.
func (e *Endpoint) openSpinning(uintptr) error { return errors.ErrUnsupported }

// pollerErrno is why the runtime's poller refused a descriptor: the only reason that there is, kevent(2).
func pollerErrno(uintptr) syscall.Errno { return syscall.ENOMEM }
