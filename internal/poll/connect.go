package poll

import (
	"context"
	"fmt"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// ErrNoHalves is the error of connecting to a pipe of bytes if the connection must have halves.
var ErrNoHalves = fmt.Errorf("the pipe is one of bytes without halves: its server does not listen with HalfClose (%w)",
	syscall.EPROTOTYPE)

// Connect connects to a listener. While the listener is busy it tries again, until the context ends.
func (e *Endpoint) Connect(ctx context.Context, name core.Name, kind core.Kind, system *core.ConnectSystem) error {
	return retry(ctx, func() (busy bool, err error) { return e.tryConnect(ctx, name, kind, system) })
}
