package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A transfer is a receiver that keeps files in a folder, and a folder with files for it.
type transfer struct {
	name, from, to string
	receiver       *process
}

func newTransfer(t *testing.T, options ...string) transfer {
	t.Helper()
	x := transfer{name: newName(t), from: folder(t), to: folder(t)}
	x.receiver = begin(t, words("receive-files", x.name, "-dir", x.to, options)...)
	return x
}

// send sends files, and waits for the end.
func (x transfer) send(t *testing.T, arguments ...string) result {
	t.Helper()
	return runCommand(t, "", words("send-files", x.name, soon, arguments)...)
}

func TestFilesArriveUnderTheirNames(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	contents := map[string]string{
		"plain.txt": "text", "with spaces and 'quotes'": "more", "Grüße, 世界.txt": strings.Repeat("many\n", 100_000),
		"empty": "", "-dash": "-", "a..b": "dots",
	}
	line, names, printed := words("--"), []string{}, map[string]bool{}
	for name, content := range contents {
		line = append(line, write(t, x.from, name, content))
		names = append(names, name)
		printed[fmt.Sprintf("%s: passed, %d bytes", name, len(content))] = true
	}
	r := x.send(t, line...)
	require.Equal(t, 0, r.code, r.said)
	require.Empty(t, r.said)
	for line := range strings.Lines(r.out) {
		require.True(t, printed[strings.TrimSuffix(line, "\n")], line)
		delete(printed, strings.TrimSuffix(line, "\n"))
	}
	require.Empty(t, printed)
	require.Contains(t, x.receiver.rest(), filepath.Join(x.to, "plain.txt")+": 4 bytes\n")
	x.receiver.ends(0)
	requireFiles(t, x.to, names...)
	for name, content := range contents {
		requireFile(t, content, filepath.Join(x.to, name))
	}
	requireNothingLeft(t, x.name)
}

func TestFilesKeepTheirModes(t *testing.T) {
	leakcheck.Start(t)
	if runtime.GOOS == "windows" {
		facility.Missing(t, "modes of files")
	}
	x := newTransfer(t)
	line := []string{}
	for _, mode := range []os.FileMode{0o400, 0o600, 0o750} {
		path := write(t, x.from, fmt.Sprintf("%o", mode), "")
		require.NoError(t, os.Chmod(path, mode|os.ModeSetuid))
		line = append(line, path)
	}
	require.Equal(t, 0, x.send(t, line...).code)
	x.receiver.ends(0)
	for _, mode := range []os.FileMode{0o400, 0o600, 0o750} {
		info, err := os.Stat(filepath.Join(x.to, fmt.Sprintf("%o", mode)))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
	}
}

func TestLargeFileArrives(t *testing.T) {
	leakcheck.Start(t)
	var size int64 = 200 << 20
	if slower() {
		size = 20 << 20
	}
	x := newTransfer(t, "-progress")
	path := filepath.Join(x.from, "large")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	want := pour(f, size)
	r := x.send(t, path, "-progress")
	require.Equal(t, 0, r.code, r.said)
	require.Equal(t, fmt.Sprintf("large: passed, %d bytes\n", size), r.out)
	x.receiver.ends(0)
	for _, bar := range []string{r.said, x.receiver.said.String()} {
		require.Regexp(t, `^\rlarge  \[-{30}\]   0 %  0 B of \d+\.0 MiB  0 B/s`, bar)
		require.Regexp(t, `\r +\r$`, bar, "it is taken away")
	}
	copied, err := os.Open(filepath.Join(x.to, "large"))
	require.NoError(t, err)
	defer copied.Close()
	got := sha256.New()
	_, err = io.Copy(got, copied)
	require.NoError(t, err)
	require.Equal(t, want[:], got.Sum(nil))
}

func TestExistingFilesAreReplacedByForceAlone(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	write(t, x.to, "there", "old")
	write(t, x.to, "other.part", "half")
	there, free := write(t, x.from, "there", "new"), write(t, x.from, "free", "free")
	r := x.send(t, there, write(t, x.from, "other", ""), free)
	require.Equal(t, 1, r.code)
	require.Equal(t, "free: passed, 4 bytes\n", r.out)
	require.Contains(t, r.said, there+": the receiver says: file already exists: -force replaces it\n")
	require.Contains(t, r.said, "other.part")
	require.Contains(t, r.said, "lipc: not all files were passed\n")
	x.receiver.ends(1)
	require.Contains(t, x.receiver.said.String(), `lipc: "there": file already exists: -force replaces it`)
	require.Contains(t, x.receiver.said.String(), "lipc: not all files were received\n")
	requireFile(t, "old", filepath.Join(x.to, "there"))
	requireFile(t, "half", filepath.Join(x.to, "other.part"))
	requireFiles(t, x.to, "there", "free", "other.part")

	x.receiver = begin(t, "receive-files", x.name, "-dir", x.to, "-force")
	require.Equal(t, 0, x.send(t, there).code)
	x.receiver.ends(0)
	requireFile(t, "new", filepath.Join(x.to, "there"))
}

