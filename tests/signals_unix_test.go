//go:build unix

package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	maps.Copy(children, map[string]child{
		"signal sender":  signalSenderChild,
		"signal watcher": signalWatcherChild,
		"broken output":  brokenOutputChild,
	})
}

// signalSenderChild sends its parent signals: "send SIG COUNT", or "queue SIG COUNT", with the values 0, 1, 2, …. It
// answers "sent".
func signalSenderChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		var how, name string
		var count int
		if _, err := fmt.Sscan(orders.Text(), &how, &name, &count); err != nil {
			return err
		}
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		for i := 0; i < count; {
			if how == "queue" {
				err = signals.Queue(os.Getppid(), sig, i)
			} else {
				err = signals.Send(os.Getppid(), sig)
			}
			switch {
			case err == nil:
				i++
			case errors.Is(err, syscall.EAGAIN): // too many are queued
				time.Sleep(time.Millisecond)
			default:
				return err
			}
		}
		fmt.Println("sent")
	}
	return nil
}

// signalWatcherChild watches the signals of its arguments, answers "watching", and then each that comes with a line.
func signalWatcherChild(args []string, orders *bufio.Scanner) error {
	var sigs []os.Signal
	for _, name := range args {
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		sigs = append(sigs, sig)
	}
	w, err := signals.Watch(sigs...)
	if err != nil {
		return err
	}
	go func() {
		orders.Scan() // until the input ends
		w.Close()
	}()
	fmt.Println("watching")
	for info, err := range w.All(context.Background()) {
		if err != nil {
			return err
		}
		fmt.Println(info)
	}
	return nil
}

// next waits for a signal, at most as long as a test is patient.
func next(t *testing.T, w *signals.Watcher) signals.Info {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	info, err := w.Next(ctx)
	require.NoError(t, err)
	return info
}

// kill sends a signal to this process.
func kill(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), sig))
}

// queues reports whether signals have values, and real-time signals exist. On Linux they do not in the code for systems
// that lack them. Where they do not, it requires that sending one says so.
func queues(t *testing.T) bool {
	t.Helper()
	queueing := runtime.GOOS == "linux" || runtime.GOOS == "freebsd" || runtime.GOOS == "netbsd"
	if strings.Contains(os.Getenv("CGO_CFLAGS"), "-DLIPC_PLAIN_POSIX") {
		queueing = false
	}
	require.Equal(t, queueing, signals.RealTime(0) > 0)
	if !queueing {
		require.ErrorIs(t, signals.Queue(os.Getpid(), syscall.SIGUSR1, 1), errors.ErrUnsupported)
		require.ErrorIs(t, second(signals.Watch(signals.RealTime(0))), errors.ErrUnsupported)
	}
	return queueing
}

func TestSignalSaysWhoSentIt(t *testing.T) {
	leakcheck.Start(t)
	w := watch(t, syscall.SIGUSR1)
	sender := start(t, "signal sender")
	sender.order("send SIGUSR1 1")
	require.Equal(t, signals.Info{Signal: syscall.SIGUSR1, Code: signals.CodeUser,
		PID: sender.cmd.Process.Pid, UID: os.Getuid()}, next(t, w))
	require.NoError(t, signals.Send(os.Getpid(), syscall.SIGUSR1))
	info := next(t, w)
	require.Equal(t, os.Getpid(), info.PID)
	require.Equal(t, fmt.Sprintf("SIGUSR1 from process %d of user %d", os.Getpid(), os.Getuid()), info.String())
}

func TestQueuedSignalHasItsValue(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) {
		return
	}
	w := watch(t, signals.RealTime(0), syscall.SIGUSR1)
	for _, sig := range []syscall.Signal{signals.RealTime(0), syscall.SIGUSR1} {
		for _, value := range []int{0, 1, -1, 1<<31 - 1, -1 << 31} {
			require.NoError(t, signals.Queue(os.Getpid(), sig, value))
			require.Equal(t, signals.Info{Signal: sig, Code: signals.CodeQueue, PID: os.Getpid(), UID: os.Getuid(),
				Value: value}, next(t, w))
		}
	}
	for _, value := range []int64{1 << 31, -1<<31 - 1} {
		if int64(int(value)) == value { // not where an int has 32 bits
			require.ErrorIs(t, signals.Queue(os.Getpid(), syscall.SIGUSR1, int(value)), syscall.EINVAL)
		}
	}
}

