//go:build unix

package ipc

import "github.com/lipc/ipc/internal/core"

// SysListen holds the options of listening that only one system has. Unix has none.
type SysListen struct{}

// SysDial holds the options of dialling that only one system has. Unix has none.
type SysDial struct{}

// SysPipe holds the options of unnamed pipes that only one system has. Unix has none.
type SysPipe struct{}

func (*SysListen) check() error                { return nil }
func (*SysListen) options() *core.ListenSystem { return nil }
func (*SysDial) check() error                  { return nil }
func (*SysDial) options() *core.ConnectSystem  { return nil }
func (*SysPipe) options() *core.PipeSystem     { return nil }
