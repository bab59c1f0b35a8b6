package tests

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// passPIDFDs asks for pidfds. Where the kernel has none it requires an error that says so, and skips the rest.
func passPIDFDs(t *testing.T, c interface {
	syscall.Conn
	SetPassPIDFD(bool) error
}) {
	t.Helper()
	const soPassPIDFD = 76
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		_, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soPassPIDFD)
	}))
	if err == syscall.ENOPROTOOPT {
		require.ErrorIs(t, c.SetPassPIDFD(true), errors.ErrUnsupported)
		facility.Missing(t, "SO_PASSPIDFD, which Linux has since 6.5")
	}
	require.NoError(t, c.SetPassPIDFD(true))
}

// requireProcess requires a pidfd to be that of the process with an id.
func requireProcess(t *testing.T, pid int, pidfd *os.File) {
	t.Helper()
	require.NotNil(t, pidfd)
	requireCloseOnExec(t, pidfd)
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", descriptorOf(t, pidfd)))
	require.NoError(t, err)
	require.Contains(t, string(info), fmt.Sprintf("\nPid:\t%d\n", pid))
}

// isReadable reports whether a descriptor becomes readable within so many milliseconds.
func isReadable(t *testing.T, f *os.File, milliseconds int) bool {
	t.Helper()
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer syscall.Close(epoll)
	fd := descriptorOf(t, f)
	require.NoError(t, syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN}))
	for {
		n, err := syscall.EpollWait(epoll, make([]syscall.EpollEvent, 1), milliseconds)
		if err == syscall.EINTR {
			continue
		}
		require.NoError(t, err)
		return n == 1
	}
}

// waitReadable waits for the same on the runtime's poller, without a thread.
func waitReadable(f *os.File) error {
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		return err
	}
	asked := false
	return raw.Read(func(uintptr) (done bool) {
		done, asked = asked, true
		return done
	})
}

// probe sends a process the signal 0, which reports whether the process exists.
func probe(t *testing.T, pidfd *os.File) syscall.Errno {
	t.Helper()
	const pidfdSendSignal = 424
	_, _, errno := syscall.Syscall6(pidfdSendSignal, uintptr(descriptorOf(t, pidfd)), 0, 0, 0, 0, 0)
	return errno
}

func TestPIDFDOfTheSenderComesIfItWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		p, c := k.start(t, nil, "ancillary")
		receive := func() *ipc.Message {
			p.order("send hello")
			p.expect("sent")
			m := &ipc.Message{Buffers: [][]byte{make([]byte, 100)}, PIDFD: os.Stdin} // which must not stay there
			n, err := c.ReceiveMessage(m)
			require.NoError(t, err)
			require.Equal(t, "hello", string(m.Buffers[0][:n]))
			return m
		}
		require.Nil(t, receive().PIDFD)
		passPIDFDs(t, c)
		m := receive()
		requireProcess(t, p.cmd.Process.Pid, m.PIDFD)
		require.NoError(t, m.PIDFD.Close())
		require.Empty(t, m.Control)

		// These calls do not ask for the pidfd, so it is closed.
		before := descriptors()
		for range 3 {
			p.order("send x")
			p.expect("sent")
			_, _, err := c.ReceiveFiles(make([]byte, 10), nil)
			require.NoError(t, err)
		}
		require.Equal(t, before, descriptors())

		r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
		for _, take := range []bool{true, false} {
			p.order("send hello")
			p.expect("sent")
			_, err := c.ReceiveControl(make([]byte, 10), r)
			require.NoError(t, err)
			found := 0
			for r.Next() {
				const scmPIDFD = 4
				if r.Level() == syscall.SOL_SOCKET && r.Type() == scmPIDFD {
					found++
					if take {
						fds := make([]int, 2)
						require.Equal(t, 1, r.TakeFDs(fds))
						f := os.NewFile(uintptr(fds[0]), "pidfd")
						requireProcess(t, p.cmd.Process.Pid, f)
						require.NoError(t, f.Close())
					}
				}
			}
			require.Equal(t, 1, found)
			require.NoError(t, r.Close())
		}
		require.Equal(t, before, descriptors())
		require.NoError(t, c.SetPassPIDFD(false))
		require.Nil(t, receive().PIDFD)
	})
}

func TestPIDFDOfThePeerReportsThatItHasEnded(t *testing.T) {
	leakcheck.Start(t)
	any, _ := kinds[0].newPair(t)
	passPIDFDs(t, any)
	name := newPath(t)
	server := startEcho(t, name)
	c := dial(t, name)
	peer, err := c.PeerPIDFD()
	require.NoError(t, err)
	defer peer.Close()
	requireProcess(t, server.cmd.Process.Pid, peer)

	p, datagrams := kinds[2].start(t, nil, "ancillary") // and the pidfd of a sender
	passPIDFDs(t, datagrams)
	p.order("send hello")
	p.expect("sent")
	m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}}
	_, err = datagrams.ReceiveMessage(&m)
	require.NoError(t, err)
	defer m.PIDFD.Close()

	for process, pidfd := range map[*process]*os.File{server: peer, p: m.PIDFD} {
		require.False(t, isReadable(t, pidfd, 0))
		require.Zero(t, probe(t, pidfd))
		ended := make(chan error, 1)
		go func() { ended <- waitReadable(pidfd) }()
		process.kill()
		require.NoError(t, <-ended)
		require.True(t, isReadable(t, pidfd, 0))
		require.Equal(t, syscall.ESRCH, probe(t, pidfd))
	}

	listen(t, name) // which removes what the server left
}

func TestPIDFDOfAPeerThatIsGoneIsAnError(t *testing.T) {
	leakcheck.Start(t)
	any, _ := kinds[0].newPair(t)
	passPIDFDs(t, any)
	name := newPath(t)
	server := startEcho(t, name)
	c := dial(t, name)
	server.kill()
	listen(t, name) // which removes what the server left
	f, err := c.PeerPIDFD()
	if err == nil { // newer kernels still know the process
		defer f.Close()
		require.Equal(t, syscall.ESRCH, probe(t, f))
		return
	}
	require.ErrorContains(t, err, "get ipc "+name.String())
	d, err := ipc.OpenDatagram()
	require.NoError(t, err)
	defer d.Close()
	_, err = d.PeerPIDFD()
	require.ErrorIs(t, err, syscall.ENOTCONN)
}

func TestWhatAListenerAcceptsPassesPIDFDsAsItDoes(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	passPIDFDs(t, l)
	c := dial(t, name)
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	accepted := accept(t, l)
	m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}}
	_, err = accepted.ReceiveMessage(&m)
	require.NoError(t, err)
	requireProcess(t, os.Getpid(), m.PIDFD)
	require.NoError(t, m.PIDFD.Close())
}
