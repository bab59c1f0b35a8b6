//go:build cgo

package ipc

// Named pipes are not in this version: on Windows every attempt to open an endpoint fails with an error that matches
// errors.ErrUnsupported, and since none can be opened, none can be used.

import (
	"context"
	"os"
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
