//go:build unix

package leakcheck

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRemovedSocketFilePasses(t *testing.T) {
	trial := &trial{T: t}
	Start(trial)
	l, err := net.Listen("unix", filepath.Join(Dir(trial), "s"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Empty(t, trial.end())
}

func TestLeftSocketFileIsCaught(t *testing.T) {
	trial := &trial{T: t}
	Dir(trial)
	socketDir := Dir(trial)
	l, err := net.Listen("unix", filepath.Join(socketDir, "s"))
	require.NoError(t, err)
	require.Contains(t, trial.end(), filepath.Join(socketDir, "s"))
	l.Close()
}
