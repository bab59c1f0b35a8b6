//go:build unix

package tests

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// policiesChild answers "UID" with the ready-made policies that admit this user.
func policiesChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		var uid int
		if _, err := fmt.Sscan(orders.Text(), &uid); err != nil {
			return err
		}
		c := ipc.Credentials{PID: 1, UID: uid, GID: uid}
		admitted := []string{}
		for _, p := range []struct {
			name  string
			admit ipc.PeerPolicy
		}{
			{"SameUser", ipc.SameUser}, {"SameUserOrAdmin", ipc.SameUserOrAdmin}, {"Admin", ipc.Admin},
			{"AnyOf", ipc.AnyOf(1000, 1001)},
		} {
			if p.admit(c) == nil {
				admitted = append(admitted, p.name)
			}
		}
		fmt.Println(admitted)
	}
	return nil
}

func TestReadyMadePoliciesAdmitWhomTheySay(t *testing.T) {
	leakcheck.Start(t)
	root := start(t, "policies")
	nobody := startAs(t, anotherUser(t), "policies")
	for _, c := range []struct {
		uid                 int64
		byRoot, byUser65534 string
	}{
		{0, "[SameUser SameUserOrAdmin Admin]", "[SameUserOrAdmin Admin]"},
		{65534, "[]", "[SameUser SameUserOrAdmin]"},
		{1000, "[AnyOf]", "[AnyOf]"},
		{1001, "[AnyOf]", "[AnyOf]"},
		{1002, "[]", "[]"},
		{-1, "[]", "[]"},
	} {
		root.order("%d", c.uid)
		root.expect(c.byRoot)
		nobody.order("%d", c.uid)
		nobody.expect(c.byUser65534)
	}
}

func TestErrorOfAReadyMadePolicySaysWhoWasWanted(t *testing.T) {
	leakcheck.Start(t)
	own := os.Geteuid()
	stranger := ipc.Credentials{PID: 1, UID: own + 1, GID: 1}
	for text, policy := range map[string]ipc.PeerPolicy{
		fmt.Sprintf("expected user %d: permission denied", own):         ipc.SameUser,
		fmt.Sprintf("expected user %d or root: permission denied", own): ipc.SameUserOrAdmin,
		"expected root: permission denied":                              ipc.Admin,
		"expected nobody: permission denied":                            ipc.AnyOf(),
		"expected user -1 or 1000: permission denied":                   ipc.AnyOf(-1, 1000),
	} {
		err := policy(stranger)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.EqualError(t, err, text)
	}
}

func TestAnyOfTakesNoIDForAnother(t *testing.T) {
	leakcheck.Start(t)
	uids, others := []int{7, -1, math.MinInt}, []int{6, -1, 0, math.MinInt}
	if beyond := int64(1) << 32; int64(int(beyond)) == beyond { // these are ints, but no IDs
		uids = append(uids, int(beyond-1), int(beyond+8), int(9-beyond))
		others = append(others, int(beyond-1), int(beyond+8), int(9-beyond), int(beyond+7), 8, 9)
	}
	policy := ipc.AnyOf(uids...)
	uids[0] = 6
	require.NoError(t, policy(ipc.Credentials{UID: 7}), "the list is that of the call")
	for _, uid := range others {
		require.ErrorIs(t, policy(ipc.Credentials{UID: uid}), fs.ErrPermission, uid)
	}
}

// openPath returns a name in a directory that other users can enter, but not write to.
func openPath(t *testing.T) ipc.Name {
	t.Helper()
	name := newPath(t)
	require.NoError(t, os.Chmod(filepath.Dir(name.String()), 0o755))
	return name
}

