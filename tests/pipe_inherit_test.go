package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// pipesChild answers "reader NAME" and "writer NAME" with the result of taking the end of a pipe; "copy" with "copied",
// after it has copied from the reader to the writer until the end; "plain read FD" with what it reads, and "plain write
// FD TEXT" with "written", both without the library; and "environment" with how many variables are about pipes.
func pipesChild(_ []string, orders *bufio.Scanner) error {
	var r *ipc.PipeReader
	var w *ipc.PipeWriter
	took := func(err error) {
		switch {
		case err == nil:
			fmt.Println("taken")
		case errors.Is(err, fs.ErrNotExist):
			fmt.Println("absent")
		default:
			fmt.Println(err)
		}
	}
	for orders.Scan() {
		words := strings.SplitN(orders.Text(), " ", 4)
		var err error
		switch words[0] {
		case "reader":
			var taken *ipc.PipeReader
			if taken, err = ipc.InheritedPipeReader(words[1]); err == nil {
				r = taken
				defer r.Close()
			}
			took(err)
		case "writer":
			var taken *ipc.PipeWriter
			if taken, err = ipc.InheritedPipeWriter(words[1]); err == nil {
				w = taken
				defer w.Close()
			}
			took(err)
		case "copy":
			if _, err := io.Copy(w, r); err != nil {
				return err
			}
			if err := r.SetDeadline(time.Now().Add(time.Hour)); err != nil { // it is as good as any other
				return err
			}
			fmt.Println("copied")
			w.Close()
		case "plain":
			fd, err := strconv.ParseUint(words[2], 0, 64)
			if err != nil {
				return err
			}
			if words[1] == "write" {
				if _, err := plainWrite(fd, []byte(words[3])); err != nil {
					return err
				}
				fmt.Println("written")
				continue
			}
			b := make([]byte, 100)
			n, err := plainRead(fd, b)
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", b[:n])
		case "environment":
			count := 0
			for _, variable := range os.Environ() {
				if strings.HasPrefix(variable, "IPC_PIPE_") {
					count++
				}
			}
			fmt.Println(count)
		}
	}
	return nil
}

func TestPipesThatWerePassedCarryBothWays(t *testing.T) {
	leakcheck.Start(t)
	theirR, ourW := newPipe(t, new(ipc.PipeConfig))
	ourR, theirW := newPipe(t, new(ipc.PipeConfig))
	p := startWith(t, func(c *exec.Cmd) {
		require.NoError(t, theirR.PassTo(c, "in"))
		require.NoError(t, theirW.PassTo(c, "out"))
	}, "pipes")
	require.NoError(t, theirR.Close())
	require.NoError(t, theirW.Close())
	p.order("reader in")
	p.expect("taken")
	p.order("writer out")
	p.expect("taken")
	p.order("environment")
	p.expect("0")
	p.order("copy")
	sent := random(3 << 20)
	ended := make(chan error)
	go func() {
		_, err := ourW.Write(sent)
		ended <- errors.Join(err, ourW.Close())
	}()
	got, err := io.ReadAll(ourR)
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.True(t, bytes.Equal(sent, got))
	p.expect("copied")
}

func TestEndThatIsForChildrenIsNotUsedHere(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 1)
	for _, pass := range []bool{false, true} {
		r, w := newPipe(t, &ipc.PipeConfig{InheritReader: !pass, InheritWriter: !pass})
		if pass {
			cmd := exec.Command("x")
			require.NoError(t, r.PassTo(cmd, "r"))
			require.NoError(t, w.PassTo(cmd, "w"))
			err := w.PassTo(cmd, "r")
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, "IPC_PIPE_r is set already")
		}
		_, err := r.Read(b)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, "for child processes")
		_, err = r.ReadBuffers([][]byte{b})
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = w.Write(b)
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = w.WriteBuffers([][]byte{b})
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorIs(t, r.SetDeadline(time.Now()), os.ErrNoDeadline)
		require.ErrorIs(t, w.SetWriteDeadline(time.Now()), os.ErrNoDeadline)
		require.NoError(t, r.Close())
		require.NoError(t, w.Close())
		_, err = r.Read(b)
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

func TestFileOfAPipeEndOutlivesIt(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	var started *exec.Cmd
	start := startWith(t, func(cmd *exec.Cmd) { started = cmd }, "dial and read")
	err := w.PassTo(started, "late")
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "started already")
	start.end()
	f, err := w.File()
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, w.Close())
	_, err = fmt.Fprint(f, "from the file")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "from the file", string(got))
}
