package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// listenAs listens on a path of its own with Windows' options, until the test ends.
func listenAs(t *testing.T, sys ipc.SysListen) (*ipc.Listener, ipc.Name) {
	t.Helper()
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Sys: &sys}).Listen(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, name
}

// connectAs connects with Windows' options; both ends are closed when the test ends.
func connectAs(t *testing.T, listenSys ipc.SysListen, dialSys ipc.SysDial) (client, server *ipc.Conn) {
	t.Helper()
	l, name := listenAs(t, listenSys)
	client, err := (&ipc.Dialer{Sys: &dialSys}).Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, err = l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestDialOfABusyPipeWaitsForTheContextOrAnInstance(t *testing.T) {
	leakcheck.Start(t)
	for _, limit := range []int{2, 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			l, name := listenAs(t, ipc.SysListen{InstanceLimit: limit})
			clients, servers := make([]*ipc.Conn, limit), make([]*ipc.Conn, limit)
			for i := range limit {
				clients[i] = dial(t, name)
				var err error
				servers[i], err = l.AcceptConn(t.Context())
				require.NoError(t, err)
				defer servers[i].Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := ipc.Dial(ctx, name)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			accepted := make(chan error, 1)
			go func() {
				c, err := l.AcceptConn(t.Context())
				if err == nil {
					_, err = c.Write([]byte("x"))
					c.Close()
				}
				accepted <- err
			}()
			dialled := make(chan string)
			go func() { dialled <- dialAndRead(name) }()
			require.NoError(t, clients[0].Close())
			require.NoError(t, servers[0].Close())
			require.Equal(t, "data", <-dialled)
			require.NoError(t, <-accepted)
		})
	}
}

// 192.0.2.1 is nobody's, RFC 5737. Windows asks for it for many seconds where the network drops what goes there; Wine
// refuses such names at once.
func TestDialOfAnotherMachineEndsWithTheContext(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.Path(`\\192.0.2.1\pipe\ipc-test`)
	for _, d := range []ipc.Dialer{{}, {Timeout: 50 * time.Millisecond}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if d.Timeout > 0 {
			ctx = t.Context()
		}
		dialled := make(chan error, 1)
		go func() { dialled <- second(d.Dial(ctx, name)) }()
		select {
		case err := <-dialled:
			if !errors.Is(err, context.DeadlineExceeded) { // or the answer was quicker
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
			require.ErrorContains(t, err, "dial ipc "+name.String())
		case <-time.After(patience):
			t.Fatal("Dial waits on")
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, second(ipc.Dial(ctx, name)), context.Canceled)
}

func TestOptionsOfNamedPipesOutOfRangeAreNamed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for text, sys := range map[string]ipc.SysListen{
		"Direction":          {Direction: 4},
		"InstanceLimit":      {InstanceLimit: -1},
		"InstanceLimit ":     {InstanceLimit: 255},
		"InboundBuffer":      {InboundBuffer: -1},
		"OutboundBuffer":     {OutboundBuffer: -1},
		"DefaultWait":        {DefaultWait: -1},
		"SecurityDescriptor": {SecurityDescriptor: "nonsense"},
	} {
		_, err := (&ipc.ListenConfig{Sys: &sys}).Listen(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL, text)
		require.ErrorContains(t, err, strings.TrimSpace(text))
	}
	for text, sys := range map[string]ipc.SysDial{"Direction": {Direction: -1}, "Impersonation": {Impersonation: 5}} {
		_, err := (&ipc.Dialer{Sys: &sys}).Dial(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL, text)
		require.ErrorContains(t, err, text)
	}
	_, _, err := (&ipc.PipeConfig{Sys: &ipc.SysPipe{SecurityDescriptor: "nonsense"}}).Pipe()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "SecurityDescriptor")
}

func TestNameThatAnotherServerHasIsInUse(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	path, err := windows.UTF16PtrFromString(name.String())
	require.NoError(t, err)
	for _, first := range []uint32{0, windows.FILE_FLAG_FIRST_PIPE_INSTANCE} {
		squatter, err := windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|first, windows.PIPE_TYPE_BYTE,
			windows.PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, nil)
		require.NoError(t, err)
		requireInUse(t, name)
		_, err = ipc.ListenMessage(name)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.NoError(t, windows.CloseHandle(squatter))
		require.NoError(t, listen(t, name).Close())
	}
}

