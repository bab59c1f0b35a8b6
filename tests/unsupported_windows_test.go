package tests

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestWindowsIsReportedAsUnsupported(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.Namespaced("lipc-test")
	_, err := ipc.Listen(name)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "listen ipc @lipc-test: unsupported operation on windows")
	_, err = ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, _, err = ipc.Pair()
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestWhatUnixAloneHasIsReportedAsUnsupported(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.Namespaced("lipc-test")
	var c ipc.DatagramConn
	w, r := ipc.NewControlWriter(make([]byte, 100)), ipc.NewControlReader(make([]byte, 100))
	b := make([]byte, 1)
	_, _, pairErr := ipc.DatagramPair()
	_, _, pipeErr := ipc.Pipe()
	_, _, fromErr := c.ReceiveFrom(b)
	_, _, filesErr := c.ReceiveFiles(b, nil)
	for what, err := range map[string]error{
		"listen":         second(ipc.ListenDatagram(name)),
		"dial":           second(ipc.DialDatagram(name)),
		"open":           second(ipc.OpenDatagram()),
		"pair":           pairErr,
		"file":           second(ipc.FileDatagramConn(os.Stdin)),
		"connect":        c.Connect(name),
		"write: to":      c.SendTo(b, name),
		"write: message": second(c.SendMessage(new(ipc.Message))),
		"write: files":   second(c.SendFiles(b)),
		"write: control": second(c.SendControl(b, w)),
		"read: from":     fromErr,
		"read: message":  second(c.ReceiveMessage(new(ipc.Message))),
		"read: files":    filesErr,
		"read: control":  second(c.ReceiveControl(b, r)),
		"set":            c.SetPassCredentials(true),
		"set: pidfd":     c.SetPassPIDFD(true),
		"get":            second(c.PeerPIDFD()),
		"control":        w.Add(1, 2, b),
		"control: fds":   w.AddFDs(0),
		"control: cred":  w.AddCredentials(ipc.Credentials{}),
		"pipe":           pipeErr,
		"pass":           new(ipc.PipeReader).PassTo(exec.Command("x"), "x"),
		"mkfifo":         ipc.CreateFIFO("x", 0),
		"open: reader":   second(ipc.OpenFIFOReader(t.Context(), "x")),
		"open: writer":   second(ipc.OpenFIFOWriter(t.Context(), "x")),
		"file: reader":   second(ipc.FilePipeReader(os.Stdin)),
		"file: writer":   second(ipc.FilePipeWriter(os.Stdin)),
	} {
		require.ErrorIs(t, err, errors.ErrUnsupported, what)
		operation, _, _ := strings.Cut(what, ":")
		require.ErrorContains(t, err, operation+" ipc", what)
	}
	require.False(t, r.Next())
	require.NoError(t, r.Err())
	require.NoError(t, r.Close())
	_, err := ipc.InheritedPipeReader("lipc-test")
	require.ErrorIs(t, err, fs.ErrNotExist)
	a, err := ipc.Activated()
	require.NoError(t, err)
	require.Empty(t, a.Listeners)
}

func second[T any](_ T, err error) error { return err }

func TestPipeNamesAreChecked(t *testing.T) {
	leakcheck.Start(t)
	for text, valid := range map[string]bool{
		`\\.\pipe\x`: true, `\\host\PIPE\x`: true, "@x": true,
		"": false, "@": false, `C:\x`: false, `\\.\pipe\`: false, `\\\pipe\x`: false, `\\.\pipe\a\b`: false, `@a\b`: false,
	} {
		name, err := ipc.ParseName(text)
		require.Equal(t, valid, err == nil, "%s: %v", text, err)
		if valid {
			require.Equal(t, text, name.String())
		}
	}
}
