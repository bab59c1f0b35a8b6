package winio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/Microsoft/go-winio"
	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"golang.org/x/sys/windows"
)

// patience is how long something may take that comes at once.
const patience = 20 * time.Second

// A half is a connection one of whose directions can end before the other.
type half interface {
	net.Conn
	CloseWrite() error
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// onWine reports whether this is Wine.
var onWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil

// each runs a test on connections between the two packages, with the server of one and of the other.
func each(t *testing.T, test func(t *testing.T, theirs, ours half)) {
	t.Run("client of go-winio", func(t *testing.T) {
		path := pathFor(t)
		l, err := (&ipc.ListenConfig{HalfClose: true}).Listen(t.Context(), ipc.Path(path))
		must(t, err)
		defer l.Close()
		wait := patience
		theirs, err := winio.DialPipe(path, &wait)
		must(t, err)
		ours, err := l.AcceptConn(t.Context())
		must(t, err)
		testOn(t, test, theirs, ours)
	})
	t.Run("server of go-winio", func(t *testing.T) {
		path := pathFor(t)
		l, err := winio.ListenPipe(path, &winio.PipeConfig{MessageMode: true})
		must(t, err)
		defer l.Close()
		if onWine { // where the first client gets the instance that go-winio only holds the name with
			first, err := ipc.Dial(t.Context(), ipc.Path(path))
			must(t, err)
			defer first.Close()
		}
		accepted := make(chan net.Conn, 1)
		go func() {
			c, _ := l.Accept()
			accepted <- c
		}()
		ours, err := (&ipc.Dialer{HalfClose: true}).Dial(t.Context(), ipc.Path(path))
		must(t, err)
		testOn(t, test, <-accepted, ours)
	})
}

var pathNumber int

func pathFor(t *testing.T) string {
	pathNumber++
	return fmt.Sprintf(`\\.\pipe\lipc-winio-%d-%d`, os.Getpid(), pathNumber)
}

func testOn(t *testing.T, test func(t *testing.T, theirs, ours half), theirs net.Conn, ours half) {
	for _, c := range []net.Conn{theirs, ours} {
		t.Cleanup(func() { c.Close() })
		must(t, c.SetDeadline(time.Now().Add(patience)))
	}
	test(t, theirs.(half), ours)
}

// send writes pieces, and ends the direction.
func send(c half, pieces ...[]byte) <-chan error {
	sent := make(chan error, 1)
	go func() {
		for _, piece := range pieces {
			if _, err := c.Write(piece); err != nil {
				sent <- err
				return
			}
		}
		sent <- c.CloseWrite()
	}()
	return sent
}

func requireAll(t *testing.T, from io.Reader, want string) {
	t.Helper()
	got, err := io.ReadAll(from)
	must(t, err)
	if string(got) != want {
		t.Fatalf("%d bytes came, not the %d that were sent", len(got), len(want))
	}
	if n, err := from.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("after the end: %d, %v", n, err)
	}
}

func TestOneHalfEndsAndTheOtherGoesOn(t *testing.T) {
	for _, begins := range []string{"ipc", "go-winio"} {
		each(t, func(t *testing.T, theirs, ours half) {
			a, b := ours, theirs
			if begins == "go-winio" {
				a, b = theirs, ours
			}
			sent := send(a, []byte("quest"), nil, []byte("ion"))
			requireAll(t, b, "question")
			must(t, <-sent)
			sent = send(b, []byte("ans"), nil, []byte("wer"))
			requireAll(t, a, "answer")
			must(t, <-sent)
			if _, err := ours.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
		})
	}
}

func TestEndComesToAReaderThatWaits(t *testing.T) {
	each(t, func(t *testing.T, theirs, ours half) {
		for _, ends := range [][2]half{{ours, theirs}, {theirs, ours}} {
			read := make(chan error)
			go func() {
				_, err := ends[1].Read(make([]byte, 1))
				read <- err
			}()
			must(t, ends[0].CloseWrite())
			if err := <-read; err != io.EOF {
				t.Fatal(err)
			}
		}
	})
}

func TestMuchIsEchoedUpToTheEnd(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	for _, echoes := range []string{"ipc", "go-winio"} {
		each(t, func(t *testing.T, theirs, ours half) {
			a, b := theirs, ours
			if echoes == "go-winio" {
				a, b = ours, theirs
			}
			echoed := make(chan error, 1)
			go func() {
				_, err := io.Copy(b, b)
				echoed <- errors.Join(err, b.CloseWrite())
			}()
			sent := send(a, data[:10], data[10:])
			requireAll(t, a, string(data))
			must(t, <-sent, <-echoed)
		})
	}
}

func TestPipeInByteModeHasNoHalves(t *testing.T) {
	if onWine { // of version 8
		facility.Missing(t, "FILE_PIPE_REJECT_REMOTE_CLIENTS for pipes of bytes, NtCreateNamedPipeFile()")
	}
	path := pathFor(t)
	l, err := winio.ListenPipe(path, &winio.PipeConfig{})
	must(t, err)
	defer l.Close()
	go l.Accept() // until the listener is closed; the client leaves at once
	_, err = (&ipc.Dialer{HalfClose: true}).Dial(t.Context(), ipc.Path(path))
	if !errors.Is(err, syscall.EPROTOTYPE) {
		t.Fatal(err)
	}
}
