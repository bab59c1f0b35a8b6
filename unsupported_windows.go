//go:build cgo

package ipc

// What Unix alone has.

import (
	"context"
	"io/fs"
	"os"
)

func (e *endpoint) peerPIDFD() (*os.File, error)               { return nil, unsupported() }
func (e *endpoint) setPassCredentials(on bool) error           { return unsupported() }
func (e *endpoint) setPassPIDFD(on bool) error                 { return unsupported() }
func (e *endpoint) sendControl(b, control []byte) (int, error) { return 0, unsupported() }
func (e *endpoint) receiveControl(b, control []byte) (n, length int, err error) {
	return 0, 0, unsupported()
}
func (e *endpoint) sendTo(b []byte, peer Name) error { return unsupported() }
func (e *endpoint) receiveFrom(b []byte) (int, datagramPeer, error) {
	return 0, datagramPeer{}, unsupported()
}
func (e *endpoint) listenDatagram(name Name, lc *ListenConfig) error { return unsupported() }
func (e *endpoint) openDatagram() error                              { return unsupported() }
func (e *endpoint) connectDatagram(peer Name) error                  { return unsupported() }
func (e *endpoint) setUnlinkOnClose(unlink bool)                     {}

func (e *endpoint) openFIFOReader(ctx context.Context, path string) error { return unsupported() }
func (e *endpoint) openFIFOWriter(ctx context.Context, path string) error { return unsupported() }
func createFIFO(path string, mode fs.FileMode) error                      { return unsupported() }

// take finds nothing: there are no such service managers.
func (a *Activation) take(lc *ListenConfig) error { return nil }

type coreItem struct{}

func coreControlAdd(control []byte, length, level, typ int, data []byte) (int, result) {
	return length, resultUnsupported
}
func coreControlAddHandles(control []byte, length int, handles []coreHandle) (int, result) {
	return length, resultUnsupported
}
func coreControlAddCredentials(control []byte, length int, c Credentials) (int, result) {
	return length, resultUnsupported
}
func coreControlNext(control []byte, position *int, item *coreItem) result     { return 0 }
func coreControlTake(control []byte, item *coreItem, handles []coreHandle) int { return 0 }
func coreControlCredentials(control []byte, item *coreItem) (Credentials, bool) {
	return Credentials{}, false
}
func coreControlClose(control []byte) {}

func (i *coreItem) levelNumber() int         { return 0 }
func (i *coreItem) typeNumber() int          { return 0 }
func (i *coreItem) bounds() (start, end int) { return 0, 0 }
