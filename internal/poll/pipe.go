package poll

import "github.com/lipc/ipc/internal/core"

// PipeOptions are the options of an unnamed pipe.
type PipeOptions struct {
	InheritReader, InheritWriter bool
	BufferSize                   int // in bytes; 0: the system's default
	System                       *core.PipeSystem
}