func TestSignalOfAChildHasItsExactStatus(t *testing.T) {
	leakcheck.Start(t)
	w := watch(t, syscall.SIGCHLD)
	for script, want := range map[string]signals.Info{
		"exit 7":        {Code: signals.CodeExited, Status: 7},
		"kill -TERM $$": {Code: signals.CodeKilled, Status: int(syscall.SIGTERM)},
	} {
		cmd := exec.Command("sh", "-c", script)
		require.NoError(t, cmd.Start())
		want.Signal, want.PID, want.UID = syscall.SIGCHLD, cmd.Process.Pid, os.Getuid()
		require.Equal(t, want, next(t, w))
		require.Error(t, cmd.Wait())
	}
}

func TestStopOfAChildIsReportedIfItWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	ends := watch(t, syscall.SIGCHLD)
	all := watchWith(t, signals.Config{ChildStops: true}, syscall.SIGCHLD)
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	for _, c := range []struct {
		sig  syscall.Signal
		code signals.Code
	}{{syscall.SIGSTOP, signals.CodeStopped}, {syscall.SIGCONT, signals.CodeContinued}, {syscall.SIGKILL, signals.CodeKilled}} {
		require.NoError(t, cmd.Process.Signal(c.sig))
		info := next(t, all)
		require.Equal(t, c.code, info.Code)
		require.Equal(t, cmd.Process.Pid, info.PID)
		require.Equal(t, int(c.sig), info.Status)
	}
	require.Equal(t, signals.CodeKilled, next(t, ends).Code, "the first that it gets")
	require.Error(t, cmd.Wait())
}

func TestSeveralWatchersGetEachSignal(t *testing.T) {
	leakcheck.Start(t)
	watchers := []*signals.Watcher{watch(t, syscall.SIGUSR1), watch(t, syscall.SIGUSR2, syscall.SIGUSR1)}
	for range 3 {
		kill(t, syscall.SIGUSR1)
		for _, w := range watchers {
			require.Equal(t, syscall.SIGUSR1, next(t, w).Signal)
		}
	}
	require.NoError(t, watchers[0].Close())
	kill(t, syscall.SIGUSR1)
	require.Equal(t, syscall.SIGUSR1, next(t, watchers[1]).Signal)
}

func TestNextAllocatesNothing(t *testing.T) {
	leakcheck.Start(t)
	w := watch(t, syscall.SIGUSR1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	requireNoAllocations(t, map[string]func() error{
		"waiting": func() error {
			// The signal may come to another thread, and so after the kill.
			if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
				return err
			}
			return second(w.Next(context.Background()))
		},
	})
	many := watchWith(t, signals.Config{QueueSize: 4096}, syscall.SIGUSR2)
	other := watch(t, syscall.SIGUSR2)
	for range 1100 {
		kill(t, syscall.SIGUSR2)
		next(t, other)
	}
	requireNoAllocations(t, map[string]func() error{
		"a signal that is there": func() error { return second(many.Next(ctx)) },
	})
}

