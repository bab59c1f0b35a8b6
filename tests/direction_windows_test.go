package tests

import (
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestOneWayPipesCarryOneWay(t *testing.T) {
	leakcheck.Start(t)
	for _, direction := range []ipc.PipeDirection{ipc.ServerToClient, ipc.ClientToServer} {
		for _, asked := range []ipc.PipeDirection{ipc.DefaultDirection, direction} {
			client, server := connectAs(t, ipc.SysListen{Direction: direction}, ipc.SysDial{Direction: asked})
			from, to := server, client
			if direction == ipc.ClientToServer {
				from, to = client, server
			}
			_, err := from.Write([]byte("one way"))
			require.NoError(t, err)
			for what, err := range map[string]error{
				"read: plain":     second(from.Read(make([]byte, 1))),
				"read: vectored":  second(from.ReadBuffers([][]byte{make([]byte, 1)})),
				"write: plain":    second(to.Write([]byte("x"))),
				"write: vectored": second(to.WriteBuffers([][]byte{{1}})),
			} {
				operation, _, _ := strings.Cut(what, ":")
				require.ErrorIs(t, err, syscall.EINVAL, what)
				require.ErrorContains(t, err, operation+" ipc", what)
				require.Regexp(t, map[string]string{"read": "write", "write": "read"}[operation], err.Error()[9:], what)
			}
			require.NoError(t, to.SetReadDeadline(time.Now().Add(patience)))
			require.NoError(t, from.Close())
			got, err := io.ReadAll(to)
			require.NoError(t, err)
			require.Equal(t, "one way", string(got))
		}
	}
}

func TestOneWayMessagePipesCarryOneWay(t *testing.T) {
	leakcheck.Start(t)
	for _, direction := range []ipc.PipeDirection{ipc.ServerToClient, ipc.ClientToServer} {
		name := newPath(t)
		l, err := (&ipc.ListenConfig{Sys: &ipc.SysListen{Direction: direction}}).ListenMessage(t.Context(), name)
		require.NoError(t, err)
		defer l.Close()
		client, err := ipc.DialMessage(t.Context(), name)
		require.NoError(t, err)
		defer client.Close()
		server := accept(t, l)
		from, to := server, client
		if direction == ipc.ClientToServer {
			from, to = client, server
		}
		for _, message := range []string{"one", "", "way"} {
			require.NoError(t, from.Send([]byte(message)))
		}
		require.ErrorIs(t, to.Send([]byte("x")), syscall.EINVAL)
		require.ErrorIs(t, second(from.Receive(make([]byte, 1))), syscall.EINVAL)
		require.NoError(t, from.Close())
		for _, want := range []string{"one", "", "way"} {
			got, err := to.ReceiveAppend(nil)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		require.Equal(t, io.EOF, second(to.Receive(nil)))
	}
}

func TestDirectionThatThePipeDoesNotAllowIsRefused(t *testing.T) {
	leakcheck.Start(t)
	for server, clients := range map[ipc.PipeDirection][]ipc.PipeDirection{
		ipc.ServerToClient: {ipc.Duplex, ipc.ClientToServer},
		ipc.ClientToServer: {ipc.Duplex, ipc.ServerToClient},
	} {
		_, name := listenAs(t, ipc.SysListen{Direction: server})
		for _, client := range clients {
			_, err := (&ipc.Dialer{Sys: &ipc.SysDial{Direction: client}}).Dial(t.Context(), name)
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, "dial ipc "+name.String())
		}
	}
}