func TestClientOfAnotherUserIsRefusedAndNamed(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	stranger := startAs(t, user, "dial and read")
	for _, name := range []ipc.Name{openPath(t), newNamespaced(t)} {
		if name.Type() == ipc.NamespacedNames && !abstract() {
			continue // the directory keeps others out
		}
		refusals := make(chan refusal, 1)
		lc := ipc.ListenConfig{Mode: 0o666, Client: ipc.SameUser,
			Refused: func(c ipc.Credentials, err error) { refusals <- refusal{c, err} }}
		l, err := lc.Listen(t.Context(), name)
		require.NoError(t, err)
		go greet(func() (io.WriteCloser, error) { return l.Accept() })
		stranger.order("%s", name)
		stranger.expect("EOF")
		told := <-refusals
		require.Equal(t, stranger.cmd.Process.Pid, told.found.PID)
		require.Equal(t, int(user.Uid), told.found.UID)
		require.ErrorIs(t, told.err, fs.ErrPermission)
		require.EqualError(t, told.err, fmt.Sprintf("the client is process %d of user %d, group %d: expected user %d: "+
			"permission denied", stranger.cmd.Process.Pid, user.Uid, user.Gid, os.Geteuid()))
		require.Equal(t, "data", dialAndRead(name))
		require.NoError(t, l.Close())

		lc.Client = ipc.AnyOf(int(user.Uid)) // and not this process's user
		l, err = lc.Listen(t.Context(), name)
		require.NoError(t, err)
		go greet(func() (io.WriteCloser, error) { return l.Accept() })
		stranger.order("%s", name)
		stranger.expect("data")
		require.Equal(t, "EOF", dialAndRead(name))
		require.ErrorContains(t, (<-refusals).err, fmt.Sprintf("expected user %d:", user.Uid))
		require.NoError(t, l.Close())
	}
}

func TestAdoptedListenerAsksItsPolicy(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	f, err := listen(t, name).File()
	require.NoError(t, err)
	defer f.Close()
	r := newRefuser(1)
	l, err := r.config.FileListener(f)
	require.NoError(t, err)
	defer l.Close()
	go greet(func() (io.WriteCloser, error) { return l.Accept() })
	r.requireRefusedThenServed(t, func() (io.ReadWriteCloser, error) { return ipc.Dial(t.Context(), name) })
}

func TestAdoptedListenerForMessagesAsksItsPolicy(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	name := newPath(t)
	original, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer original.Close()
	f, err := original.File()
	require.NoError(t, err)
	defer f.Close()
	r := newRefuser(1)
	l, err := r.config.FileMessageListener(f)
	require.NoError(t, err)
	defer l.Close()
	go greet(func() (io.WriteCloser, error) {
		c, err := l.AcceptConn(context.Background())
		return messageStream{c}, err
	})
	r.requireRefusedThenServed(t, func() (io.ReadWriteCloser, error) {
		c, err := ipc.DialMessage(t.Context(), name)
		return messageStream{c}, err
	})
}

func TestListenerFromAServiceManagerAsksItsPolicy(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	f, err := listen(t, name).File()
	require.NoError(t, err)
	p := startActivated(t, []*os.File{f}, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	require.NoError(t, f.Close())
	p.order("admit nobody")
	p.order("activate")
	p.expect(`1 stream listeners "web"`)
	require.Equal(t, "EOF", dialAndRead(name))
	answer := p.answer()
	require.Contains(t, answer, fmt.Sprintf("the client is process %d of user %d, ", os.Getpid(), os.Geteuid()))
	require.Contains(t, answer, "expected nobody")
}

func TestServerOfAnotherUserIsRefusedAndNamed(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	shared := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(shared, 0o777|fs.ModeSticky)) // as /tmp is
	names := []ipc.Name{ipc.Path(filepath.Join(shared, "s"))}
	if abstract() {
		names = append(names, newNamespaced(t))
	}
	for _, name := range names {
		squatter := startAs(t, user, "names")
		squatter.order("listen %s", name)
		squatter.expect("listening")
		requireInUse(t, name)
		for _, policy := range []ipc.PeerPolicy{ipc.SameUser, ipc.SameUserOrAdmin, ipc.Admin, ipc.AnyOf(os.Geteuid(), 1000)} {
			d := ipc.Dialer{Server: policy}
			c, err := d.Dial(t.Context(), name)
			require.Nil(t, c)
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, fmt.Sprintf("dial ipc %s: the server is process %d of user %d, group %d: expected ",
				name, squatter.cmd.Process.Pid, user.Uid, user.Gid))
			require.ErrorContains(t, err, policy(ipc.Credentials{UID: int(user.Uid)}).Error())
			squatter.expect("nothing") // is what it got from this client
		}
		d := ipc.Dialer{Server: ipc.AnyOf(int(user.Uid))}
		c, err := d.Dial(t.Context(), name)
		require.NoError(t, err)
		require.NoError(t, second(c.Write([]byte("hello"))))
		require.NoError(t, c.Close())
		squatter.expect("hello")
		squatter.end()
	}
}

