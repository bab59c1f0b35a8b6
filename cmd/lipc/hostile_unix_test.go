//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestAnswersThatAReceiverWouldNotGiveEndTheSender(t *testing.T) {
	leakcheck.Start(t)
	for _, answer := range []string{
		`{"received":-1000000000}` + "\n", strings.Repeat("x", 2*offerLimit), `{"name":"file","size":4}` + "\n", "\n", "{}",
	} {
		name := newName(t)
		l := listenHere(t, name)
		sender := begin(t, "send-files", name, "-progress", write(t, folder(t), "file", "1234"))
		c := accept(t, l)
		_, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		_, _ = io.WriteString(c, answer)
		require.NoError(t, c.Close())
		sender.ends(1)
		require.Contains(t, sender.said.String(), errNoReceiver.Error(), "%.40q", answer)
	}
}

func TestProgramMayWaitForWhatAFIFOBrings(t *testing.T) {
	leakcheck.Start(t)
	name, fifo := newName(t), filepath.Join(folder(t), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	receiver := begin(t, "receive-files", name, "--", needs(t, "python3"), "-c",
		`import os, sys; print(os.get_blocking(0), sys.stdin.read())`)
	sender := begin(t, "send-files", name, soon, fifo)
	w, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer w.Close()
	_, err = io.WriteString(w, "brought")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	receiver.expect("True brought")
	receiver.ends(0)
	sender.ends(0)
}

func TestFileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	sender := begin(t, "send-files", x.name, soon, "-as", "piped", "-")
	_, err := io.WriteString(sender.in, "late")
	require.NoError(t, err)
	requireEventually(t, filepath.Join(x.to, "piped.part"), "late")
	precious := write(t, x.to, "piped", "precious")
	require.NoError(t, sender.in.Close())
	sender.ends(1)
	require.Contains(t, sender.said.String(), "-force replaces it")
	x.receiver.ends(1)
	requireFile(t, "precious", precious)
	requireFiles(t, x.to, "piped")
}

func TestForceTakesThePlaceOfAReceiverThatWasKilled(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-force")
	write(t, x.to, "file.part", "what a killed receiver left")
	r := x.send(t, write(t, x.from, "file", "content"))
	require.Equal(t, 0, r.code, r.said)
	x.receiver.ends(0)
	requireFile(t, "content", filepath.Join(x.to, "file"))
	requireFiles(t, x.to, "file")
}

func TestServersOutliveALackOfDescriptors(t *testing.T) {
	leakcheck.Start(t)
	for _, line := range [][]string{words("listen", "-echo"), words("serve", "--", self(t, "program:reads"))} {
		name := newName(t)
		server := beginWith(t, func(cmd *exec.Cmd) {
			cmd.Args = words("sh", "-c", `ulimit -n 24; exec "$0" "$@"`, cmd.Path, cmd.Args[1:])
			cmd.Path = "/bin/sh"
		}, words(line[0], name, line[1:])...)
		clients := make([]*ipc.Conn, 40)
		for i := range clients { // more than it can take
			clients[i] = dial(t, name)
		}
		for _, c := range clients {
			require.NoError(t, c.Close())
		}
		require.Eventually(t, func() bool { // those before may still be about to end
			c := dial(t, name)
			defer c.Close()
			_, err := io.WriteString(c, "x")
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			return err == nil
		}, patience, tick, "%s", server.said)
		server.interrupt()
		server.ends(0)
	}
}

func TestClientThatReadsNothingStopsNoOther(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	begin(t, "listen", name, "-echo", "-datagram")
	stuck, err := ipc.ListenDatagram(parse(t, newName(t)))
	require.NoError(t, err)
	defer stuck.Close()
	require.Eventually(t, func() bool { return stuck.Connect(parse(t, name)) == nil }, patience, tick)
	for range 200 { // more answers than fit
		require.NoError(t, stuck.Send([]byte("x")))
	}
	require.Equal(t, "hello\n", passes(t, "hello\n", "connect", name, "-datagram", "-from", newName(t), "-count", "1"))
}

func TestEnvironmentSaysOnlyWhatTheKernelVouchesFor(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	begin := func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "LIPC_PEER_SID=S-1-5-evil", "LIPC_FILE_SIZE=999", "LIPC_PEER_PID=1")
	}
	beginWith(t, begin, "serve", name, "--", needs(t, "sh"), "-c", `echo "$LIPC_PEER_SID$LIPC_FILE_SIZE" $LIPC_PEER_PID`)
	c := dial(t, name)
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Regexp(t, `^ \d+\n$`, string(answer))
	require.NotEqual(t, " 1\n", string(answer))
}
