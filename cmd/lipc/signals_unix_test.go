//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSignalsArePrintedWithTheirSender(t *testing.T) {
	leakcheck.Start(t)
	me, err := user.Current()
	require.NoError(t, err)
	p := begin(t, "signals")
	p.expect(fmt.Sprintf("process %d", p.cmd.Process.Pid))
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		require.NoError(t, p.cmd.Process.Signal(sig))
		line, err := p.out.ReadString('\n')
		require.NoError(t, err)
		require.Regexp(t, fmt.Sprintf(`^SIG\w+ from process %d of user %s, .+\n$`, os.Getpid(),
			regexp.QuoteMeta(me.Username+" ("+me.Uid+")")), line)
	}
	p.interrupt()
	p.ends(0)
}

func TestSignalsThatEndOtherCommandsArePrintedIfTheyAreWatched(t *testing.T) {
	leakcheck.Start(t)
	p := begin(t, "signals", "-watch", "INT,TERM", "-watch", "2,HUP", "-count", "4")
	p.expect(fmt.Sprintf("process %d", p.cmd.Process.Pid))
	for _, name := range []string{"INT", "TERM", "SIGHUP", "2"} {
		require.Empty(t, passes(t, "", "send-signal", strconv.Itoa(p.cmd.Process.Pid), name))
		_, err := p.out.ReadString('\n')
		require.NoError(t, err)
	}
	require.Empty(t, p.rest())
	p.ends(0)
}

func TestQueuedSignalIsPrintedWithItsValue(t *testing.T) {
	leakcheck.Start(t)
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" && runtime.GOOS != "netbsd" {
		facility.Missing(t, "sigqueue(3)")
	}
	p := begin(t, "signals", "-watch", "RTMIN+3", "-count", "1")
	p.expect(fmt.Sprintf("process %d", p.cmd.Process.Pid))
	passes(t, "", "send-signal", strconv.Itoa(p.cmd.Process.Pid), "RTMIN+3", "-42")
	require.Regexp(t, `^SIGRTMIN\+3 from process \d+ of user .*, value -42\n$`, p.rest())
	p.ends(0)
}

func TestSignalIsSentToAGroup(t *testing.T) {
	leakcheck.Start(t)
	p := beginWith(t, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} },
		"signals", "-watch", "USR1", "-count", "1")
	p.expect(fmt.Sprintf("process %d", p.cmd.Process.Pid))
	passes(t, "", "send-signal", "-group", strconv.Itoa(p.cmd.Process.Pid), "USR1")
	require.Contains(t, p.rest(), "SIGUSR1 from process ")
	p.ends(0)
}

func TestSignalThatCannotBeWatchedOrSentIsNamed(t *testing.T) {
	leakcheck.Start(t)
	fails(t, 1, "watch SIGSEGV: unsupported operation: it reports a fault", "signals", "-watch", "SEGV")
	ended := exec.Command("true")
	require.NoError(t, ended.Run())
	fails(t, 1, "no such process", "send-signal", strconv.Itoa(ended.Process.Pid), "HUP")
	fails(t, 1, "no such process", "send-signal", strconv.Itoa(ended.Process.Pid), "0")
	require.Empty(t, passes(t, "", "send-signal", strconv.Itoa(os.Getpid()), "0"))
}