// Windows keeps the pipe of a server that is gone for as long as a client has its end open; Wine does not.
func TestServerRestartsWhileClientsHoldTheirEnds(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for range 5 {
		server := start(t, "echo", name.String())
		server.expect("listening")
		require.NoError(t, echoOnce(name))
		held, answered := dial(t, name), make([]byte, 1)
		require.NoError(t, second(held.Write([]byte("x"))))
		require.NoError(t, second(held.Read(answered))) // it was accepted
		server.kill()
	}
	l := listen(t, name)
	requireInUse(t, name)
	go serveEcho(l)
	require.NoError(t, echoOnce(name))
}

func TestServerOfOtherOptionsWaitsForTheClientsOfTheLast(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := start(t, "echo", name.String())
	server.expect("listening")
	held := dial(t, name)
	server.kill()
	lc := ipc.ListenConfig{Mode: 0o666}
	l, err := lc.Listen(t.Context(), name)
	if err != nil { // on Wine it is not
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.NoError(t, held.Close())
		l, err = lc.Listen(t.Context(), name)
	}
	require.NoError(t, err)
	defer l.Close()
	dial(t, name)
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	require.Contains(t, dacl(t, c), authenticated)
}

func TestClientsThatVanishStopNoListener(t *testing.T) {
	leakcheck.Start(t)
	for _, sys := range []ipc.SysListen{{}, {InstanceLimit: 3}} {
		l, name := listenAs(t, sys)
		go serveEcho(l)
		for range 3 {
			vandals := []*process{start(t, "flood", name.String()), start(t, "flood", name.String())}
			for _, v := range vandals {
				v.expect("flooding")
			}
			for range 20 {
				require.NoError(t, echoOnce(name))
			}
			vandals[0].kill()
			vandals[1].end()
		}
		require.NoError(t, echoOnce(name))
		require.NoError(t, l.Close())
	}
}

func TestNameIsNotSharedWithAnotherServer(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	go serveEcho(listen(t, name))
	require.NoError(t, echoOnce(name))
	path, err := windows.UTF16PtrFromString(name.String())
	require.NoError(t, err)
	handle, err := windows.CreateNamedPipe(path, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_FIRST_PIPE_INSTANCE,
		windows.PIPE_TYPE_BYTE, windows.PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, nil)
	if err == nil || err == windows.ERROR_ALREADY_EXISTS { // as Wine 8 has it
		windows.CloseHandle(handle)
	} else {
		require.ErrorIs(t, err, windows.ERROR_ACCESS_DENIED)
	}
	require.NoError(t, echoOnce(name))
}

func TestOneWayPipesCarryOneWay(t *testing.T) {
	leakcheck.Start(t)
	for _, direction := range []ipc.PipeDirection{ipc.ServerToClient, ipc.ClientToServer} {
		for _, asked := range []ipc.PipeDirection{ipc.DefaultDirection, direction} {
			client, server := connectAs(t, ipc.SysListen{Direction: direction}, ipc.SysDial{Direction: asked})
			from, to := server, client
			if direction == ipc.ClientToServer {
				from, to = client, server
			}
			_, err := from.Write([]byte("one way"))
			require.NoError(t, err)
			for what, err := range map[string]error{
				"read: plain":     second(from.Read(make([]byte, 1))),
				"read: vectored":  second(from.ReadBuffers([][]byte{make([]byte, 1)})),
				"write: plain":    second(to.Write([]byte("x"))),
				"write: vectored": second(to.WriteBuffers([][]byte{{1}})),
			} {
				operation, _, _ := strings.Cut(what, ":")
				require.ErrorIs(t, err, syscall.EINVAL, what)
				require.ErrorContains(t, err, operation+" ipc", what)
				require.Regexp(t, map[string]string{"read": "write", "write": "read"}[operation], err.Error()[9:], what)
			}
			require.NoError(t, to.SetReadDeadline(time.Now().Add(patience)))
			require.NoError(t, from.Close())
			got, err := io.ReadAll(to)
			require.NoError(t, err)
			require.Equal(t, "one way", string(got))
		}
	}
}

