package tests

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func TestOptionsOfNamedPipesOutOfRangeAreNamed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for text, sys := range map[string]ipc.SysListen{
		"Direction":          {Direction: 4},
		"InstanceLimit":      {InstanceLimit: -1},
		"InstanceLimit ":     {InstanceLimit: 255},
		"InboundBuffer":      {InboundBuffer: -1},
		"OutboundBuffer":     {OutboundBuffer: -1},
		"DefaultWait":        {DefaultWait: -1},
		"SecurityDescriptor": {SecurityDescriptor: "nonsense"},
	} {
		_, err := (&ipc.ListenConfig{Sys: &sys}).Listen(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL, text)
		require.ErrorContains(t, err, strings.TrimSpace(text))
	}
	for text, sys := range map[string]ipc.SysDial{"Direction": {Direction: -1}, "Impersonation": {Impersonation: 5}} {
		_, err := (&ipc.Dialer{Sys: &sys}).Dial(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL, text)
		require.ErrorContains(t, err, text)
	}
	_, _, err := (&ipc.PipeConfig{Sys: &ipc.SysPipe{SecurityDescriptor: "nonsense"}}).Pipe()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "SecurityDescriptor")
}

func TestPipeHasTheOptionsThatWereAskedFor(t *testing.T) {
	leakcheck.Start(t)
	_, server := connectAs(t, ipc.SysListen{
		InstanceLimit: 5, InboundBuffer: 12_288, OutboundBuffer: 8192, DefaultWait: time.Second, AcceptRemote: true,
		WriteThrough: true,
	}, ipc.SysDial{WriteThrough: true})
	var flags, outbound, inbound, instances uint32
	require.NoError(t, windows.GetNamedPipeInfo(handleOf(t, server), &flags, &outbound, &inbound, &instances))
	// One more instance keeps the name.
	require.Equal(t, []uint32{windows.PIPE_SERVER_END, 8192, 12_288, 6}, []uint32{flags, outbound, inbound, instances})
	_, server = connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	require.NoError(t, windows.GetNamedPipeInfo(handleOf(t, server), &flags, &outbound, &inbound, &instances))
	require.Equal(t, []uint32{windows.PIPE_SERVER_END, 64 << 10, 64 << 10}, []uint32{flags, outbound, inbound})
	require.GreaterOrEqual(t, instances, uint32(windows.PIPE_UNLIMITED_INSTANCES)) // Wine 8 says 1<<32 - 1
}

func TestHandlesAreInheritedIfThatIsAskedFor(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{Inherit: true}, ipc.SysDial{Inherit: true})
	requireInherit(t, client, true)
	requireInherit(t, server, true)
	client, server = connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	requireInherit(t, client, false)
	requireInherit(t, server, false)
}
