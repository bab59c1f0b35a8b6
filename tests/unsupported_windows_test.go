package tests

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// requireUnsupported requires errors that say that Windows has no such operation. The key of each is the operation that
// the error names, up to a colon.
func requireUnsupported(t *testing.T, all map[string]error) {
	t.Helper()
	for what, err := range all {
		require.ErrorIs(t, err, errors.ErrUnsupported, what)
		require.ErrorContains(t, err, "unsupported operation on windows", what)
		operation, _, _ := strings.Cut(what, ":")
		require.ErrorContains(t, err, operation+" ipc", what)
	}
}

func TestDatagramsAreUnsupported(t *testing.T) {
	leakcheck.Start(t)
	name, b := newNamespaced(t), make([]byte, 1)
	var c ipc.DatagramConn
	_, _, pairErr := ipc.DatagramPair()
	_, _, fromErr := c.ReceiveFrom(b)
	requireUnsupported(t, map[string]error{
		"listen":  second(ipc.ListenDatagram(name)),
		"dial":    second(ipc.DialDatagram(name)),
		"open":    second(ipc.OpenDatagram()),
		"pair":    pairErr,
		"file":    second(ipc.FileDatagramConn(os.Stdin)),
		"connect": c.Connect(name),
		"write":   c.SendTo(b, name),
		"read":    fromErr,
	})
}

func TestSharedMemoryOfChannelsIsUnsupported(t *testing.T) {
	leakcheck.Start(t)
	a, b, err := ipc.ChannelPair(nil)
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	shared, err := a.Shared()
	require.NoError(t, err)
	require.False(t, shared)
	_, _, pairErr := ipc.ChannelPair(&ipc.ChannelConfig{Memory: ipc.RequireMemory})
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	requireUnsupported(t, map[string]error{
		"pair":               pairErr,
		"close":              a.CloseRead(),
		"set":                a.SetPassCredentials(true),
		"write: files":       second(a.SendFiles(nil, r)),
		"write: credentials": second(a.SendMessage(&ipc.Message{Credentials: new(ipc.Credentials)})),
	})
	require.NoError(t, b.Send([]byte("x"))) // neither half was closed
	_, err = a.Receive(make([]byte, 1))
	require.NoError(t, err)
}

func TestFIFOsAreUnsupported(t *testing.T) {
	leakcheck.Start(t)
	requireUnsupported(t, map[string]error{
		"mkfifo":       ipc.CreateFIFO("x", 0),
		"open: reader": second(ipc.OpenFIFOReader(t.Context(), "x")),
		"open: writer": second(ipc.OpenFIFOWriter(t.Context(), "x")),
	})
}

func TestAncillaryDataIsUnsupported(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	m, _ := messagePair(t)
	f := numbered(t, 1)[0]
	w, r := ipc.NewControlWriter(make([]byte, 100)), ipc.NewControlReader(make([]byte, 100))
	b := make([]byte, 1)
	for _, c := range []interface {
		SendMessage(*ipc.Message) (int, error)
		ReceiveMessage(*ipc.Message) (int, error)
		PeekMessage(*ipc.Message) (int, error)
		SendFiles([]byte, ...*os.File) (int, error)
		SendControl([]byte, *ipc.ControlWriter) (int, error)
		ReceiveControl([]byte, *ipc.ControlReader) (int, error)
		SetPassCredentials(bool) error
		SetPassPIDFD(bool) error
		PeerPIDFD() (*os.File, error)
	}{a, m} {
		requireUnsupported(t, map[string]error{
			"write: files":       second(c.SendFiles(b, f)),
			"write: in message":  second(c.SendMessage(&ipc.Message{Buffers: [][]byte{b}, Files: []*os.File{f}})),
			"write: credentials": second(c.SendMessage(&ipc.Message{Buffers: [][]byte{b}, Credentials: new(ipc.Credentials)})),
			"write: control":     second(c.SendControl(b, w)),
			"read: control":      second(c.ReceiveControl(b, r)),
			"read: peek":         second(c.PeekMessage(&ipc.Message{Buffers: [][]byte{b}})),
			"set: credentials":   c.SetPassCredentials(true),
			"set: pidfd":         c.SetPassPIDFD(true),
			"get: pidfd":         second(c.PeerPIDFD()),
		})
	}
	requireUnsupported(t, map[string]error{
		"control":      w.Add(1, 2, b),
		"control: fds": w.AddFDs(0),
		"control: ids": w.AddCredentials(ipc.Credentials{}),
	})
	require.False(t, r.Next())
	require.NoError(t, r.Err())
	require.NoError(t, r.Close())
}

func TestSocketOptionsAndHalfClosesAreUnsupported(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	l := listen(t, newPath(t))
	_, w := newPipe(t, new(ipc.PipeConfig))
	_, _, bufferErr := (&ipc.PipeConfig{BufferSize: 4096}).Pipe()
	if bufferErr != nil { // a size can be asked for when the pipe is made
		requireUnsupported(t, map[string]error{"pipe": bufferErr})
	}
	requireUnsupported(t, map[string]error{
		"set: read buffer":  a.SetReadBuffer(1000),
		"set: write buffer": a.SetWriteBuffer(1000),
		"set: pipe":         w.SetBuffer(4096),
		"close: reading":    a.CloseRead(),
		"close: writing":    a.CloseWrite(),
		"file: listener":    second(l.File()),
		"file: adopted":     second(ipc.FileListener(os.Stdin)),
		"set: credentials":  l.SetPassCredentials(true),
		"set: pidfd":        l.SetPassPIDFD(true),
	})
	_, err := a.Write([]byte("x")) // neither half was closed
	require.NoError(t, err)
	requireByteArrives(t, b, a)
}

func TestNothingIsActivated(t *testing.T) {
	leakcheck.Start(t)
	a, err := ipc.Activated()
	require.NoError(t, err)
	require.Empty(t, a.Listeners)
	_, err = ipc.InheritedPipeReader("lipc-test")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