func TestOneWayMessagePipesCarryOneWay(t *testing.T) {
	leakcheck.Start(t)
	for _, direction := range []ipc.PipeDirection{ipc.ServerToClient, ipc.ClientToServer} {
		name := newPath(t)
		l, err := (&ipc.ListenConfig{Sys: &ipc.SysListen{Direction: direction}}).ListenMessage(t.Context(), name)
		require.NoError(t, err)
		defer l.Close()
		client, err := ipc.DialMessage(t.Context(), name)
		require.NoError(t, err)
		defer client.Close()
		server, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		defer server.Close()
		from, to := server, client
		if direction == ipc.ClientToServer {
			from, to = client, server
		}
		for _, message := range []string{"one", "", "way"} {
			require.NoError(t, from.Send([]byte(message)))
		}
		require.ErrorIs(t, to.Send([]byte("x")), syscall.EINVAL)
		require.ErrorIs(t, second(from.Receive(make([]byte, 1))), syscall.EINVAL)
		require.NoError(t, from.Close())
		for _, want := range []string{"one", "", "way"} {
			got, err := to.ReceiveAppend(nil)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		require.Equal(t, io.EOF, second(to.Receive(nil)))
	}
}

func TestDirectionThatThePipeDoesNotAllowIsRefused(t *testing.T) {
	leakcheck.Start(t)
	for server, clients := range map[ipc.PipeDirection][]ipc.PipeDirection{
		ipc.ServerToClient: {ipc.Duplex, ipc.ClientToServer},
		ipc.ClientToServer: {ipc.Duplex, ipc.ServerToClient},
	} {
		_, name := listenAs(t, ipc.SysListen{Direction: server})
		for _, client := range clients {
			_, err := (&ipc.Dialer{Sys: &ipc.SysDial{Direction: client}}).Dial(t.Context(), name)
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, "dial ipc "+name.String())
		}
	}
}

func TestPipeHasTheOptionsThatWereAskedFor(t *testing.T) {
	leakcheck.Start(t)
	_, server := connectAs(t, ipc.SysListen{
		InstanceLimit: 5, InboundBuffer: 12_288, OutboundBuffer: 8192, DefaultWait: time.Second, AcceptRemote: true,
		WriteThrough: true,
	}, ipc.SysDial{WriteThrough: true})
	var flags, outbound, inbound, instances uint32
	require.NoError(t, windows.GetNamedPipeInfo(handleOf(t, server), &flags, &outbound, &inbound, &instances))
	// There is one more, which keeps the name.
	require.Equal(t, []uint32{windows.PIPE_SERVER_END, 8192, 12_288, 6}, []uint32{flags, outbound, inbound, instances})
	_, server = connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	require.NoError(t, windows.GetNamedPipeInfo(handleOf(t, server), &flags, &outbound, &inbound, &instances))
	require.Equal(t, []uint32{windows.PIPE_SERVER_END, 64 << 10, 64 << 10}, []uint32{flags, outbound, inbound})
	require.GreaterOrEqual(t, instances, uint32(windows.PIPE_UNLIMITED_INSTANCES)) // Wine 8 says 1<<32 - 1
}

func TestWriteThatADeadlineCutIsNotMadeAgain(t *testing.T) {
	leakcheck.Start(t)
	for range 20 {
		client, server := connectAs(t, ipc.SysListen{InboundBuffer: 1, OutboundBuffer: 1}, ipc.SysDial{})
		written := make(chan error)
		go func() {
			_, err := server.Write(make([]byte, 4000)) // which waits until all of it is read
			written <- err
		}()
		_, err := io.ReadFull(client, make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
		require.NoError(t, server.SetWriteDeadline(time.Time{})) // before the writer is awake, maybe
		require.ErrorIs(t, <-written, os.ErrDeadlineExceeded)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE, "it would follow a part of which nobody knows how long it is")
		require.NoError(t, server.Close())
		rest, err := io.ReadAll(client)
		require.NoError(t, err)
		require.LessOrEqual(t, len(rest), 3900)
	}
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
		start := make([]byte, 2)
		for _, got := range []*os.File{given, taken} {
			_, err := got.ReadAt(start, 0)
			require.NoError(t, err)
			require.Equal(t, "MZ", string(start), "how every program begins")
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
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer c.Close()

	var number uintptr
	_, err = fmt.Sscanf(peer.answer(), "opened %d", &number)
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

// keeperRole dials NAME, opens PATH, and answers "opened NUMBER" with its handle; then "read NUMBER" with what it reads from
// that handle.
func keeperRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	c, err := ipc.Dial(context.Background(), name)
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

func TestHandlesAreInheritedIfThatIsAskedFor(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{Inherit: true}, ipc.SysDial{Inherit: true})
	requireInherit(t, client, true)
	requireInherit(t, server, true)
	client, server = connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	requireInherit(t, client, false)
	requireInherit(t, server, false)
}

func TestClientOfBytesReadsAMessagePipe(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer l.Close()
	client := dial(t, name)
	server, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer server.Close()
	for _, message := range []string{"one", "", "two", "three"} {
		require.NoError(t, server.Send([]byte(message)))
	}
	got := make([]byte, 11)
	_, err = io.ReadFull(client, got[:2]) // a part of a message
	require.NoError(t, err)
	_, err = io.ReadFull(client, got[2:])
	require.NoError(t, err)
	require.Equal(t, "onetwothree", string(got))
	_, err = client.Write([]byte("each write is a message"))
	require.NoError(t, err)
	message, err := server.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "each write is a message", string(message))
	require.NoError(t, server.Close())
	_, err = client.Read(got)
	require.Equal(t, io.EOF, err)
}

