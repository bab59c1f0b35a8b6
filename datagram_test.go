package ipc

import (
	"fmt"
	"testing"

	"github.com/lipc/ipc/internal/core"
	"github.com/stretchr/testify/require"
)

func TestSendersThatAreRememberedAreLimited(t *testing.T) {
	var s senders
	var from core.SocketName
	for i := range 1000 {
		name := Path(fmt.Sprint(i))
		from.SetName(name.name)
		for range 2 {
			require.Equal(t, sender{name, endAddress(name, Name{}, core.KindDatagram)}, s.named(&from))
		}
		require.LessOrEqual(t, len(s.known), 256)
	}
}
