package poll

// Handles that came from elsewhere, in an os.File or as a number.

import (
	"os"
	"strconv"

	"github.com/lipc/ipc/internal/core"
)

// duplicateFile returns a duplicate of a file's handle, which must be of this kind.
func duplicateFile(f *os.File, kind core.Kind) (handle uintptr, err error) {
	if kind == core.KindDatagram && !HasDatagrams {
		return 0, core.Unsupported()
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var r core.Result
	if raw.Control(func(fd uintptr) { handle, r = core.Duplicate(fd) }) != nil {
		return 0, os.ErrClosed // the file's error means the same, but does not match it
	}
	if r < 0 {
		return 0, r.Err()
	}
	if err := core.Check(handle, kind); err != nil {
		core.Close(handle)
		return 0, err
	}
	return handle, nil
}

// KindOf returns the kind of a file's handle.
func KindOf(f *os.File) (kind core.Kind, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var r core.Result
	if raw.Control(func(handle uintptr) { kind, r = core.KindOf(handle) }) != nil {
		return 0, os.ErrClosed
	}
	return kind, r.Err()
}

// AdoptFile opens e on a duplicate of a file's handle, and returns the names that e and its peer have.
func (e *Endpoint) AdoptFile(f *os.File, kind core.Kind) (local, peer core.Name, err error) {
	handle, err := duplicateFile(f, kind)
	if err != nil {
		return local, peer, err
	}
	return e.AdoptHandle(handle, kind)
}

// AdoptHandle is AdoptFile for a handle, which it takes over, and closes if it fails.
func (e *Endpoint) AdoptHandle(handle uintptr, kind core.Kind) (local, peer core.Name, err error) {
	local, peer = core.Names(handle)
	return local, peer, e.adopt(handle, kind)
}

// AdoptNumber opens e on a handle whose number is value, and returns the names that e and its peer have. It closes the
// handle, of which e has a duplicate, only if it succeeds: otherwise the number could soon be that of something else.
func (e *Endpoint) AdoptNumber(value string, wanted core.Kind) (local, peer core.Name, err error) {
	if wanted == core.KindDatagram && !HasDatagrams {
		return local, peer, core.Unsupported()
	}
	number, err := strconv.ParseUint(value, 10, handleBits)
	if err != nil {
		return local, peer, core.Invalidf("not the number of a descriptor")
	}
	inherited := uintptr(number)
	if wanted.IsPipe() {
		if kind, r := core.KindOf(inherited); r.NotSocket() || r >= 0 && !kind.IsPipe() {
			return local, peer, core.Invalidf("it is no pipe")
		}
	}
	if err := core.Check(inherited, wanted); err != nil {
		return local, peer, err
	}
	handle, r := core.Duplicate(inherited)
	if r < 0 {
		return local, peer, r.Err()
	}
	local, peer, err = e.AdoptHandle(handle, wanted)
	if err == nil {
		core.Close(inherited)
	}
	return local, peer, err
}