func TestClientOfMessagesIsRefusedByAPipeOfBytes(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listen(t, name)
	_, err := ipc.DialMessage(t.Context(), name)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "dial ipc "+name.String())
}

func TestFilesCarryConnectionsOfMessages(t *testing.T) {
	leakcheck.Start(t)
	client, server := messageConns(t, newPath(t))
	f, err := client.File()
	require.NoError(t, err)
	require.NoError(t, client.Close())
	client, err = ipc.FileMessageConn(f)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, f.Close())
	for _, message := range []string{"one", "", "three"} {
		require.NoError(t, client.Send([]byte(message)))
		require.NoError(t, server.Send([]byte(message)))
	}
	for _, c := range []*ipc.MessageConn{client, server} {
		for _, want := range []string{"one", "", "three"} {
			got, err := c.ReceiveAppend(nil)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
	}
}

func TestFlushWaitsForThePeerToRead(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{}) // a client's flush waits for nothing on Wine 8
	require.NoError(t, server.Flush())
	_, err := server.Write([]byte("unread"))
	require.NoError(t, err)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
	require.ErrorIs(t, server.Flush(), os.ErrDeadlineExceeded)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	err = server.Flush()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "flush ipc")
	require.NoError(t, server.SetWriteDeadline(time.Time{}))
	flushed := make(chan error)
	go func() { flushed <- server.Flush() }()
	_, err = io.ReadFull(client, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, <-flushed)

	_, err = server.Write([]byte("unread"))
	require.NoError(t, err)
	go func() { flushed <- server.Flush() }()
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-flushed, net.ErrClosed)
	require.ErrorIs(t, server.Flush(), net.ErrClosed)
	require.ErrorIs(t, new(ipc.Conn).Flush(), syscall.EINVAL)
}

func TestFlushOfAPipeWaitsForItsReader(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, w.Flush())
	_, err := w.Write([]byte("unread"))
	require.NoError(t, err)
	require.NoError(t, w.SetDeadline(time.Now().Add(-time.Second)))
	err = w.Flush()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "flush ipc")
	if !onWine { // where the flush of the end that connected waits for nothing
		require.NoError(t, w.SetDeadline(time.Now().Add(20*time.Millisecond)))
		require.ErrorIs(t, w.Flush(), os.ErrDeadlineExceeded)
	}
	require.NoError(t, w.SetDeadline(time.Time{}))
	flushed := make(chan error)
	go func() { flushed <- w.Flush() }()
	_, err = io.ReadFull(r, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, <-flushed)
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Flush(), net.ErrClosed)
	require.ErrorIs(t, new(ipc.PipeWriter).Flush(), syscall.EINVAL)
}

func TestFlushEndsWhenThePeerIsGone(t *testing.T) {
	leakcheck.Start(t)
	for range 20 {
		client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{})
		_, err := server.Write([]byte("never read"))
		require.NoError(t, err)
		errs := race(server.Flush, client.Close)
		if errs[0] != nil { // of a peer that was gone before, the system says that nothing is left to be read
			require.ErrorIs(t, errs[0], syscall.EPIPE)
		}
		require.NoError(t, errs[1])
	}
}

func TestDisconnectEndsTheConnectionAtOnce(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	_, err := server.Write([]byte("lost"))
	require.NoError(t, err)
	require.Error(t, client.Disconnect(), "clients close")
	require.NoError(t, server.Disconnect())
	_, err = client.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	_, err = client.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	_, err = server.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	_, err = server.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.NoError(t, server.Close())
	require.ErrorIs(t, server.Disconnect(), net.ErrClosed)
}

func TestMessageOver64MiBIsDroppedUnlessMaxMessageAllowsIt(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	large := make([]byte, 64<<20+1)
	for _, allowed := range []int{0, len(large)} {
		require.NoError(t, b.SetMaxMessage(allowed))
		ended := make(chan error, 1)
		go func() { ended <- errors.Join(a.Send(large), a.Send([]byte("next"))) }()
		got, err := b.ReceiveAppend(nil)
		if allowed == 0 {
			require.ErrorIs(t, err, ipc.ErrTruncated)
			require.ErrorContains(t, err, "a message of 67108865 bytes, MaxMessage is 67108864: ")
			require.Nil(t, got)
		} else {
			require.NoError(t, err)
			require.Len(t, got, len(large))
		}
		got, err = b.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "next", string(got))
		require.NoError(t, <-ended)
	}
}
