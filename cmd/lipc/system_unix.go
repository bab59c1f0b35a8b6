//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/signals"
	"golang.org/x/sys/unix"
)

// brokenPipe reports whether nobody reads what is written.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// gone reports whether the peer has closed its end, and not only shut down its writing half. poll(2) returns POLLHUP if
// both halves are shut down (Linux: unix_poll() in net/unix/af_unix.c; FreeBSD: sopoll_generic() in
// sys/kern/uipc_socket.c). Other systems also return it for one half, so there the answer is always false. So it is for
// a channel.
func gone(c connection) bool {
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return !errors.Is(err, errors.ErrUnsupported)
	}
	var state [1]unix.PollFd
	err = raw.Control(func(fd uintptr) {
		state[0].Fd = int32(fd)
		_, _ = unix.Poll(state[:], 0)
	})
	return err != nil || state[0].Revents&unix.POLLHUP != 0
}

// carriesMessages reports whether a connection that was dialled as a stream carries messages. A socket cannot.
func carriesMessages(connection) bool { return false }

// terminal reports whether a file is a terminal. Only terminals have a size in rows and columns.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// passesConnections is whether a program can have the connection itself as its standard input.
const passesConnections = true

// makeBlocking sets blocking mode, which programs expect of their standard input.
func makeBlocking(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) { refused = syscall.SetNonblock(int(fd), false) })
	return errors.Join(err, refused)
}

// runJoined runs a program with a connection as its standard input and output.
func runJoined(cmd *exec.Cmd, c connection) error {
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := makeBlocking(f); err != nil { // c shares that, but is not used any more
		return err
	}
	cmd.Stdin, cmd.Stdout = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its child processes belong to its group
	stopped := false
	cmd.Cancel = func() error {
		stopped = true
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = errors.Join(f.Close(), c.Close()) // so that the peer reads end of stream when the program ends
	err = errors.Join(cmd.Wait(), err)
	if stopped {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the rest of the group, if there is any
	}
	return err
}

// cutOff reports whether a program ended because its client was gone. The program may be a shell that reports this of a
// program that it ran.
func cutOff(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGPIPE ||
		status.ExitStatus() == 128+int(syscall.SIGPIPE))
}

// userIDs and admins are who -only may name.
const (
	userIDs = "numbers"
	admins  = "root"
)

// oneUser returns the policy that admits a user, by name or number.
func oneUser(who string) (ipc.PeerPolicy, error) {
	id := who
	if u, err := user.Lookup(who); err == nil {
		id = u.Uid
	}
	uid, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return nil, noUser(who)
	}
	return ipc.AnyOf(int(uid)), nil
}

// stop asks a process to end.
func stop(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// usualSignals are those that the command signals watches if it is not told which.
func usualSignals() []os.Signal {
	usual := []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGCONT,
		syscall.SIGWINCH}
	for n := 0; signals.RealTime(n) > 0; n++ {
		usual = append(usual, signals.RealTime(n))
	}
	return usual
}

const usualSignalsText = "HUP, USR1, USR2, ALRM, CONT, WINCH and all real-time signals"

// watchable reports whether the system has a signal.
func watchable(os.Signal) bool { return true }
