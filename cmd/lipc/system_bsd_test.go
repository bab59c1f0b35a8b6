//go:build unix && !linux

package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awaitListener waits until there is a socket file.
func awaitListener(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Lstat(name)
		return err == nil
	}, patience, tick)
}

// descriptors returns how many a process has.
func descriptors(t *testing.T, p *process) int {
	t.Helper()
	output, err := exec.Command(needs(t, "lsof"), "-a", "-d", "0-9999", "-p", strconv.Itoa(p.cmd.Process.Pid)).Output()
	require.NoError(t, err)
	return strings.Count(string(output), "\n")
}
