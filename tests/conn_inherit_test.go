package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// heirChild answers an order "KIND NAME" with "taken" once it has taken the connection of that name, and then sends back
// what it receives. At the end, which is an empty datagram where there is no other, it answers "ended".
func heirChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		kind, name, _ := strings.Cut(orders.Text(), " ")
		c, err := heir(kind, name)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Println("absent")
			continue
		} else if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("taken")
		if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil { // it is as good as any other
			return err
		}
		b := make([]byte, 1<<16)
		for {
			n, err := c.Read(b)
			if err == io.EOF || err == nil && n == 0 {
				break
			}
			if err == nil {
				_, err = c.Write(b[:n])
			}
			if err != nil {
				return err
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
		fmt.Println("ended")
	}
	return nil
}

func heir(kind, name string) (net.Conn, error) {
	switch kind {
	case "bytes":
		return ipc.InheritedConn(name)
	case "messages":
		return ipc.InheritedMessageConn(name)
	case "datagrams":
		return ipc.InheritedDatagramConn(name)
	default:
		c, err := ipc.InheritedChannel(context.Background(), name, &ipc.ChannelConfig{Server: true})
		if err != nil {
			return nil, err
		}
		return c.Stream(), nil
	}
}

// An heirloom is a connection that can be passed to a child.
type heirloom interface {
	net.Conn
	PassTo(cmd *exec.Cmd, name string) error
}

// heirlooms returns a pair of connections of each kind. A channel begins as connections of bytes.
func heirlooms(t *testing.T) map[string][2]heirloom {
	all := map[string][2]heirloom{}
	for _, kind := range []string{"bytes", "channel"} {
		a, b := pair(t)
		all[kind] = [2]heirloom{a, b}
	}
	a, b := messagePair(t)
	all["messages"] = [2]heirloom{a, b}
	if runtime.GOOS != "windows" {
		a, b, err := ipc.DatagramPair()
		require.NoError(t, err)
		closes(t, a, b)
		all["datagrams"] = [2]heirloom{a, b}
	}
	return all
}

func TestConnectionsArePassedToAProcess(t *testing.T) {
	leakcheck.Start(t)
	for kind, ends := range heirlooms(t) {
		var ours net.Conn = ends[0]
		theirs := ends[1]
		p := startWith(t, func(c *exec.Cmd) {
			require.NoError(t, theirs.PassTo(c, "work"), kind)
			err := theirs.PassTo(c, "work")
			require.ErrorIs(t, err, syscall.EINVAL, kind)
			require.ErrorContains(t, err, "IPC_CONN_work is set already", kind)
		}, "heir")
		require.ErrorIs(t, second(theirs.Write([]byte("x"))), syscall.EINVAL, kind) // it is the child's
		require.ErrorIs(t, second(theirs.Read(make([]byte, 1))), syscall.EINVAL, kind)
		for _, set := range []func(time.Time) error{theirs.SetDeadline, theirs.SetReadDeadline, theirs.SetWriteDeadline} {
			require.ErrorIs(t, set(time.Now()), os.ErrNoDeadline, kind)
		}
		require.NoError(t, theirs.Close(), kind)
		p.order(kind + " other")
		p.expect("absent")
		p.order(kind + " work")
		if kind == "channel" {
			channel, err := ends[0].(*ipc.Conn).Channel(t.Context(), nil)
			require.NoError(t, err)
			ours = channel.Stream()
		}
		p.expect("taken")
		for _, text := range []string{"first", strings.Repeat("x", 30_000)} {
			_, err := ours.Write([]byte(text))
			require.NoError(t, err, kind)
			got := make([]byte, len(text))
			_, err = io.ReadFull(ours, got)
			require.NoError(t, err, kind)
			require.Equal(t, text, string(got), kind)
		}
		if kind == "datagrams" {
			_, err := ours.Write(nil)
			require.NoError(t, err)
		}
		require.NoError(t, ours.Close(), kind)
		p.expect("ended")
		p.order(kind + " work") // it can be taken once
		p.expect("absent")
		p.end()
	}
}

// Otherwise they would take what is the child's, or write between what the child writes.
func TestPassToEndsOperationsUnderWay(t *testing.T) {
	leakcheck.Start(t)
	all := heirlooms(t)
	spinning, peer := spinningPair(t)
	all["spinning"] = [2]heirloom{spinning, peer}
	for kind, ends := range all {
		theirs := ends[1]
		ended := make(chan error)
		go func() { ended <- second(theirs.Read(make([]byte, 1))) }()
		go func() {
			var err error
			for err == nil {
				_, err = theirs.Write(make([]byte, 1000))
			}
			ended <- err
		}()
		waitsIn(t, "read|receive")
		waitsIn(t, "write|send")
		require.NoError(t, theirs.PassTo(exec.Command("x"), "work"), kind)
		for range 2 {
			require.ErrorIs(t, <-ended, syscall.EINVAL, kind)
		}
	}
}

// A parent may itself have been passed something that it has not taken, with the same number.
func TestPassedNumberHasOneName(t *testing.T) {
	leakcheck.Start(t)
	_, theirs := pair(t)
	first, second := exec.Command("x"), exec.Command("x")
	require.NoError(t, theirs.PassTo(first, "work"))
	_, number, _ := strings.Cut(first.Env[len(first.Env)-1], "=")
	t.Setenv("IPC_CONN_other", number)
	t.Setenv("IPC_PIPE_other", number)
	t.Setenv("IPC_CONN_another", number+"1")
	require.NoError(t, theirs.PassTo(second, "work"))
	require.Subset(t, second.Env, []string{"IPC_CONN_work=" + number, "IPC_CONN_another=" + number + "1"})
	require.NotContains(t, second.Env, "IPC_CONN_other="+number)
	require.NotContains(t, second.Env, "IPC_PIPE_other="+number)
}

func TestParentLearnsThatAChildWithItsConnectionIsGone(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := pair(t)
	p := startWith(t, func(c *exec.Cmd) { require.NoError(t, theirs.PassTo(c, "work")) }, "heir")
	require.NoError(t, theirs.Close())
	p.order("bytes work")
	p.expect("taken")
	p.kill()
	_, err := ours.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestConnectionOfAnotherKindIsNotInherited(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := pair(t)
	p := startWith(t, func(c *exec.Cmd) {
		require.NoError(t, theirs.PassTo(c, "work"))
		c.Env = append(c.Env, "IPC_CONN_none=x", "IPC_CONN_high=1000000")
	}, "heir")
	for order, want := range map[string]string{
		"messages work": `inherit ipc: connection "work", descriptor`,
		"bytes none":    `descriptor "x": not the number of a descriptor`,
		"bytes high":    `descriptor "1000000"`,
		"bytes a=b":     `"a=b" cannot be the name`,
	} {
		p.order(order)
		require.Contains(t, p.answer(), want, order)
	}
	p.order("bytes work") // it is still there
	p.expect("taken")
	require.NoError(t, theirs.Close())
	require.NoError(t, ours.Close())
	p.expect("ended")
}

func TestConnectionThatIsAChannelIsNotPassed(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	opened := make(chan error, 1)
	go func() { opened <- second(b.Channel(t.Context(), &ipc.ChannelConfig{Server: true})) }()
	channel, err := a.Channel(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, <-opened)
	cmd := exec.Command("x")
	require.ErrorContains(t, a.PassTo(cmd, "work"), "the connection is a channel's")
	require.Empty(t, cmd.Env)
	require.NoError(t, channel.Send([]byte("x"))) // it goes on
	require.ErrorIs(t, new(ipc.Conn).PassTo(cmd, "work"), syscall.EINVAL)
}
