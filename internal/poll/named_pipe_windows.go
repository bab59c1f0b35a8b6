package poll

import (
	"errors"
	"fmt"

	"github.com/lipc/ipc/internal/core"
)

// GiveHandle gives the peer's process a duplicate of a handle, and returns its number there.
func (e *Endpoint) GiveHandle(handle uintptr) (number uintptr, err error) {
	err = e.Control(func(end uintptr) (r core.Result) {
		number, r = core.Give(end, e.held.connected, handle)
		return r
	})
	return number, explainRemote(err)
}

// TakeHandle returns a duplicate of a handle of the peer's process, by its number there.
func (e *Endpoint) TakeHandle(number uintptr) (handle uintptr, err error) {
	err = e.Control(func(end uintptr) (r core.Result) {
		handle, r = core.Take(end, e.held.connected, number)
		return r
	})
	return handle, explainRemote(err)
}

// explainRemote adds to an error that the peer is on another machine, which shares no handles.
func explainRemote(err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("the peer is on another machine: %w", err)
	}
	return err
}

// TakeEndpoint opens taken on a connection of the peer's, and returns the names that it and its peer have.
func (e *Endpoint) TakeEndpoint(taken *Endpoint, number uintptr, kind core.Kind) (local, peer core.Name, err error) {
	handle, err := e.TakeHandle(number)
	if err != nil {
		return local, peer, err
	}
	if err := core.Check(handle, kind); err != nil {
		core.Close(handle)
		return local, peer, err
	}
	local, peer, err = taken.AdoptHandle(handle, kind)
	if err == nil {
		taken.distrust()
	}
	return local, peer, err
}
