//go:build unix

package tests

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestPipesArePassedToAProcessByName(t *testing.T) {
	leakcheck.Start(t)
	theirR, ourW := newPipe(t, new(ipc.PipeConfig))
	ourR, theirW := newPipe(t, new(ipc.PipeConfig))
	plainR, plainW := newPipe(t, new(ipc.PipeConfig))
	var cmd *exec.Cmd
	p := startWith(t, func(c *exec.Cmd) {
		cmd = c
		require.NoError(t, theirR.PassTo(c, "originals"))
		require.NoError(t, theirW.PassTo(c, "copies"))
		require.NoError(t, plainR.PassTo(c, "PLAIN"))
		_, flags := statusFlags(t, plainR)
		require.Zero(t, flags&syscall.O_NONBLOCK, "programs expect it so")
		for _, name := range []string{"", "a=b", "a\x00b"} {
			err := plainR.PassTo(c, name)
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, fmt.Sprintf("pass ipc: %q cannot be the name of a pipe", name))
		}
	}, "pipes")
	require.Len(t, cmd.ExtraFiles, 3)
	require.Contains(t, cmd.Env, "IPC_PIPE_PLAIN=5")
	for _, end := range []io.Closer{theirR, theirW, plainR} { // they are the child's now
		require.NoError(t, end.Close())
	}
	for _, end := range []syscall.Conn{ourR, ourW, plainW} {
		_, flags := statusFlags(t, end)
		require.NotZero(t, flags&syscall.O_NONBLOCK, "ours are as they were")
	}
	p.order("environment")
	p.expect("3")
	for _, order := range []struct{ order, answer string }{
		{"reader absent", "absent"},
		{"writer absent", "absent"},
		{"reader copies", `inherit ipc: pipe "copies", descriptor "4": it is the other end of a pipe`},
		{"writer copies", "taken"},
		{"writer copies", "absent"},
		{"reader copies", "absent"},
	} {
		p.order("%s", order.order)
		p.expect(order.answer)
	}
	_, err := plainW.Write([]byte("plain"))
	require.NoError(t, err)
	p.order("plain read 5")
	p.expect(`"plain"`)
	require.NoError(t, plainW.Close())
	p.order("plain read 5") // it was the last one
	p.expect(`""`)
	p.end()

	_, err = ourR.Read(make([]byte, 1)) // and so was the child
	require.Equal(t, io.EOF, err)
	_, err = ourW.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
}

func TestVariableThatNamesNoPipeIsAnErrorThatSaysSo(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	a, _ := pair(t)
	file := numbered(t, 1)[0]
	reader, _ := statusFlags(t, r)
	writer, _ := statusFlags(t, w)
	socket, _ := statusFlags(t, a)
	for value, want := range map[string]string{
		"":                                "not the number of a descriptor",
		"garbage":                         "not the number of a descriptor",
		"-1":                              "not the number of a descriptor",
		"3 ":                              "not the number of a descriptor",
		"99999999999":                     "not the number of a descriptor",
		"2000":                            "bad file descriptor",
		fmt.Sprint(writer):                "the other end of a pipe",
		fmt.Sprint(socket):                "it is no pipe",
		fmt.Sprint(descriptorOf(t, file)): "it is no pipe",
	} {
		t.Setenv("IPC_PIPE_x", value)
		_, err := ipc.InheritedPipeReader("x")
		require.ErrorContains(t, err, fmt.Sprintf("inherit ipc: pipe \"x\", descriptor %q: ", value))
		require.ErrorContains(t, err, want)
		if want != "bad file descriptor" {
			require.ErrorIs(t, err, syscall.EINVAL)
		}
	}
	t.Setenv("IPC_PIPE_x", fmt.Sprint(reader))
	_, err := ipc.InheritedPipeWriter("x")
	require.ErrorContains(t, err, "the other end of a pipe")
	for _, name := range []string{"", "a=b", "a\x00b"} {
		_, err = ipc.InheritedPipeReader(name)
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = ipc.InheritedPipeWriter(name)
		require.ErrorContains(t, err, fmt.Sprintf("%q cannot be the name of a pipe", name))
	}
	_, err = w.Write([]byte("still open"))
	require.NoError(t, err)
	_, err = a.Write([]byte("this, too"))
	require.NoError(t, err)
}

func TestEveryChildInheritsAnEndThatIsForThem(t *testing.T) {
	leakcheck.Start(t)
	for what, pc := range map[string]ipc.PipeConfig{"reader": {InheritReader: true}, "writer": {InheritWriter: true}} {
		r, w := newPipe(t, &pc)
		readFD, readFlags := statusFlags(t, r)
		writeFD, writeFlags := statusFlags(t, w)
		require.Equal(t, pc.InheritReader, readFlags&syscall.O_NONBLOCK == 0, what)
		require.Equal(t, pc.InheritWriter, writeFlags&syscall.O_NONBLOCK == 0, what)
		for range 2 {
			p := start(t, "pipes")
			if pc.InheritReader {
				requireCloseOnExec(t, w)
				_, err := w.Write([]byte("to a child"))
				require.NoError(t, err)
				p.order("plain read %d", readFD)
				p.expect(`"to a child"`)
				require.ErrorIs(t, r.SetDeadline(time.Now()), os.ErrNoDeadline)
				require.NoError(t, w.SetDeadline(time.Now().Add(time.Hour)))
			} else {
				requireCloseOnExec(t, r)
				p.order("plain write %d from a child", writeFD)
				p.expect("written")
				b := make([]byte, 100)
				n, err := r.Read(b)
				require.NoError(t, err)
				require.Equal(t, "from a child", string(b[:n]))
				require.ErrorIs(t, w.SetDeadline(time.Now()), os.ErrNoDeadline)
				require.NoError(t, r.SetDeadline(time.Now().Add(time.Hour)))
			}
			p.end()
		}
		command := fmt.Sprintf("echo from sh >/dev/fd/%d", writeFD)
		if pc.InheritReader {
			command = fmt.Sprintf("cat /dev/fd/%d", readFD)
		}
		cmd := exec.Command("sh", "-c", command)
		var output bytes.Buffer
		cmd.Stdout = &output
		require.NoError(t, cmd.Start())
		if pc.InheritReader {
			_, err := w.Write([]byte("to sh"))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.NoError(t, cmd.Wait())
			require.Equal(t, "to sh", output.String())
		} else {
			require.NoError(t, w.Close())
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, "from sh\n", string(got))
			require.NoError(t, cmd.Wait())
		}
	}

}