func TestSignalsThatCannotBeWatchedAreRefusedWithTheReason(t *testing.T) {
	leakcheck.Start(t)
	unsupported := errors.ErrUnsupported
	for _, c := range []struct {
		sig    os.Signal
		err    error
		reason string
	}{
		{syscall.SIGSEGV, unsupported, "SIGSEGV: unsupported operation: it reports a fault"},
		{syscall.SIGBUS, unsupported, "reports a fault"},
		{syscall.SIGFPE, unsupported, "reports a fault"},
		{syscall.SIGILL, unsupported, "reports a fault"},
		{syscall.SIGTRAP, unsupported, "reports a fault"},
		{syscall.SIGSYS, unsupported, "reports a fault"},
		{syscall.SIGURG, unsupported, "preempts goroutines"},
		{syscall.SIGPROF, unsupported, "profiles"},
		{syscall.SIGKILL, syscall.EINVAL, "SIGKILL: the system delivers it to no program"},
		{syscall.SIGSTOP, syscall.EINVAL, "delivers it to no program"},
		{syscall.Signal(0), syscall.EINVAL, "signal 0"},
		{syscall.Signal(1000), syscall.EINVAL, "signal 1000"},
		{signals.Break, unsupported, "watch BREAK: unsupported operation: only consoles of Windows have it"},
	} {
		_, err := signals.Watch(syscall.SIGUSR1, c.sig)
		require.ErrorIs(t, err, c.err, "%v", c.sig)
		require.ErrorContains(t, err, c.reason)
	}
	if runtime.GOOS == "linux" {
		for n := 32; n < int(signals.RealTime(0)); n++ {
			_, err := signals.Watch(syscall.Signal(n))
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, fmt.Sprintf("watch signal %d: the C library keeps it for itself", n))
		}
	}
	kill(t, syscall.SIGURG) // ends no process
}

func TestEveryOtherSignalCanBeWatched(t *testing.T) {
	leakcheck.Start(t)
	count := 0
	for n := 1; n < 65; n++ {
		sig := syscall.Signal(n)
		w, err := signals.Watch(sig)
		if err != nil {
			continue
		}
		count++
		kill(t, sig)
		require.Equal(t, sig, next(t, w).Signal, signals.Name(sig))
		require.NoError(t, w.Close())
	}
	require.Greater(t, count, 20)
}

func TestNamesAreThoseOfTheSystem(t *testing.T) {
	leakcheck.Start(t)
	for n := syscall.Signal(1); n < 128; n++ {
		name := unix.SignalName(n)
		if name == "" || name == "SIGIOT" { // SIGIOT is also SIGABRT
			continue
		}
		require.Equal(t, name, signals.Name(n))
		sig, err := signals.Parse(name)
		require.NoError(t, err)
		require.Equal(t, n, sig)
	}
}

func TestRealTimeSignalsHaveNames(t *testing.T) {
	leakcheck.Start(t)
	require.Equal(t, syscall.Signal(-1), signals.RealTime(-1))
	require.Equal(t, syscall.Signal(-1), signals.RealTime(1000))
	if !queues(t) {
		return
	}
	require.ErrorIs(t, signals.Send(os.Getpid(), signals.RealTime(1000)), syscall.EINVAL)
	for n, name := range map[int]string{0: "SIGRTMIN", 1: "SIGRTMIN+1", 5: "SIGRTMIN+5"} {
		require.Equal(t, name, signals.Name(signals.RealTime(n)))
		sig, err := signals.Parse(name)
		require.NoError(t, err)
		require.Equal(t, signals.RealTime(n), sig)
	}
	last, err := signals.Parse("SIGRTMAX")
	require.NoError(t, err)
	require.Equal(t, syscall.Signal(-1), signals.RealTime(int(last.(syscall.Signal)-signals.RealTime(0))+1))
	before, err := signals.Parse("rtmax-1")
	require.NoError(t, err)
	require.Equal(t, last.(syscall.Signal)-1, before)
}

