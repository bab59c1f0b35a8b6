//go:build unix

package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestNamesThatLeaveTheFolderAreRefused(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-force")
	path := write(t, x.from, "file", "forged")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	out := newOutbox(dial(t, x.name))
	for _, name := range []string{
		"", ".", "..", "../file", "/etc/passwd", "a/b", "a/", `..\file`, "a\nb", "\x1b[2J", "a\x00b", "exe.\u202egpj",
		strings.Repeat("x", 300),
	} {
		_, err := out.send(offer{Name: name, Size: 6, Mode: 0o644}, f, func(int64) {})
		require.ErrorAs(t, err, new(*skippedError), name)
		require.ErrorContains(t, err, "the receiver says: ", name)
	}
	_, err = out.send(offer{Name: "good", Size: 6, Mode: 0o7777}, f, func(int64) {})
	require.NoError(t, err)
	require.NoError(t, out.c.Close())
	x.receiver.ends(1)
	requireFiles(t, x.to, "good")
	require.NotContains(t, x.receiver.said.String(), "\x1b")
	info, err := os.Stat(filepath.Join(x.to, "good"))
	require.NoError(t, err)
	require.Zero(t, info.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
}

func TestLinkInTheFolderIsNotFollowed(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-force")
	outside := write(t, x.from, "outside", "untouched")
	require.NoError(t, os.Symlink(outside, filepath.Join(x.to, "file")))
	require.NoError(t, os.Symlink(outside, filepath.Join(x.to, "other.part")))
	r := x.send(t, write(t, x.from, "file", "new"), write(t, x.from, "other", "new"))
	require.Equal(t, 1, r.code)
	require.Equal(t, "file: passed, 3 bytes\n", r.out)
	x.receiver.ends(1)
	requireFile(t, "untouched", outside)
	requireFile(t, "new", filepath.Join(x.to, "file"))
}

func TestSenderThatIsNoneIsTold(t *testing.T) {
	leakcheck.Start(t)
	files := make([]*os.File, 3)
	for i := range files {
		var err error
		files[i], err = os.Open(os.DevNull)
		require.NoError(t, err)
		defer files[i].Close()
	}
	line, err := offer{Name: "file"}.line()
	require.NoError(t, err)
	for _, c := range []struct {
		sent  string
		files int
		said  string
	}{
		{"GET / HTTP/1.0\r\n", 0, "something else than an offer"},
		{"no line break", 0, "unexpected EOF"},
		{string(line), 0, "0 files came with an offer, not one"},
		{string(line), 2, ""},
		{string(line), 3, ""},
		{string(line) + string(line), 1, "it does not wait for answers"},
		{"[]\n", 1, "something else than an offer"},
		{strings.Repeat("x", offerLimit+100), 1, "an offer of more than 65536 bytes"},
	} {
		x := newTransfer(t, "-keep")
		peer := dial(t, x.name)
		_, err := peer.SendFiles([]byte(c.sent), files[:c.files]...)
		require.NoError(t, err)
		if c.said == "unexpected EOF" {
			require.NoError(t, peer.CloseWrite())
		}
		_, err = io.ReadAll(peer)
		require.NoError(t, err)
		x.receiver.says("\n")
		require.Contains(t, x.receiver.said.String(), `lipc: the peer is no "lipc send-files": `)
		require.Contains(t, x.receiver.said.String(), c.said)
		require.Equal(t, 1, strings.Count(x.receiver.said.String(), "\n"), "%s", x.receiver.said)
		held := descriptors(t, x.receiver)
		require.NoError(t, x.sendFromHere(t, write(t, x.from, "good", "x"))) // it goes on
		require.Eventually(t, func() bool { return descriptors(t, x.receiver) <= held }, patience, tick)
		requireFiles(t, x.to, "good")
	}
}

func TestFileThatCannotBeReadIsTold(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	f, err := os.OpenFile(filepath.Join(x.from, "file"), os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	out := newOutbox(dial(t, x.name))
	_, err = out.send(offer{Name: "file"}, f, func(int64) {})
	require.ErrorContains(t, err, "bad file descriptor")
	require.NoError(t, out.c.Close())
	x.receiver.ends(1)
	requireFiles(t, x.to)
}

func TestFileIsReceivedToItsEndWhenTheSenderDies(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	sender := begin(t, "send-files", x.name, soon, "-as", "piped", "-")
	_, err := io.WriteString(sender.in, "first ")
	require.NoError(t, err)
	requireEventually(t, filepath.Join(x.to, "piped.part"), "first ")
	sender.kill()
	_, err = io.WriteString(sender.in, "last") // the receiver has the pipe, too
	require.NoError(t, err)
	require.NoError(t, sender.in.Close())
	x.receiver.ends(0)
	requireFile(t, "first last", filepath.Join(x.to, "piped"))
}

// requireEventually waits until a file holds that.
func requireEventually(t *testing.T, path, content string) {
	t.Helper()
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(path)
		return err == nil && string(b) == content
	}, patience, tick)
}

