//go:build cgo && unix && !linux

package ipc

import "errors"

// openHot is for Linux alone.
func (e *endpoint) openHot(uintptr) error { return errors.ErrUnsupported }
