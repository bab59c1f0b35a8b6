package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// requireProgram requires a file to be a program, which begins with "MZ".
func requireProgram(t *testing.T, f *os.File) {
	t.Helper()
	start := make([]byte, 2)
	_, err := f.ReadAt(start, 0)
	require.NoError(t, err)
	require.Equal(t, "MZ", string(start))
}

// holder returns a handle as a number. It is closed when the test ends.
func holder(t *testing.T, handle windows.Handle, err error) uintptr {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(func() { windows.CloseHandle(handle) })
	return uintptr(handle)
}

// openHandle opens a file, a directory or a device.
func openHandle(t *testing.T, path string, flags uint32) uintptr {
	t.Helper()
	name, err := windows.UTF16PtrFromString(path)
	require.NoError(t, err)
	handle, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil,
		windows.OPEN_EXISTING, flags, 0)
	return holder(t, handle, err)
}

func TestOnlyFilesAreTakenAsFiles(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	dir := leakcheck.Dir(t)
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	holder(t, event, err)
	port, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 0)
	holder(t, port, err)
	section, err := windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, 4096, nil)
	holder(t, section, err)
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(os.Getpid()))
	holder(t, process, err)
	var token windows.Token
	err = windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_QUERY, &token)
	holder(t, windows.Handle(token), err)
	for what, handle := range map[string]windows.Handle{
		"event": event, "port": port, "section": section, "process": process, "token": windows.Handle(token),
		"this process": windows.CurrentProcess(), "this thread": windows.CurrentThread(),
		"none": 0, "odd": 3, "unused": 1 << 20,
	} {
		_, err := c.TakeFile(uintptr(handle))
		require.ErrorIs(t, err, syscall.EBADF, what)
		_, err = c.TakeConn(uintptr(handle))
		require.Error(t, err, what)
	}
	a, b, err := overlappedPipe()
	holder(t, b, err)
	for what, number := range map[string]uintptr{
		"pipe":      holder(t, a, nil),
		"file":      openHandle(t, os.Args[0], windows.FILE_FLAG_OVERLAPPED),
		"directory": openHandle(t, dir, windows.FILE_FLAG_OVERLAPPED|windows.FILE_FLAG_BACKUP_SEMANTICS),
	} {
		_, err := c.TakeFile(number)
		require.ErrorIs(t, err, errors.ErrUnsupported, what)
		require.ErrorContains(t, err, "take ipc: ", what)
	}
	for what, number := range map[string]uintptr{
		"file":      openHandle(t, os.Args[0], 0),
		"device":    openHandle(t, "NUL", 0),
		"directory": openHandle(t, dir, windows.FILE_FLAG_BACKUP_SEMANTICS),
	} {
		taken, err := c.TakeFile(number)
		require.NoError(t, err, what)
		b := make([]byte, 2)
		n, err := taken.Read(b)
		require.Equal(t, what == "file", err == nil && string(b[:n]) == "MZ", "%s: %v", what, err)
		require.NoError(t, taken.Close(), what)
		_, err = c.TakeConn(number)
		require.ErrorIs(t, err, syscall.ENOTSOCK, what)
	}
}

func TestConnectionsOfMessagesAreTakenAsSuch(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	a, b := messagePair(t)
	number := uintptr(handleOf(t, a))
	_, err := c.TakeConn(number)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	taken, err := c.TakeMessageConn(number)
	require.NoError(t, err)
	defer taken.Close()
	require.NoError(t, taken.Send([]byte("message")))
	got, err := b.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "message", string(got))
}

func TestFileThatTheRuntimePollsIsNotGiven(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	a, b, err := overlappedPipe()
	holder(t, b, err)
	polled := os.NewFile(uintptr(a), "polled")
	defer polled.Close()
	_, err = c.GiveFile(polled)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "give ipc: ")

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	for _, end := range []*os.File{r, w} {
		number, err := c.GiveFile(end) // to this same process
		require.NoError(t, err)
		require.NoError(t, windows.CloseHandle(windows.Handle(number)))
	}
}

