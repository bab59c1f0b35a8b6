//go:build unix

package ipc

import (
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzParseName(f *testing.F) {
	for _, text := range []string{"", "@", "s", "@s", "./@s", "/tmp/s", "user:s", "system:s", "./user:s", "a\x00b",
		"@a\x00b", "@@", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseName(text)
		if err != nil {
			require.Zero(t, name)
			require.True(t, errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENAMETOOLONG), "%v", err)
			return
		}
		require.Equal(t, text, name.String())
		again, err := ParseName(name.String())
		require.NoError(t, err)
		require.Equal(t, name, again)
	})
}