func TestInterruptionLeavesNoPartOfAFile(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	sender := begin(t, "send-files", x.name, soon, "-as", "piped", "-")
	_, err := io.WriteString(sender.in, "first ")
	require.NoError(t, err)
	requireEventually(t, filepath.Join(x.to, "piped.part"), "first ")
	x.receiver.interrupt()
	x.receiver.ends(130)
	requireFiles(t, x.to)
	sender.ends(1)
	require.Contains(t, sender.said.String(), errNoReceiver.Error())
}

func TestInterruptedSenderEnds(t *testing.T) {
	leakcheck.Start(t)
	fifo := filepath.Join(folder(t), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for _, path := range []string{"-", fifo} { // waits for the receiver, and for somebody to write
		name := newName(t)
		l := listenHere(t, name)
		sender := begin(t, "send-files", name, path)
		accept(t, l)
		sender.interrupt()
		sender.ends(130)
		require.Empty(t, sender.said.String())
	}
}

func TestFullDiskLeavesNoPartOfAFile(t *testing.T) {
	leakcheck.Start(t)
	x := transfer{name: newName(t), from: folder(t), to: folder(t)}
	// A limit on the size of files stands for a full disk; sh ignores SIGXFSZ, so that writing fails.
	x.receiver = beginWith(t, func(cmd *exec.Cmd) {
		script := `trap "" XFSZ; ulimit -f 100; exec "$0" "$@"`
		cmd.Args = words("sh", "-c", script, cmd.Path, cmd.Args[1:])
		cmd.Path = "/bin/sh"
	}, "receive-files", x.name, "-dir", x.to)
	r := x.send(t, write(t, x.from, "large", strings.Repeat("x", 1<<20)), write(t, x.from, "small", "x"))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.said, "the receiver says: ")
	require.Contains(t, r.said, syscall.EFBIG.Error())
	require.Equal(t, "small: passed, 1 bytes\n", r.out)
	x.receiver.ends(1)
	requireFiles(t, x.to, "small")
}

func TestReceiverNeedsNoRightsToTheFile(t *testing.T) {
	leakcheck.Start(t)
	asNobody := anotherUser(t)
	secret := write(t, folder(t), "secret", "only root may open this")
	require.NoError(t, os.Chmod(secret, 0o600))
	inbox := folder(t)
	require.NoError(t, os.Chown(inbox, 65534, 65534))
	name := newNamespaced()
	receiver := beginWith(t, asNobody, "receive-files", name, "-dir", inbox, "-keep")
	fails(t, 1, "the server is process ", "send-files", name, soon, secret) // as nobody might have taken the name
	require.Equal(t, "secret: passed, 23 bytes\n", passes(t, "", "send-files", name, soon, secret, "-only", "65534"))
	sudo := func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "SUDO_UID=65534") }
	r := runWith(t, "", sudo, "send-files", name, soon, secret, "-as", "by sudo")
	require.Equal(t, result{0, "by sudo: passed, 23 bytes\n", ""}, r)
	fails(t, 1, " of user 65534, ", "send-files", name, secret)
	receiver.interrupt()
	receiver.ends(0)
	requireFile(t, "only root may open this", filepath.Join(inbox, "secret"))

	r = runWith(t, "", asNobody, "send-files", name, secret) // which nobody could not have opened
	require.Equal(t, 3, r.code)
}

func TestAnswersAreLines(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	c := dial(t, x.name)
	f, err := os.Open(write(t, x.from, "file", "content"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, pass(c, offer{Name: "file", Size: -1, Mode: 0o600}, f))
	var a answer
	require.NoError(t, json.NewDecoder(c).Decode(&a))
	require.Equal(t, answer{Received: 7, Done: true}, a)
	require.NoError(t, c.Close())
	x.receiver.ends(0)
}
