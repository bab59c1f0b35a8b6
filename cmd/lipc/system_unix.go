//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// brokenPipe reports whether nobody reads what is written.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// gone reports whether the peer has closed its end, and not only shut down its sending half: poll(2) says POLLHUP when
// both halves are shut down (Linux: unix_poll() in net/unix/af_unix.c; FreeBSD: sopoll_generic() in
// sys/kern/uipc_socket.c). Others say so for one half, too, and are not asked.
func gone(c channel) bool {
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	var state [1]unix.PollFd
	err = raw.Control(func(fd uintptr) {
		state[0].Fd = int32(fd)
		_, _ = unix.Poll(state[:], 0)
	})
	return err != nil || state[0].Revents&unix.POLLHUP != 0
}

// carriesMessages reports whether what was dialled as a stream is one of messages: a socket cannot be.
func carriesMessages(channel) bool { return false }

// terminal reports whether a file is a terminal: only those have a size in rows and columns.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// passesConnections: a program can be given a connection itself.
const passesConnections = true

// makeBlocking makes reading wait, as programs expect it of their standard input.
func makeBlocking(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) { refused = syscall.SetNonblock(int(fd), false) })
	return errors.Join(err, refused)
}

// runJoined runs a program with a channel as its standard input and output.
func runJoined(cmd *exec.Cmd, c channel) error {
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := makeBlocking(f); err != nil { // which c shares, but is used no more
		return err
	}
	cmd.Stdin, cmd.Stdout = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it starts belongs to it
	stopped := false
	cmd.Cancel = func() error {
		stopped = true
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = errors.Join(f.Close(), c.Close()) // so that the peer learns of the end when the program ends
	err = errors.Join(cmd.Wait(), err)
	if stopped {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of the group, if anything is
	}
	return err
}

// cutOff reports whether a program ended since its client was gone, or a shell says so of what it ran.
func cutOff(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && (status.Signaled() && status.Signal() == syscall.SIGPIPE ||
		status.ExitStatus() == 128+int(syscall.SIGPIPE))
}

// stop asks a process to end.
func stop(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
