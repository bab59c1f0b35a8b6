package core

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// Package ipc exports these errors under the same names.
var (
	ErrTruncated = errors.New("message truncated: it does not fit the buffer")
	ErrFilesLost = errors.New("files came with the message and could not all be taken, so they were closed")
)

// A filesLostError reports the limit because of which files were lost.
type filesLostError struct{ limit syscall.Errno }

func (e *filesLostError) Error() string   { return ErrFilesLost.Error() + ": " + e.limit.Error() }
func (e *filesLostError) Unwrap() []error { return []error{ErrFilesLost, e.limit} }

// ErrInvalid is the error of an invalid argument, and of a zero value.
var ErrInvalid error = syscall.EINVAL

// ErrZero is the error of a zero value.
var ErrZero = Invalidf("it is a zero value, which was never opened")

// Invalidf returns an error that describes an invalid argument, and matches [ErrInvalid].
func Invalidf(format string, args ...any) error {
	return &invalidError{fmt.Sprintf(format, args...)}
}

type invalidError struct{ reason string }

func (e *invalidError) Error() string { return e.reason }
func (e *invalidError) Unwrap() error { return ErrInvalid }

// Unsupported returns an error with the name of the system, which lacks an operation. It matches
// [errors.ErrUnsupported].
func Unsupported() error { return fmt.Errorf("%w on %s", errors.ErrUnsupported, runtime.GOOS) }

// Temporary returns an error whose [net.OpError.Temporary] is true: a caller such as net/http tries again.
func Temporary(err error) error { return &temporaryError{err} }

type temporaryError struct{ error }

func (e *temporaryError) Temporary() bool { return true }
func (e *temporaryError) Unwrap() error   { return e.error }

// matching returns an error number that also matches a sentinel.
func matching(number syscall.Errno, sentinel error) error {
	if errors.Is(number, sentinel) {
		return number
	}
	return &matchingError{number, sentinel}
}

type matchingError struct {
	syscall.Errno
	sentinel error
}

func (e *matchingError) Unwrap() []error { return []error{e.Errno, e.sentinel} }
