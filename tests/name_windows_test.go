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
	{ipc.Namespaced(`a/b`), syscall.EINVAL, `namespaced name contains "/"`},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Namespaced(strings.Repeat("x", 248)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Path(`\\.\pipe\` + strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
}

func TestPipeNamesAreChecked(t *testing.T) {
	leakcheck.Start(t)
	for text, valid := range map[string]bool{
		`\\.\pipe\x`: true, `\\host\PIPE\x`: true, "@x": true,
		"": false, "@": false, `C:\x`: false, `\\.\pipe\`: false, `\\\pipe\x`: false, `\\.\pipe\a\b`: true, `@a\b`: true,
		`\\?\pipe\x`: true, `\\.\pipe\LOCAL\x`: true, `\\.\pipe\ProtectedPrefix\Administrators\x`: true, `@LOCAL\x`: true,
		`\\.\pipe\a\..\b`: false, `\\.\pipe\a\\b`: false, `\\.\pipe\a.\b`: false, `\\?\pipe\x.`: false, `@a\`: false,
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

func TestNamesOfSeveralPartsAreDialledInEveryForm(t *testing.T) {
	leakcheck.Start(t)
	leaf := strings.TrimPrefix(newNamespaced(t).String(), "@") + `\of several\parts`
	forms := []ipc.Name{ipc.Namespaced(leaf), ipc.Path(`\\.\pipe\` + leaf), ipc.Path(`\\?\pipe\` + leaf)}
	for _, name := range forms {
		l, err := ipc.Listen(name)
		require.NoError(t, err)
		served := make(chan struct{})
		go func() {
			defer close(served)
			serveEcho(l)
		}()
		require.Equal(t, name, l.Addr())
		for _, form := range forms {
			require.NoError(t, echoOnce(form))
			c, err := ipc.Dial(t.Context(), form)
			require.NoError(t, err)
			require.Equal(t, form, c.RemoteAddr())
			require.NoError(t, c.Close())
		}
		require.NoError(t, l.Close())
		<-served
	}
}

func TestNamesIgnoreCaseButAreNotComparedSo(t *testing.T) {
	leakcheck.Start(t)
	name := newNamespaced(t)
	go serveEcho(listen(t, name))
	upper := ipc.Namespaced(strings.ToUpper(strings.TrimPrefix(name.String(), "@")))
	require.NoError(t, echoOnce(upper))
	require.NotEqual(t, name, upper)
}

func TestNamespacedNameIsThePipeOfThatName(t *testing.T) {
	leakcheck.Start(t)
	name := newNamespaced(t)
	go serveEcho(listen(t, name))
	require.NoError(t, echoOnce(ipc.Path(`\\.\pipe\`+strings.TrimPrefix(name.String(), "@"))))
}