func TestSignalsThatCannotBeSentSayWhy(t *testing.T) {
	leakcheck.Start(t)
	ended := exec.Command("true")
	require.NoError(t, ended.Run())
	err := signals.Send(ended.Process.Pid, syscall.SIGHUP)
	require.ErrorIs(t, err, syscall.ESRCH)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, fmt.Sprintf("signals: send SIGHUP to process %d: no such process", ended.Process.Pid))
	for _, pid := range []int{0, -1} {
		require.ErrorIs(t, signals.Send(pid, syscall.SIGHUP), syscall.EINVAL, "kill(2) means several by it")
	}
	require.ErrorIs(t, signals.SendGroup(1, syscall.SIGHUP), syscall.EINVAL)
	require.NoError(t, signals.Send(os.Getpid(), syscall.Signal(0)))
	require.ErrorIs(t, signals.Send(os.Getpid(), signals.Break), errors.ErrUnsupported)
	for _, err := range []error{signals.SendPIDFD(nil, syscall.SIGHUP), signals.QueuePIDFD(nil, syscall.SIGHUP, 1)} {
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorIs(t, err, os.ErrInvalid)
		require.ErrorContains(t, err, "signals: send SIGHUP to a pidfd: it is nil")
	}
	if queues(t) {
		require.ErrorIs(t, signals.Queue(ended.Process.Pid, syscall.SIGHUP, 1), syscall.ESRCH)
	}
}

func TestGroupGetsASignal(t *testing.T) {
	leakcheck.Start(t)
	watcher := startWith(t, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}, "signal watcher", "SIGUSR1")
	watcher.expect("watching")
	require.NoError(t, signals.SendGroup(watcher.cmd.Process.Pid, syscall.SIGUSR1))
	watcher.expect(fmt.Sprintf("SIGUSR1 from process %d of user %d", os.Getpid(), os.Getuid()))
	watcher.kill()
}

func TestClosedWatcherLeavesWhatWasThere(t *testing.T) {
	leakcheck.Start(t)
	watcher := start(t, "signal watcher", "SIGHUP")
	watcher.expect("watching")
	require.NoError(t, signals.Send(watcher.cmd.Process.Pid, syscall.SIGHUP))
	require.Contains(t, watcher.answer(), "SIGHUP from process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, signals.Send(watcher.cmd.Process.Pid, syscall.SIGUSR1)) // the Go runtime drops it
	require.NoError(t, signals.Send(watcher.cmd.Process.Pid, syscall.SIGTERM)) // is not watched, and ends it
	endsBy(watcher, syscall.SIGTERM)

	w := watch(t, syscall.SIGUSR1)
	kill(t, syscall.SIGUSR1)
	next(t, w)
	require.NoError(t, w.Close())
	require.ErrorIs(t, second(w.Next(t.Context())), net.ErrClosed)
}

// brokenOutputChild watches SIGPIPE, and writes to its standard output, which nobody reads. It says on standard error
// what came of that.
func brokenOutputChild([]string, *bufio.Scanner) error {
	w, err := signals.Watch(syscall.SIGPIPE)
	if err != nil {
		return err
	}
	_, err = fmt.Println("anybody there?")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	info, nextErr := w.Next(ctx)
	if errors.Is(err, syscall.EPIPE) && nextErr == nil && info.Signal == syscall.SIGPIPE {
		os.Exit(11)
	}
	return fmt.Errorf("writing: %v, watching: %v %v", err, info, nextErr)
}

func TestWriteToAnOutputThatNobodyReadsDoesNotEndAProgramThatWatchesSIGPIPE(t *testing.T) {
	leakcheck.Start(t)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	cmd := childCommand(t, "broken output", nil)
	cmd.Stdout = writer
	require.Error(t, cmd.Run())
	require.NoError(t, writer.Close())
	require.Equal(t, 11, cmd.ProcessState.ExitCode())
}

func TestProgramsThatAreStartedHaveTheDefaultHandling(t *testing.T) {
	leakcheck.Start(t)
	if !onLinux {
		facility.Missing(t, "/proc/self/status")
	}
	before := handlingOfGrep(t)
	watch(t, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGTSTP)
	if queues(t) {
		watch(t, signals.RealTime(0), signals.RealTime(1))
	}
	require.Equal(t, before, handlingOfGrep(t))
}

// handlingOfGrep returns how grep(1) handles signals when this process starts it: lines of proc_pid_status(5).
func handlingOfGrep(t *testing.T) string {
	t.Helper()
	handling, err := grepHandling()
	require.NoError(t, err)
	return handling
}

func grepHandling() (string, error) {
	output, err := exec.Command("grep", "^Sig[BIC]", "/proc/self/status").Output()
	return string(output), err
}
