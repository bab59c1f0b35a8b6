package leakcheck

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func TestLeakedHandlesOfEveryKindAreCaught(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = 10 * time.Millisecond
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`\\.\pipe\lipc-%d-leak`, os.Getpid()))
	require.NoError(t, err)
	this := windows.CurrentProcess()
	for kind, open := range map[string]func() (windows.Handle, error){
		"File": func() (windows.Handle, error) {
			return windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX, windows.PIPE_TYPE_BYTE, 1, 100, 100, 0, nil)
		},
		"Process": func() (process windows.Handle, err error) {
			err = windows.DuplicateHandle(this, this, this, &process, 0, false, windows.DUPLICATE_SAME_ACCESS)
			return process, err
		},
		"Token": func() (windows.Handle, error) {
			var token windows.Token
			err := windows.OpenProcessToken(this, windows.TOKEN_QUERY, &token)
			return windows.Handle(token), err
		},
		"IoCompletion": func() (windows.Handle, error) {
			return windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 0)
		},
		"Section": func() (windows.Handle, error) {
			return windows.CreateFileMapping(windows.InvalidHandle, nil, windows.PAGE_READWRITE, 0, 4096, nil)
		},
	} {
		trial := &trial{T: t}
		Start(trial)
		handle, err := open()
		require.NoError(t, err, kind)
		require.Regexp(t, "handle 0x[0-9a-f]+ "+kind, trial.end())
		require.NoError(t, windows.CloseHandle(handle))
		trial.failures = nil
		require.Empty(t, trial.end(), kind)
	}
}

func TestLeakedEventsAreCaughtWhenThereAreMany(t *testing.T) {
	before := take()
	for range othersSlack + 1 {
		event, err := windows.CreateEvent(nil, 0, 0, nil)
		require.NoError(t, err)
		defer windows.CloseHandle(event)
	}
	found := take().beyond(before)
	require.NotEmpty(t, found)
	require.Contains(t, found[0], "other handles")
}
