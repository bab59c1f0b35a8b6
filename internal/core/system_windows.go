package core

// #include "core.h"
import "C"

import (
	"time"
	"unsafe"
)

// ListenSystem has the options of listening that only Windows has, see lipc_listen_windows.
type ListenSystem struct {
	Direction                           int
	Instances                           int
	InboundBuffer, OutboundBuffer       int
	DefaultWait                         time.Duration
	AcceptRemote, WriteThrough, Inherit bool
	SecurityDescriptor                  string
	Group                               string // as a SID
	HalfClose                           bool
}

func (s *ListenSystem) options() (_ *C.struct_lipc_listen_windows, free func()) {
	if s == nil {
		return nil, func() {}
	}
	w := &C.struct_lipc_listen_windows{
		size: C.sizeof_struct_lipc_listen_windows, direction: C.int(s.Direction), instances: C.uint32_t(s.Instances),
		inbound_buffer: C.uint32_t(s.InboundBuffer), outbound_buffer: C.uint32_t(s.OutboundBuffer),
		default_wait_ms: C.uint32_t(s.DefaultWait.Milliseconds()), accept_remote: cint(s.AcceptRemote),
		write_through: cint(s.WriteThrough), inherit: cint(s.Inherit), half_close: cint(s.HalfClose),
	}
	var freeGroup func()
	w.group_sid, freeGroup = sddl(s.Group)
	var freeDescriptor func()
	w.sddl, freeDescriptor = sddl(s.SecurityDescriptor)
	return w, func() {
		freeDescriptor()
		freeGroup()
	}
}

func (s *ListenSystem) explain(r Result, err error) error {
	switch {
	case s == nil || !r.is(C.LIPC_EINVAL):
		return err
	case s.Group != "" && s.SecurityDescriptor != "":
		return Invalidf("Group and SecurityDescriptor cannot go together")
	case s.Group != "":
		return Invalidf("Group %q is not a security identifier", s.Group)
	}
	return explainSDDL(s.SecurityDescriptor, r, err)
}

// ConnectSystem has the options of dialling that only Windows has, see lipc_connect_windows.
type ConnectSystem struct {
	Direction             int
	Impersonation         int
	WriteThrough, Inherit bool
	HalfClose             bool
}

func (s *ConnectSystem) options() *C.struct_lipc_connect_windows {
	if s == nil {
		return nil
	}
	return &C.struct_lipc_connect_windows{
		size: C.sizeof_struct_lipc_connect_windows, direction: C.int(s.Direction), impersonation: C.int(s.Impersonation),
		write_through: cint(s.WriteThrough), inherit: cint(s.Inherit), half_close: cint(s.HalfClose),
	}
}

// PipeSystem has the options of unnamed pipes that only Windows has, see lipc_pipe_options.
type PipeSystem struct{ SecurityDescriptor string }

func (s *PipeSystem) options() (_ *C.char, free func()) {
	if s == nil {
		return nil, func() {}
	}
	return sddl(s.SecurityDescriptor)
}

func (s *PipeSystem) explain(r Result, err error) error {
	if s != nil {
		return explainSDDL(s.SecurityDescriptor, r, err)
	}
	return err
}

// sddl copies a security descriptor into C's memory. It returns nil for an empty one.
func sddl(text string) (_ *C.char, free func()) {
	if text == "" {
		return nil, func() {}
	}
	c := C.CString(text)
	return c, func() { C.free(unsafe.Pointer(c)) }
}

// explainSDDL returns an error about the descriptor if one was given and an argument is invalid: callers have checked
// the other arguments.
func explainSDDL(text string, r Result, err error) error {
	if text != "" && r.is(C.LIPC_EINVAL) {
		return Invalidf("SecurityDescriptor is not in the security descriptor definition language")
	}
	return err
}
