package poll

import (
	"context"

	"github.com/lipc/ipc/internal/core"
)

// Connect connects to a listener. While the listener is busy it tries again, until the context ends.
func (e *Endpoint) Connect(ctx context.Context, name core.Name, kind core.Kind, system *core.ConnectSystem) error {
	return retry(ctx, func() (busy bool, err error) { return e.tryConnect(ctx, name, kind, system) })
}
