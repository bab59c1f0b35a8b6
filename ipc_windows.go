//go:build cgo

package ipc

// Named pipes are not in this version: on Windows every attempt to open an endpoint fails with an error that matches
// errors.ErrUnsupported, and since none can be opened, none can be used.

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

type endpoint struct{}

func (e *endpoint) connect(name Name, kind result) (busy bool, err error) {
	return false, unsupported()
}
func (e *endpoint) read(b []byte) (int, error)                  { return 0, unsupported() }
func (e *endpoint) readBuffers(buffers [][]byte) (int, error)   { return 0, unsupported() }
func (e *endpoint) write(b []byte) (int, error)                 { return 0, unsupported() }
func (e *endpoint) writeBuffers(buffers [][]byte) (int, error)  { return 0, unsupported() }
func (e *endpoint) send(b []byte) error                         { return unsupported() }
func (e *endpoint) sendBatch(messages [][]byte) (int, error)    { return 0, unsupported() }
func (e *endpoint) receive(b []byte) (int, error)               { return 0, unsupported() }
func (e *endpoint) receiveAppend(b []byte) ([]byte, error)      { return b, unsupported() }
func (e *endpoint) receiveBatch(messages [][]byte) (int, error) { return 0, unsupported() }
func (e *endpoint) peek(b []byte) (int, error)                  { return 0, unsupported() }
func (e *endpoint) messageSize() (int, error)                   { return 0, unsupported() }
func (e *endpoint) shutdown(direction int) error                { return unsupported() }
func (e *endpoint) close() error                                { return unsupported() }
func (e *endpoint) setDeadline(t time.Time) error               { return unsupported() }
func (e *endpoint) setReadDeadline(t time.Time) error           { return unsupported() }
func (e *endpoint) setWriteDeadline(t time.Time) error          { return unsupported() }
func (e *endpoint) setBufferSize(direction, bytes int) error    { return unsupported() }
func (e *endpoint) peerCredentials() (Credentials, error)       { return Credentials{}, unsupported() }
func (e *endpoint) duplicate(name Name) (*os.File, error)       { return nil, unsupported() }
func (e *endpoint) peerPIDFD() (*os.File, error)                { return nil, unsupported() }
func (e *endpoint) setPassCredentials(on bool) error            { return unsupported() }
func (e *endpoint) setPassPIDFD(on bool) error                  { return unsupported() }
func (e *endpoint) sendMessage(m *Message) (int, error)         { return 0, unsupported() }
func (e *endpoint) receiveMessage(m *Message) (int, error)      { return 0, unsupported() }
func (e *endpoint) sendControl(b, control []byte) (int, error)  { return 0, unsupported() }
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

func (e *endpoint) passTo(cmd *exec.Cmd, variable string) error           { return unsupported() }
func (e *endpoint) adoptPipe(value string, kind result) error             { return unsupported() }
func (e *endpoint) openFIFOReader(ctx context.Context, path string) error { return unsupported() }
func (e *endpoint) openFIFOWriter(ctx context.Context, path string) error { return unsupported() }
func openPipe(r, w *endpoint, pc *PipeConfig) error                       { return unsupported() }
func adoptPipeFile(e *endpoint, f *os.File, kind result) error            { return unsupported() }
func createFIFO(path string, mode fs.FileMode) error                      { return unsupported() }

// take finds nothing: there are no such service managers.
func (a *Activation) take(lc *ListenConfig) error { return nil }

// Control data is what Unix alone has.
type (
	coreHandle uintptr
	coreItem   struct{}
)

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

type acceptor struct{ end endpoint }

func (a *acceptor) listen(name Name, lc *ListenConfig, kind result) error { return unsupported() }
func (a *acceptor) adopt(f *os.File, lc *ListenConfig, kind result) (Name, error) {
	return Name{}, unsupported()
}
func (a *acceptor) accept(ctx context.Context, c *conn) error { return unsupported() }
func (a *acceptor) setDeadline(t time.Time) error             { return unsupported() }
func (a *acceptor) setUnlinkOnClose(unlink bool)              {}
func (a *acceptor) close() error                              { return unsupported() }

func openPair(a, b *endpoint, kind result) error       { return unsupported() }
func adoptConn(c *conn, f *os.File, kind result) error { return unsupported() }

func (e *endpoint) syscallConn() (syscall.RawConn, error) { return nil, unsupported() }
