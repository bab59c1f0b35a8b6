package ipc

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/lipc/ipc/internal/poll"
	"github.com/stretchr/testify/require"
)

func TestSpinReachesBothDirectionsOfAConnection(t *testing.T) {
	spins := func(e *poll.Endpoint) []uint32 {
		var limits []uint32
		for _, direction := range []string{"in", "out"} {
			limit := reflect.ValueOf(e).Elem().FieldByName(direction).FieldByName("spinLimit")
			limits = append(limits, uint32(limit.FieldByName("v").Uint()))
		}
		return limits
	}
	const spin = 1500 * time.Nanosecond
	wanted := []uint32{2, 2} // in microseconds, rounded up
	name := Namespaced(fmt.Sprintf("lipc-spin-test-%d", os.Getpid()))
	l, err := (&ListenConfig{Spin: spin}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err := (&Dialer{Spin: spin}).Dial(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	server, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer server.Close()
	a, b, err := Pair()
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	require.Equal(t, []uint32{0, 0}, spins(&a.end))
	require.NoError(t, a.SetSpin(spin))
	for _, e := range []*poll.Endpoint{&client.end, &server.end, &a.end} {
		require.Equal(t, wanted, spins(e))
	}
	if poll.HasDatagrams {
		d, err := (&ListenConfig{Spin: spin}).ListenDatagram(t.Context(), name)
		require.NoError(t, err)
		defer d.Close()
		require.Equal(t, wanted, spins(&d.end))
	}
}

func TestSpinOfAChannelIsInMicrosecondsRoundedUp(t *testing.T) {
	for spin, wanted := range map[time.Duration]int{0: 50, -1: -1, -time.Hour: -1, 1: 1, 1000: 1, 1001: 2, maxSpin: 1000} {
		o, err := (&ChannelConfig{Spin: spin}).options()
		require.NoError(t, err)
		require.Equal(t, wanted, o.Spin, "%v", spin)
	}
}
