//go:build unix

package core

// #include "core.h"
import "C"

// The options that only one system has. Unix has none.
type (
	ListenSystem  struct{}
	ConnectSystem struct{}
	PipeSystem    struct{}
)

func (*ListenSystem) options() (_ *C.struct_lipc_listen_windows, free func()) { return nil, func() {} }
func (*ListenSystem) explain(_ Result, err error) error                       { return err }
func (*ConnectSystem) options() *C.struct_lipc_connect_windows                { return nil }
func (*PipeSystem) options() (_ *C.char, free func())                         { return nil, func() {} }
func (*PipeSystem) explain(_ Result, err error) error                         { return err }
