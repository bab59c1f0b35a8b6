//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// interrupts: tests can interrupt a process.
const interrupts = true

var interrupting = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

func TestSignalsLeaveNothingOfWhatWaits(t *testing.T) {
	leakcheck.Start(t)
	files := folder(t)
	for _, signal := range interrupting {
		for _, c := range []struct {
			code    int
			options []string
		}{
			{128 + int(signal), words("listen")},
			{128 + int(signal), words("listen", "-message")},
			{128 + int(signal), words("receive-files", "-dir", files)},
			{0, words("listen", "-keep")},
			{0, words("listen", "-echo")},
			{0, words("listen", "-datagram")},
			{0, words("listen", "-datagram", "-echo")},
			{0, words("receive-files", "-keep", "-dir", files)},
			{0, words("serve", "--", "date")},
		} {
			if slices.Contains(c.options, "-message") && !hasMessages {
				continue
			}
			name := newName(t)
			p := begin(t, words(c.options[0], name, c.options[1:])...)
			awaitListener(t, name)
			require.NoError(t, p.cmd.Process.Signal(signal))
			p.ends(c.code)
			require.Empty(t, p.said.String(), c.options)
			requireNothingLeft(t, name)
		}
	}
}

func TestSignalsLeaveNothingOfWhatIsConnected(t *testing.T) {
	leakcheck.Start(t)
	for _, signal := range interrupting {
		name := newName(t)
		listener, client := begin(t, "listen", name), begin(t, "connect", name, soon)
		client.line("hello")
		listener.expect("hello")
		require.NoError(t, listener.cmd.Process.Signal(signal))
		listener.ends(128 + int(signal))
		require.NoError(t, client.in.Close())
		client.ends(0)
		require.Empty(t, listener.said.String()+client.said.String())
		requireNothingLeft(t, name)
	}
}

func TestSignalEndsWhoeverWaitsForAListener(t *testing.T) {
	leakcheck.Start(t)
	for pause := time.Millisecond; ; pause *= 2 { // nothing tells from outside when it has begun to wait
		p := begin(t, "connect", newName(t), soon)
		time.Sleep(pause)
		p.interrupt()
		code := p.code()
		if code == 130 {
			return
		}
		require.Equal(t, -1, code, "%s", p.said) // by the signal itself
		require.Less(t, pause, patience)
	}
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	p := beginWith(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `trap "" HUP INT; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}, "listen", name)
	c := dial(t, name)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	_, err := io.WriteString(c, "still there\n")
	require.NoError(t, err)
	p.expect("still there")
	require.NoError(t, c.Close())
	p.ends(0)
}

func TestModeIsThatOfTheSocketFile(t *testing.T) {
	leakcheck.Start(t)
	files := folder(t)
	for options, mode := range map[string]os.FileMode{"": 0o600, "-mode=0660": 0o660, "-mode=666": 0o666} {
		for _, command := range [][]string{{"listen"}, {"listen", "-datagram"}, {"receive-files", "-dir=" + files}} {
			name := newName(t)
			line := words(command, name)
			if options != "" {
				line = append(line, options)
			}
			p := begin(t, line...)
			awaitListener(t, name)
			require.Eventually(t, func() bool { // it is narrower at first, by the umask
				info, err := os.Stat(name)
				return err == nil && info.Mode().Perm() == mode
			}, patience, tick, "%s: not %o", line, mode)
			require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
			p.code()
		}
	}
}

func TestGroupIsThatOfTheSocketFile(t *testing.T) {
	leakcheck.Start(t)
	group := os.Getegid()
	if os.Geteuid() == 0 {
		group = 65534
	}
	for _, options := range [][]string{nil, {"-datagram"}} {
		name := newName(t)
		p := begin(t, words("listen", name, "-mode=0660", "-group", strconv.Itoa(group), options)...)
		awaitListener(t, name)
		require.Eventually(t, func() bool { // it is another one at first
			info, err := os.Stat(name)
			return err == nil && int(info.Sys().(*syscall.Stat_t).Gid) == group
		}, patience, tick, "%v: not %d", options, group)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		p.code()
	}
	fails(t, 1, "nosuchgroup", "listen", newName(t), "-group", "nosuchgroup")
}

func TestFileThatIsNoSocketIsNotReplaced(t *testing.T) {
	leakcheck.Start(t)
	path := write(t, folder(t), "file", "content")
	fails(t, 4, "a file that is not a socket", "listen", path)
	requireFile(t, "content", path)
	requireFiles(t, filepath.Dir(path), "file")
}

func TestProgramsEndWhenTheServerIsInterrupted(t *testing.T) {
	leakcheck.Start(t)
	for program, asked := range map[string]bool{"program:wait": true, "program:stubborn": false} {
		name := newName(t)
		server := begin(t, words("serve", name, "--", self(t, program))...)
		answer, err := bufio.NewReader(dial(t, name)).ReadString('\n')
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(answer))
		require.NoError(t, err)
		server.interrupt()
		server.ends(0)
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "asked: %v", asked)
		requireNothingLeft(t, name)
	}
}

func TestWhatAServedProgramStartedEndsWithIt(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	server := begin(t, "serve", name, "--", needs(t, "sh"), "-c", `sleep 1000 & echo $!; wait`)
	c := dial(t, name)
	answers := bufio.NewReader(c)
	_, err := answers.ReadString('\n')
	require.NoError(t, err)
	server.interrupt()
	server.ends(0)
	_, err = answers.ReadString('\n') // the sleeper has the connection, too
	require.Equal(t, io.EOF, err)
}

func TestServedProgramMayWaitInRead(t *testing.T) {
	leakcheck.Start(t)
	for _, message := range []string{"-message=false", "-message"} {
		if message == "-message" && !hasMessages {
			continue
		}
		name := newName(t)
		begin(t, "serve", name, message, "--", needs(t, "python3"), "-c",
			`import os; os.write(1, b"%r %r" % (os.get_blocking(0), os.get_blocking(1)))`)
		c, err := (&dialer{timeout: patience}).dial(t.Context(), kind{message: message == "-message"}, parse(t, name))
		require.NoError(t, err)
		var answer bytes.Buffer
		require.NoError(t, c.receive(&answer))
		require.Equal(t, "True True\n", strings.TrimSuffix(answer.String(), "\n")+"\n")
		require.NoError(t, c.Close())
	}
}
