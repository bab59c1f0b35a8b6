package tests

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSignalsGoToTheProcessOfAPIDFD(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) { // the code for other systems
		require.ErrorIs(t, signals.SendPIDFD(os.Stdin, syscall.SIGUSR1), errors.ErrUnsupported)
		return
	}
	watcher := start(t, "signal watcher", "SIGUSR1", "SIGRTMIN+3")
	watcher.expect("watching")
	fd, err := unix.PidfdOpen(watcher.cmd.Process.Pid, 0)
	if err != nil {
		facility.Missing(t, "pidfd_open(2)")
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	require.NoError(t, signals.SendPIDFD(pidfd, syscall.SIGUSR1))
	watcher.expect(fmt.Sprintf("SIGUSR1 from process %d of user %d", os.Getpid(), os.Getuid()))
	require.NoError(t, signals.QueuePIDFD(pidfd, signals.RealTime(3), -5))
	watcher.expect(fmt.Sprintf("SIGRTMIN+3 from process %d of user %d, value -5", os.Getpid(), os.Getuid()))
	watcher.kill()
	require.ErrorIs(t, signals.SendPIDFD(pidfd, syscall.SIGUSR1), syscall.ESRCH)

	file, err := os.Open("/dev/null")
	require.NoError(t, err)
	require.ErrorIs(t, signals.SendPIDFD(file, syscall.SIGUSR1), syscall.EBADF)
	require.NoError(t, file.Close())
	require.ErrorContains(t, signals.SendPIDFD(file, syscall.SIGUSR1), "use of closed file")
}
