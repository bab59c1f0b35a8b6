package poll

// What only Unix has.

import (
	"context"
	"io/fs"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// HasDatagrams reports whether the system has datagrams.
const HasDatagrams = false

func (e *Endpoint) PeerPIDFD() (*os.File, error)     { return nil, core.Unsupported() }
func (e *Endpoint) SetPassCredentials(on bool) error { return core.Unsupported() }
func (e *Endpoint) SetPassPIDFD(on bool) error       { return core.Unsupported() }
func (e *Endpoint) PeekMessage(context.Context, [][]byte, int, func(*core.Ancillary)) (int, error) {
	return 0, core.Unsupported()
}
func (e *Endpoint) SendTo([]byte, core.Name) error  { return core.Unsupported() }
func (e *Endpoint) OpenDatagram() error             { return core.Unsupported() }
func (e *Endpoint) ConnectDatagram(core.Name) error { return core.Unsupported() }
func (e *Endpoint) SetUnlinkOnClose(unlink bool)    {}

func (e *Endpoint) SendControl(b, data []byte) (int, error) { return 0, core.Unsupported() }

func (e *Endpoint) ReceiveControl(b, data []byte) (n, came int, err error) {
	return 0, 0, core.Unsupported()
}

func (e *Endpoint) ReceiveFrom([]byte, func(*core.SocketName)) (int, error) {
	return 0, core.Unsupported()
}

func (e *Endpoint) ListenDatagram(core.Name, core.ListenOptions) error { return core.Unsupported() }

func (e *Endpoint) OpenFIFOReader(context.Context, string) error { return core.Unsupported() }
func (e *Endpoint) OpenFIFOWriter(context.Context, string) error { return core.Unsupported() }
func CreateFIFO(path string, mode fs.FileMode) error             { return core.Unsupported() }
