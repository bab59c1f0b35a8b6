package main

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// newName returns a name that nobody else uses.
func newName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`\\.\pipe\lipc-%d-%d`, os.Getpid(), nameNumber.Add(1))
}

// onWine reports whether Wine stands in for Windows.
var onWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil

// startsAtTimes reports whether a process that did not start is worth another attempt: on Wine 8 one of a thousand
// fails with ERROR_INTERNAL_ERROR.
func startsAtTimes(err error) bool { return onWine && errors.Is(err, windows.ERROR_INTERNAL_ERROR) }

// requireNothingLeft wants nobody to listen.
func requireNothingLeft(t *testing.T, name string) {
	t.Helper()
	_, err := new(dialer).dialOnce(t.Context(), kind{}, parse(t, name))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// interrupts: a process that has no console of its own cannot be interrupted as Ctrl-C does it, but only ended.
const interrupts = false

// interrupt ends the process, which learns nothing of it.
func (p *process) interrupt() { _ = stop(p.cmd.Process) }

var getProcessHandleCount = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")

// descriptors returns how many handles a process has; Wine 8 says 0.
func descriptors(t *testing.T, p *process) int {
	t.Helper()
	handle, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.cmd.Process.Pid))
	require.NoError(t, err)
	defer windows.CloseHandle(handle)
	var count uint32
	ok, _, err := getProcessHandleCount.Call(uintptr(handle), uintptr(unsafe.Pointer(&count)))
	require.NotZero(t, ok, "%v", err)
	return int(count)
}

// newUserName returns a user's name that nobody else uses.
func newUserName(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("user:lipc-%d-%d", os.Getpid(), nameNumber.Add(1))
}
