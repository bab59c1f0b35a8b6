package tests

import (
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// dacl returns the rights that each SID has on a pipe.
func dacl(t *testing.T, conn syscall.Conn) map[string]windows.ACCESS_MASK {
	t.Helper()
	descriptor, err := windows.GetSecurityInfo(handleOf(t, conn), windows.SE_KERNEL_OBJECT,
		windows.DACL_SECURITY_INFORMATION)
	require.NoError(t, err)
	list, _, err := descriptor.DACL()
	require.NoError(t, err, "%s", descriptor)
	require.NotNil(t, list, "no list admits everybody")
	entries := map[string]windows.ACCESS_MASK{}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		require.NoError(t, windows.GetAce(list, i, &entry))
		require.EqualValues(t, windows.ACCESS_ALLOWED_ACE_TYPE, entry.Header.AceType, "%s", descriptor)
		entries[(*windows.SID)(unsafe.Pointer(&entry.SidStart)).String()] = entry.Mask
	}
	return entries
}

// The rights to write to a pipe, and to make instances of it: FILE_CREATE_PIPE_INSTANCE. (Wine 8 keeps generic rights
// as they were given; Windows replaces them by those that they stand for.)
const (
	writing         = windows.FILE_WRITE_DATA | windows.GENERIC_WRITE | windows.GENERIC_ALL
	makingInstances = windows.FILE_APPEND_DATA | windows.GENERIC_WRITE | windows.GENERIC_ALL
)

// Some of the system's own SIDs.
const (
	system         = "S-1-5-18"
	administrators = "S-1-5-32-544"
	authenticated  = "S-1-5-11"
	everyone       = "S-1-1-0"
)

func TestPipeIsItsOwnersAloneByDefault(t *testing.T) {
	leakcheck.Start(t)
	l, name := listenAs(t, ipc.SysListen{})
	for range 5 { // the later instances, too
		dial(t, name)
		server := accept(t, l)
		entries := dacl(t, server)
		require.ElementsMatch(t, []string{ownSID(t), system, administrators}, slices.Collect(maps.Keys(entries)))
		require.NotZero(t, entries[ownSID(t)]&writing)
	}
}

func TestModeAdmitsOtherUsers(t *testing.T) {
	leakcheck.Start(t)
	for mode, want := range map[fs.FileMode]bool{
		0: false, 0o600: false, 0o660: false, 0o604: false, 0o666: true, 0o606: true, 0o602: true,
	} {
		name := newPath(t)
		l, err := (&ipc.ListenConfig{Mode: mode}).Listen(t.Context(), name)
		require.NoError(t, err)
		defer l.Close()
		dial(t, name)
		server := accept(t, l)
		entries := dacl(t, server)
		mask, found := entries[authenticated]
		require.Equal(t, want, found, "%o: %v", mode, entries)
		require.NotContains(t, entries, everyone)
		if found {
			require.NotZero(t, mask&writing)
			require.Zero(t, mask&makingInstances)
		}
	}
}

func TestPipeHasTheSecurityDescriptorThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	const sddl = "D:P(A;;GRGW;;;WD)(A;;GA;;;SY)"
	want := []string{everyone, system}
	_, server := connectAs(t, ipc.SysListen{SecurityDescriptor: sddl}, ipc.SysDial{})
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(dacl(t, server))))

	name := newPath(t) // it has precedence over Mode
	lc := ipc.ListenConfig{Mode: 0o666, Sys: &ipc.SysListen{SecurityDescriptor: sddl}}
	l, err := lc.ListenMessage(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err := ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	messages := accept(t, l)
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(dacl(t, messages))))

	r, w := newPipe(t, &ipc.PipeConfig{Sys: &ipc.SysPipe{SecurityDescriptor: sddl}})
	for _, end := range []syscall.Conn{r, w} {
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(dacl(t, end))))
	}
}

func TestPairsAndPipesAreTheirOwnersAlone(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	m, _ := messagePair(t)
	r, _ := newPipe(t, new(ipc.PipeConfig))
	for _, end := range []syscall.Conn{a, m, r} {
		entries := dacl(t, end)
		require.NotContains(t, entries, everyone)
		require.NotContains(t, entries, authenticated)
	}
}
