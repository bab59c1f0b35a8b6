package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// overlappedPipe returns the two ends of a pipe, opened for overlapped operation without the library.
func overlappedPipe() (server, client windows.Handle, err error) {
	name := fmt.Sprintf(`\\.\pipe\lipc-%d-overlapped-%d`, os.Getpid(), pathNumber.Add(1))
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, 0, err
	}
	server, err = windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED,
		windows.PIPE_TYPE_BYTE, 1, 4096, 4096, 0, nil)
	if err != nil {
		return 0, 0, err
	}
	client, err = windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		windows.CloseHandle(server)
	}
	return server, client, err
}

// sharerChild dials NAME, and misuses the ends of a pipe that it shares with the process that accepts. It answers
// "make" with the handles of both ends of a pipe of its own. It answers "use A B ADDRESS" with "used" after it has
// written to B and read that from A thousands of times, each time in an operation at another address, see [useEnd].
func sharerChild(args []string, orders *bufio.Scanner) error {
	c, err := dialText(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	for orders.Scan() {
		var a, b windows.Handle
		var address uintptr
		if orders.Text() == "make" {
			if a, b, err = overlappedPipe(); err != nil {
				return err
			}
			fmt.Println("made", uintptr(a), uintptr(b))
			continue
		}
		if _, err := fmt.Sscanf(orders.Text(), "use %d %d %x", &a, &b, &address); err != nil {
			return err
		}
		if err := useEnd(a, b, address); err != nil {
			return err
		}
		fmt.Println("used")
	}
	return nil
}

// useEnd reads and writes 2000 times. If a has a completion port, of whatever process, the port gets the address of
// each operation that completes. The addresses are in the 8 MiB from address on, where the test has nothing.
func useEnd(a, b windows.Handle, address uintptr) error {
	const times, size = 2000, 8 << 20
	memory, err := windows.VirtualAlloc(address, size, windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return err
	}
	defer windows.VirtualFree(memory, 0, windows.MEM_RELEASE)
	for i := range times {
		// The system writes there outside of Go's memory, so the address is a number here.
		at := memory + uintptr(i)*(size/times)&^15
		if err := readOnce(a, b, at); err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return nil
}

// readOnce starts to read from one end in an operation at address, and writes to the other end until the operation is
// over. More than one write may be needed, as others read from that end too.
func readOnce(a, b windows.Handle, address uintptr) error {
	o := (*windows.Overlapped)(*(*unsafe.Pointer)(unsafe.Pointer(&address)))
	*o = windows.Overlapped{}
	var got [1]byte
	err := windows.ReadFile(a, got[:], nil, o)
	for {
		if err != nil && !errors.Is(err, windows.ERROR_IO_PENDING) && !errors.Is(err, windows.ERROR_IO_INCOMPLETE) {
			return err
		}
		var n uint32
		if err = windows.GetOverlappedResult(a, o, &n, false); err == nil {
			return nil
		}
		if failed := writeByte(b); failed != nil {
			return failed
		}
	}
}

// writeByte writes one byte, and waits until that is over.
func writeByte(handle windows.Handle) error {
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(event)
	o := windows.Overlapped{HEvent: event}
	var n uint32
	err = windows.WriteFile(handle, []byte("x"), nil, &o)
	if errors.Is(err, windows.ERROR_IO_PENDING) {
		err = windows.GetOverlappedResult(handle, &o, &n, true)
	}
	return err
}

// sharing connects to the child "sharer".
func sharing(t *testing.T) (*ipc.Conn, *process) {
	t.Helper()
	l, name := listenAs(t, ipc.SysListen{})
	peer := start(t, "sharer", name.String())
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, peer
}

// addresses returns one address where this process has nothing, and one where it had an object. The garbage collector
// would notice a pointer to either.
func addresses() map[string]uintptr {
	heap := make([]byte, 64<<20)
	const granularity = 1 << 16 // of VirtualAlloc
	had := (uintptr(unsafe.Pointer(unsafe.SliceData(heap))) + granularity - 1) &^ (granularity - 1)
	runtime.KeepAlive(heap)
	heap = nil
	runtime.GC()
	far := uintptr(3) << (unsafe.Sizeof(had)*6 - 4) // 0x3000_0000_0000, where addresses have 32 bits 0x30_0000
	return map[string]uintptr{"far": far, "had": had}
}

// readWhile reads from r and collects garbage while f runs. What it writes to w then ends that.
func readWhile(t *testing.T, r io.Reader, w io.Writer, f func()) {
	t.Helper()
	read := make(chan error)
	go func() {
		b := make([]byte, 1)
		for b[0] != '.' {
			if _, err := io.ReadFull(r, b); err != nil {
				read <- err
				return
			}
			runtime.GC()
		}
		read <- nil
	}()
	f()
	_, err := w.Write([]byte("."))
	require.NoError(t, err)
	require.NoError(t, <-read)
}

func TestPeerThatUsesAConnectionThatItWasGivenHarmsNobody(t *testing.T) {
	leakcheck.Start(t)
	c, peer := sharing(t)
	for what, address := range addresses() {
		a, b := pair(t)
		var numbers []uintptr
		for _, end := range []*ipc.Conn{a, b} {
			f, err := end.File()
			require.NoError(t, err)
			number, err := c.GiveFile(f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			numbers = append(numbers, number)
		}
		t.Log(what)
		readWhile(t, a, b, func() {
			peer.order("use %d %d %x", numbers[0], numbers[1], address)
			peer.expect("used")
		})
	}
	runtime.GC()
}

func TestPeerThatGoesOnUsingAConnectionThatWasTakenHarmsNobody(t *testing.T) {
	leakcheck.Start(t)
	c, peer := sharing(t)
	for _, address := range addresses() {
		peer.order("make")
		var a, b uintptr
		_, err := fmt.Sscanf(peer.answer(), "made %d %d", &a, &b)
		require.NoError(t, err)
		taken, err := c.TakeConn(a)
		require.NoError(t, err)
		other, err := c.TakeConn(b)
		require.NoError(t, err)
		readWhile(t, taken, other, func() {
			peer.order("use %d %d %x", a, b, address)
			peer.expect("used")
		})

		_, err = c.TakeFile(a)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		_, err = taken.File()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.NoError(t, taken.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err = taken.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, taken.Close())
		require.NoError(t, other.Close())
	}
}

// setPort makes port the completion port of a handle, or takes it away if port is 0, by
// FileReplaceCompletionInformation. Windows has it since 8.1; Wine 8 does not have it.
func setPort(handle, port windows.Handle) error {
	const fileReplaceCompletionInformation = 61
	information := struct{ port, key uintptr }{uintptr(port), 0}
	var block windows.IO_STATUS_BLOCK
	return windows.NtSetInformationFile(handle, &block, (*byte)(unsafe.Pointer(&information)),
		uint32(unsafe.Sizeof(information)), fileReplaceCompletionInformation)
}

func TestConnectionThatWasTakenReliesOnNoPort(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	a, b, err := overlappedPipe()
	require.NoError(t, err)
	defer windows.CloseHandle(a)
	defer windows.CloseHandle(b)
	mine, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 0)
	require.NoError(t, err)
	defer windows.CloseHandle(mine)
	taken, err := c.TakeConn(uintptr(a))
	require.NoError(t, err)
	defer taken.Close()
	read := func() {
		t.Helper()
		got := make(chan error)
		go func() {
			_, err := io.ReadFull(taken, make([]byte, 1))
			got <- err
		}()
		require.NoError(t, writeByte(b))
		require.NoError(t, <-got)
	}
	read()
	_, err = windows.CreateIoCompletionPort(a, mine, 0, 0) // it has none yet
	require.NoError(t, err)
	read()
	if !onWine {
		require.NoError(t, setPort(a, 0))
		read()
	}
}

// A process that shares the end can take its port away, and then nothing is reported. Wine 8 cannot do that.
func TestConnectionWhosePortWasTakenAwayEndsItsWaits(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	raw, err := a.SyscallConn()
	require.NoError(t, err)
	for _, end := range []func() error{func() error { return a.SetReadDeadline(time.Unix(1, 0)) }, a.Close} {
		ended := make(chan error)
		go func() { ended <- second(a.Read(make([]byte, 1))) }()
		waitsIn(t, "perform")
		if !onWine {
			require.NoError(t, raw.Control(func(handle uintptr) { err = setPort(windows.Handle(handle), 0) }))
			require.NoError(t, err)
		}
		require.NoError(t, end())
		require.Error(t, <-ended)
		a.SetReadDeadline(time.Time{})
	}
}