func TestFilesAreGivenToAnyProcess(t *testing.T) {
	leakcheck.Start(t)
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	number, err := ipc.GiveFileTo(os.Getpid(), f)
	require.NoError(t, err)
	given := os.NewFile(number, "given")
	requireProgram(t, given)
	require.NoError(t, given.Close())

	_, err = ipc.GiveFileTo(-1, f)
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = ipc.GiveFileTo(os.Getpid(), nil)
	require.ErrorIs(t, err, os.ErrInvalid)
	_, err = ipc.GiveFileTo(0x7fff_fff0, f)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "give ipc: ")
}

// A name with a host goes through the system's file server, even if the host is this machine.
func TestPeersOnOtherMachinesHaveNoProcess(t *testing.T) {
	leakcheck.Start(t)
	l, name := listenAs(t, ipc.SysListen{AcceptRemote: true})
	const here = `\\.\`
	if onWine { // Wine has no other machines
		return
	}
	client, err := ipc.Dial(t.Context(), ipc.Path(`\\localhost\`+strings.TrimPrefix(name.String(), here)))
	require.NoError(t, err)
	defer client.Close()
	server := accept(t, l)
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	for _, c := range []*ipc.Conn{client, server} {
		_, err = c.GiveFile(f)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "another machine")
		_, err = c.TakeFile(f.Fd())
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	credentials, err := server.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, -1, credentials.PID)
	id, err := server.ClientProcessID()
	require.NoError(t, err)
	require.Equal(t, -1, id)
	id, err = server.ServerProcessID()
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), id)
}

func TestFilesAreGivenToAndTakenFromThePeersProcess(t *testing.T) {
	leakcheck.Start(t)
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	for _, c := range []*ipc.Conn{client, server} {
		number, err := c.GiveFile(f) // to this same process
		require.NoError(t, err)
		require.NotEqual(t, f.Fd(), number)
		given := os.NewFile(number, "given")
		taken, err := c.TakeFile(f.Fd())
		require.NoError(t, err)
		for _, got := range []*os.File{given, taken} {
			requireProgram(t, got)
			require.NoError(t, got.Close())
		}
		_, err = c.TakeFile(1 << 20)
		require.ErrorContains(t, err, "take ipc")
		require.ErrorIs(t, err, syscall.EBADF)
		_, err = c.GiveFile(nil)
		require.ErrorContains(t, err, "give ipc")
		require.ErrorIs(t, err, os.ErrInvalid)
	}
}

func TestFilesArePassedBetweenProcesses(t *testing.T) {
	leakcheck.Start(t)
	l, name := listenAs(t, ipc.SysListen{})
	path := filepath.Join(leakcheck.Dir(t), "file")
	require.NoError(t, os.WriteFile(path, []byte("passed"), 0o600))
	peer := start(t, "keeper", name.String(), path)
	c := accept(t, l)

	var number uintptr
	_, err := fmt.Sscanf(peer.answer(), "opened %d", &number)
	require.NoError(t, err)
	taken, err := c.TakeFile(number)
	require.NoError(t, err)
	text, err := io.ReadAll(taken)
	require.NoError(t, err)
	require.Equal(t, "passed", string(text))
	_, err = taken.Seek(0, io.SeekStart)
	require.NoError(t, err)

	number, err = c.GiveFile(taken)
	require.NoError(t, err)
	require.NoError(t, taken.Close())
	peer.order("read %d", number)
	peer.expect("passed")
	peer.end()
	_, err = c.GiveFile(os.Stdin)
	require.Error(t, err, "the peer's process is gone")
}

// keeperChild dials NAME, opens PATH, and answers "opened NUMBER" with the handle. It answers "read NUMBER" with what
// it reads from that handle.
func keeperChild(args []string, orders *bufio.Scanner) error {
	c, err := dialText(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("opened", f.Fd())
	for orders.Scan() {
		var number uintptr
		if _, err := fmt.Sscanf(orders.Text(), "read %d", &number); err != nil {
			return err
		}
		given := os.NewFile(number, "given")
		text, err := io.ReadAll(given)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
		given.Close()
	}
	return nil
}
