package tests

import (
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
)

var systemBadNames = []badName{
	{ipc.Path("\\\\.\\pipe\\a\x00b"), syscall.EINVAL, "NUL"},
	{ipc.Namespaced("a\x00b"), syscall.EINVAL, "NUL"},
	{ipc.Path(`C:\pipe`), syscall.EINVAL, `path is neither \\.\pipe\name nor \\host\pipe\name`},
	{ipc.Namespaced(`a/b`), syscall.EINVAL, `namespaced name contains "/"`},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Namespaced(strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
}

// systemLongestNames returns names of each type that are as long as the system allows.
func systemLongestNames(*testing.T) []ipc.Name {
	return []ipc.Name{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 247)), ipc.Namespaced(strings.Repeat("ü", 247))}
}
