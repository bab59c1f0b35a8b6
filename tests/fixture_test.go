package tests

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestEveryTestChecksForLeaks(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" || f.Name.Name == t.Name() {
				continue
			}
			statement, _ := f.Body.List[0].(*ast.ExprStmt)
			require.NotNil(t, statement, "%s must begin with leakcheck.Start(t)", f.Name.Name)
			call, _ := statement.X.(*ast.CallExpr)
			require.NotNil(t, call, "%s must begin with leakcheck.Start(t)", f.Name.Name)
			selector, _ := call.Fun.(*ast.SelectorExpr)
			require.True(t, selector != nil && selector.Sel.Name == "Start",
				"%s must begin with leakcheck.Start(t)", f.Name.Name)
		}
	}
}

// newNamespaced returns a namespaced name that nobody else uses.
func newNamespaced(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Namespaced(fmt.Sprintf("lipc-%d-%d", os.Getpid(), time.Now().UnixNano()))
}

// newUserName returns a user's name that nobody else uses.
func newUserName(t *testing.T) ipc.Name {
	t.Helper()
	privateRuntimeDirectory(t)
	return ipc.UserName(fmt.Sprintf("lipc-%d-%d", os.Getpid(), time.Now().UnixNano()))
}

// nameOf returns the name in an address.
func nameOf(t *testing.T, addr net.Addr) ipc.Name {
	t.Helper()
	name, known := ipc.NameOf(addr)
	require.True(t, known)
	return name
}

// listen returns a listener, which is closed when the test ends.
func listen(t *testing.T, name ipc.Name) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// dial returns a connection, which is closed when the test ends.
func dial(t *testing.T, name ipc.Name) *ipc.Conn {
	t.Helper()
	c, err := ipc.Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// accept accepts a connection, which is closed when the test ends.
func accept[C io.Closer](t *testing.T, l interface {
	AcceptConn(context.Context) (C, error)
}) C {
	t.Helper()
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// pair returns two connected ends, which are closed when the test ends.
func pair(t *testing.T) (a, b *ipc.Conn) {
	t.Helper()
	a, b, err := ipc.Pair()
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// closes closes these when the test ends.
func closes(t *testing.T, all ...io.Closer) {
	for _, one := range all {
		t.Cleanup(func() { one.Close() })
	}
}

// requireNoAllocations requires operations to succeed, and to allocate nothing.
func requireNoAllocations(t *testing.T, operations map[string]func() error) {
	t.Helper()
	for name, operation := range operations {
		require.NoError(t, operation(), name)
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if err := operation(); err != nil {
				t.Fatal(err)
			}
		}), name)
	}
}

// How long, and how often, a test looks for a state that nothing announces.
const (
	patience = 30 * time.Second
	tick     = time.Millisecond
)

// tellsSizes reports whether the system reports the size of the next message.
const tellsSizes = onLinux || runtime.GOOS == "windows"

// onLinux reports whether the tests of what only Linux has can run.
const onLinux = runtime.GOOS == "linux"

// waitsIn waits until a goroutine is in a method of the package's endpoints, in one of those states.
func waitsIn(t *testing.T, method string, states ...string) {
	t.Helper()
	if states == nil {
		states = []string{"IO wait", "sleep", "select", "chan receive", "sync.Cond.Wait", "semacquire"}
	}
	inMethod := regexp.MustCompile(`internal/poll\.\(\*(Endpoint|direction)\)\.(?i:` + method + `)\(`)
	require.Eventually(t, func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			state, _, _ := strings.Cut(stack, "\n")
			for _, waiting := range states {
				if strings.Contains(state, "["+waiting) && inMethod.MatchString(stack) {
					return true
				}
			}
		}
		return false
	}, patience, tick)
}

// requireByteArrives writes a byte to one end, and requires that the other reads it.
func requireByteArrives(t *testing.T, from io.Writer, to io.Reader) {
	t.Helper()
	_, err := from.Write([]byte("x"))
	require.NoError(t, err)
	_, err = to.Read(make([]byte, 1))
	require.NoError(t, err)
}

// requireErrors requires that all errors match one, and name the operation that their key has before a colon.
func requireErrors(t *testing.T, want error, errs map[string]error) {
	t.Helper()
	for what, err := range errs {
		require.ErrorIs(t, err, want, what)
		operation, _, _ := strings.Cut(what, ":")
		require.ErrorContains(t, err, operation+" ipc", what)
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// numbered returns open files, each of which holds its number. They are closed when the test ends.
func numbered(t *testing.T, count int) []*os.File {
	t.Helper()
	dir := leakcheck.Dir(t)
	files := make([]*os.File, count)
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(path, fmt.Append(nil, i), 0o600))
		var err error
		files[i], err = os.Open(path)
		require.NoError(t, err)
	}
	t.Cleanup(func() { closeAll(files) })
	return files
}

func second[T any](_ T, err error) error { return err }
