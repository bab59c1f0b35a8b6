//go:build cgo && unix

package ipc

// #include "core.h"
import "C"

// SysListen holds the options of listening that one system alone has. There are none on Unix.
type SysListen struct{}

// SysDial holds the options of dialling that one system alone has. There are none on Unix.
type SysDial struct{}

// SysPipe holds the options of unnamed pipes that one system alone has. There are none on Unix.
type SysPipe struct{}

func (*SysListen) check() error                                         { return nil }
func (*SysListen) core() (_ *C.struct_lipc_listen_windows, free func()) { return nil, func() {} }
func (*SysDial) check() error                                           { return nil }
func (*SysDial) core() *C.struct_lipc_connect_windows                   { return nil }
func (*SysPipe) core() (_ *C.char, free func())                         { return nil, func() {} }
