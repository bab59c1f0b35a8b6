package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awaitListener waits until somebody listens on a path.
func awaitListener(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		table, err := os.ReadFile("/proc/net/unix")
		require.NoError(t, err)
		for line := range strings.Lines(string(table)) {
			if e, _, ok := parseSocket(strings.TrimSuffix(line, "\n")); ok && e.name == name {
				return true
			}
		}
		return false
	}, patience, tick)
}

// descriptors returns how many a process has.
func descriptors(t *testing.T, p *process) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(t, err)
	return len(entries)
}
