package tests

import (
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

var systemBadNames = []badName{
	{ipc.Path("\\\\.\\pipe\\a\x00b"), syscall.EINVAL, "NUL"},
	{ipc.Namespaced("a\x00b"), syscall.EINVAL, "NUL"},
	{ipc.Path(`C:\pipe`), syscall.EINVAL, `path is neither \\.\pipe\name nor \\host\pipe\name`},
	{ipc.Namespaced(`a\b`), syscall.EINVAL, `namespaced name contains "\"`},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Namespaced(strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
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

func TestLongestNamesWork(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{
		ipc.Path(`\\.\pipe\` + strings.Repeat("x", 247)), ipc.Namespaced(strings.Repeat("ü", 247)),
	} {
		go serveEcho(listen(t, name))
		require.NoError(t, echoOnce(name))
	}
}

func TestNamespacedNameIsThePipeOfThatName(t *testing.T) {
	leakcheck.Start(t)
	name := newNamespaced(t)
	go serveEcho(listen(t, name))
	require.NoError(t, echoOnce(ipc.Path(`\\.\pipe\`+strings.TrimPrefix(name.String(), "@"))))
}