// squatterChild listens at PATH, answers "listening", and has others' sockets at PLACE replaced by its own, again and
// again.
func squatterChild(args []string, orders *bufio.Scanner) error {
	l, err := (&ipc.ListenConfig{Mode: 0o666}).Listen(context.Background(), ipc.Path(args[0]))
	if err != nil {
		return err
	}
	defer l.Close()
	go greet(func() (io.WriteCloser, error) { return l.Accept() })
	fmt.Println("listening")
	return untilOrdered(orders, func() error { return replace(args[0], args[1]) })
}

// replace has a path lead to another file.
func replace(file, place string) error {
	temporary := fmt.Sprintf("%s.%d", place, os.Getpid())
	if err := os.Symlink(file, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, place)
}

func TestServerThatIsReplacedAtAnyMomentIsRefusedOrTheRightOne(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	dir, own := leakcheck.Dir(t), newPath(t)
	require.NoError(t, os.Chmod(dir, 0o777)) // where everybody can replace everything
	place := filepath.Join(dir, "place")
	go serveEcho(listen(t, own))
	squatter := startAs(t, user, "squatter", filepath.Join(dir, "squat"), place)
	squatter.expect("listening")
	d := ipc.Dialer{Server: ipc.SameUser}
	for served, refused := 0, 0; served < 10 || refused < 10; {
		require.NoError(t, replace(own.String(), place))
		c, err := d.Dial(t.Context(), ipc.Path(place))
		if err != nil {
			require.ErrorContains(t, err, fmt.Sprintf("the server is process %d of user %d,",
				squatter.cmd.Process.Pid, user.Uid))
			refused++
			continue
		}
		requireByteArrives(t, c, c)
		require.NoError(t, c.Close())
		served++
	}
	squatter.end()
	require.NoError(t, os.Remove(place))
}

func TestStrangersDoNotKeepAnAdmittedClientOut(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	name := openPath(t)
	const backlog = 50
	var refused atomic.Int64
	lc := ipc.ListenConfig{Mode: 0o666, Backlog: backlog, Client: ipc.SameUser,
		Refused: func(ipc.Credentials, error) { refused.Add(1) }}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	before := make(chan int64, 1) // how many were refused when a client was accepted
	go greet(func() (io.WriteCloser, error) {
		c, err := l.Accept()
		if err == nil {
			before <- refused.Load()
		}
		return c, err
	})
	for range 2 {
		startAs(t, user, "flood", name.String()).expect("flooding")
	}
	for clients := 0; clients < 20 || refused.Load() < 10_000; clients++ {
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		dialled := refused.Load()
		_, err = io.ReadFull(c, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.LessOrEqual(t, <-before-dialled, int64(backlog+2), "more were accepted before than stood in front of it")
	}
	require.NoError(t, l.Close())
}

func TestClientsThatThePolicyRefusesDelayNoDeadline(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	lc := ipc.ListenConfig{Client: admitNobody}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	start(t, "flood", name.String()).expect("flooding")
	requireDeadlinesOfAccept(t, l)
	accepted := make(chan error)
	go func() { accepted <- second(l.Accept()) }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
}

// asUserWith returns a function that has a command run as another user (nil: as this one), with a directory in
// XDG_RUNTIME_DIR, or without that variable.
func asUserWith(t *testing.T, user *syscall.Credential, runtimeDirectory string) func(*exec.Cmd) {
	t.Helper()
	become := as(t, user)
	return func(cmd *exec.Cmd) {
		become(cmd)
		for i, variable := range cmd.Env {
			if strings.HasPrefix(variable, "XDG_RUNTIME_DIR=") {
				cmd.Env[i] = "LIPC_TEST_NO_DIRECTORY="
			}
		}
		if runtimeDirectory != "" {
			cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+runtimeDirectory)
		}
	}
}
