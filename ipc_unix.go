//go:build unix

package ipc

import "github.com/lipc/ipc/internal/core"

// SysListen holds the options of listening that one system alone has. There are none on Unix.
type SysListen struct{}

// SysDial holds the options of dialling that one system alone has. There are none on Unix.
type SysDial struct{}

// SysPipe holds the options of unnamed pipes that one system alone has. There are none on Unix.
type SysPipe struct{}

func (*SysListen) check() error                { return nil }
func (*SysListen) options() *core.ListenSystem { return nil }
func (*SysDial) check() error                  { return nil }
func (*SysDial) options() *core.ConnectSystem  { return nil }
func (*SysPipe) options() *core.PipeSystem     { return nil }
