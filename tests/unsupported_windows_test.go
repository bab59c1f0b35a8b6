package tests

import (
	"errors"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestWindowsIsReportedAsUnsupported(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.Namespaced("lipc-test")
	_, err := ipc.Listen(name)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "listen ipc @lipc-test: unsupported operation on windows")
	_, err = ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, _, err = ipc.Pair()
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestPipeNamesAreChecked(t *testing.T) {
	leakcheck.Start(t)
	for text, valid := range map[string]bool{
		`\\.\pipe\x`: true, `\\host\PIPE\x`: true, "@x": true,
		"": false, "@": false, `C:\x`: false, `\\.\pipe\`: false, `\\\pipe\x`: false, `\\.\pipe\a\b`: false, `@a\b`: false,
	} {
		name, err := ipc.ParseName(text)
		require.Equal(t, valid, err == nil, "%s: %v", text, err)
		if valid {
			require.Equal(t, text, name.String())
		}
	}
}
