//go:build unix

package tests

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestFilesThatComeWithCopiedBytesAreClosed(t *testing.T) {
	leakcheck.Start(t)
	content := random(200_000)
	for what, to := range map[string]func(to, from *ipc.Conn) (int64, error){
		"connection": func(to, from *ipc.Conn) (int64, error) { return io.Copy(to, from) },
		"other":      func(to, from *ipc.Conn) (int64, error) { return io.Copy(onlyWriter{to}, from) },
	} {
		a, b := pair(t)
		c, d := pair(t)
		watch, file := watched(t)
		got := gather(d, 1<<20)
		before := descriptors()
		ended := make(chan error, 1)
		go func() {
			for _, part := range [][]byte{content[:1], content[1:100_000], content[100_000:]} { // by pipe in the end
				if _, err := a.SendFiles(part, file, file, file); err != nil {
					ended <- err
					return
				}
			}
			file.Close()
			ended <- a.Close()
		}()
		n, err := to(c, b)
		require.NoError(t, err, what)
		require.NoError(t, <-ended)
		require.EqualValues(t, len(content), n)
		requireClosedEverywhere(t, watch)
		require.LessOrEqual(t, descriptors(), before, what)
		require.NoError(t, c.Close())
		requireSame(t, content, <-got, what)
	}
}

func TestRelayDoesWithoutDescriptorsForAPipe(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	c, d := pair(t)
	content := random(5 << 20)
	got := gather(d, 1<<20)
	go func() {
		a.Write(content)
		a.Close()
	}()
	u := useUpDescriptors(t)
	n, err := io.Copy(c, b)
	release(u)
	require.NoError(t, err)
	require.EqualValues(t, len(content), n)
	require.NoError(t, c.Close())
	requireSame(t, content, <-got)
}

func TestRelayLeavesNoPipeBehind(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	c, d := pair(t)
	before := descriptors()
	gather(d, 1<<20)
	go a.Write(make([]byte, 8<<20))
	n, err := io.Copy(c, io.LimitReader(b, 4<<20))
	require.NoError(t, err)
	require.EqualValues(t, 4<<20, n)
	require.Equal(t, before, descriptors())
	require.NoError(t, c.SetWriteDeadline(time.Now()))
	_, err = io.Copy(c, b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Equal(t, before, descriptors())
	a.Close()
}

func TestCopiesToFilesThatWaitAfterMuchTakeLittleMemory(t *testing.T) {
	leakcheck.Start(t)
	const count, much = 200, 300_000
	before := memory()
	sources, moved := copiesToAFile(t, count)
	content := make([]byte, much)
	for _, source := range sources {
		_, err := source.Write(content)
		require.NoError(t, err)
	}
	moved(much)
	require.Less(t, memory()-before, int64(count*64<<10))
}

func TestFilesWhoseSizeNobodyKnowsAreCopied(t *testing.T) {
	leakcheck.Start(t)
	if !onLinux {
		facility.Missing(t, "files of proc(5), whose size is reported as 0")
	}
	for _, path := range []string{"/proc/self/maps", "/proc/version", "/proc/self/cmdline", "/sys/kernel/notes"} {
		wanted, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		a, b := pair(t)
		f, err := os.Open(path)
		require.NoError(t, err)
		n, err := io.Copy(a, f)
		require.NoError(t, err, path)
		require.NoError(t, f.Close())
		require.NoError(t, a.Close())
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.EqualValues(t, len(got), n, path)
		if path != "/proc/self/maps" { // which changes
			require.Equal(t, string(wanted), string(got), path)
		}
		require.NotEmpty(t, got, path)
	}
}

func TestPipesAndDevicesAreCopied(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	zero, err := os.Open("/dev/zero")
	require.NoError(t, err)
	defer zero.Close()
	n, err := io.Copy(a, io.LimitReader(zero, 5000))
	require.NoError(t, err)
	require.EqualValues(t, 5000, n)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	_, err = w.Write([]byte("through a pipe"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = io.Copy(a, r)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, string(make([]byte, 5000))+"through a pipe", string(got))
}