func TestFileThatCannotBeOpenedIsToldAndTheOthersArePassed(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	missing := filepath.Join(x.from, "missing")
	r := x.send(t, missing, x.from, write(t, x.from, "there", "x"))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.said, missing)
	require.Contains(t, r.said, x.from+" is a folder: files alone are passed\n")
	require.Equal(t, "there: passed, 1 bytes\n", r.out)
	x.receiver.ends(0)
	requireFiles(t, x.to, "there")
}

func TestQuietPrintsErrorsAlone(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-quiet", "-progress")
	r := x.send(t, write(t, x.from, "file", "x"), "-quiet", "-progress")
	require.Equal(t, result{}, r)
	require.Empty(t, x.receiver.rest())
	x.receiver.ends(0)
	require.Empty(t, x.receiver.said.String())
}

func TestStandardInputIsPassedUnderAName(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t)
	content := strings.Repeat("0123456789", 100_000)
	r := runCommand(t, content, "send-files", x.name, soon, "-as", "folder.tar", "-")
	require.Equal(t, result{0, "folder.tar: passed, 1000000 bytes\n", ""}, r)
	x.receiver.ends(0)
	requireFile(t, content, filepath.Join(x.to, "folder.tar"))

	x = newTransfer(t)
	path := write(t, x.from, "file", "0123456789") // from where it stands
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Seek(4, io.SeekStart)
	require.NoError(t, err)
	r = runWith(t, "", withInput(f), "send-files", x.name, soon, "-")
	require.Equal(t, result{0, "stdin: passed, 6 bytes\n", ""}, r)
	x.receiver.ends(0)
	requireFile(t, "456789", filepath.Join(x.to, "stdin"))
}

func TestProgramGetsEachFileAsItsInput(t *testing.T) {
	leakcheck.Start(t)
	name, from := newName(t), folder(t)
	receiver := begin(t, words("receive-files", name, "--", self(t, "program:sum"))...)
	r := runCommand(t, "", "send-files", name, soon, write(t, from, "abc", "abc"), write(t, from, "an empty one", ""))
	require.Equal(t, result{0, "abc: passed\nan empty one: passed\n", ""}, r)
	receiver.expect("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  3  abc")
	receiver.expect("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  0  an empty one")
	receiver.ends(0)
}

func TestFailureOfTheReceivingProgramIsToldToBothSides(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	receiver := begin(t, words("receive-files", name, "--", self(t, "program:exit", "7"))...)
	path := write(t, folder(t), "file", "")
	r := runCommand(t, "", "send-files", name, soon, path)
	require.Equal(t, 1, r.code)
	require.Contains(t, r.said, "program:exit 7: exit status 7\n")
	receiver.ends(1)
	require.Contains(t, receiver.said.String(), "program:exit 7: exit status 7\n")
}

func TestReceiverTakesOneSenderAfterAnotherAndLeaksNothing(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-keep", "-force", "-quiet")
	path := write(t, x.from, "file", "x")
	count := 300
	if slower() {
		count = 30
	}
	held := 0
	for i := range count {
		require.NoError(t, x.sendFromHere(t, path))
		if i == 10 {
			held = descriptors(t, x.receiver)
		}
	}
	require.Eventually(t, func() bool { return descriptors(t, x.receiver) <= held }, patience, tick)
	requireFile(t, "x", filepath.Join(x.to, "file"))
	if interrupts {
		x.receiver.interrupt()
		x.receiver.ends(0)
	}
	require.Empty(t, x.receiver.said.String())
}

// sendFromHere is send-files in this process, whose connection ends as that of one that crashed.
func (x transfer) sendFromHere(t *testing.T, path string) error {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	c := dial(t, x.name)
	defer c.Close()
	o, err := newOffer(f, filepath.Base(path))
	require.NoError(t, err)
	_, err = newOutbox(c).send(o, f, func(int64) {})
	return err
}

func TestPeerThatReceivesNoFilesIsTold(t *testing.T) {
	leakcheck.Start(t)
	path := write(t, folder(t), "file", "")
	for _, answer := range []string{"", "garbage\n", "[1,2]\n", `{"received":"x"}`} {
		name := newName(t)
		l := listenHere(t, name)
		sender := begin(t, "send-files", name, path, path)
		c := accept(t, l)
		_, err := io.WriteString(c, answer)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		sender.ends(1)
		require.Equal(t, fmt.Sprintf("lipc: %s: %v\n", path, errNoReceiver), sender.said.String())
	}
}

func TestWordsOfAForgedReceiverAreQuoted(t *testing.T) {
	leakcheck.Start(t)
	name, path := newName(t), write(t, folder(t), "file", "")
	l := listenHere(t, name)
	sender := begin(t, "send-files", name, path)
	_, err := io.WriteString(accept(t, l), "{\"error\":\"\\u001b[2Jowned\"}\n")
	require.NoError(t, err)
	sender.ends(1)
	require.Contains(t, sender.said.String(), path+`: the receiver says: "\x1b[2Jowned"`+"\n")
}
