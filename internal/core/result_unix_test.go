//go:build unix

package core

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// failed returns the C core's result for a portable code and a number of the system.
func failed(code int, number syscall.Errno) Result { return -(Result(code)<<20 | Result(number)) }

func TestResultsMatchTheSentinelsOfTheirPortableCode(t *testing.T) {
	for _, c := range []struct {
		result   Result
		sentinel error
		text     string
	}{
		{failed(6, syscall.ENOENT), fs.ErrNotExist, "no such file or directory"},
		{failed(6, syscall.ENOTDIR), fs.ErrNotExist, "not a directory"},
		{failed(7, syscall.EACCES), fs.ErrPermission, "permission denied"},
		{failed(7, syscall.EROFS), fs.ErrPermission, "read-only file system"},
		{failed(11, syscall.EOPNOTSUPP), errors.ErrUnsupported, "unsupported operation on "},
		{failed(22, syscall.EMFILE), ErrFilesLost, "so they were closed: too many open files"},
		{failed(22, syscall.ENFILE), ErrFilesLost, "so they were closed: "},
		{failed(23, syscall.EEXIST), fs.ErrExist, "file exists"},
	} {
		err := c.result.Err()
		require.ErrorIs(t, err, c.sentinel)
		require.ErrorIs(t, err, syscall.Errno(-c.result&0xfffff))
		require.ErrorContains(t, err, c.text)
	}
	for result, want := range map[Result]error{
		failed(19, syscall.EINVAL):   io.EOF,
		failed(20, syscall.EINVAL):   ErrTruncated,
		failed(21, syscall.EINVAL):   errTooManyFiles,
		failed(22, syscall.EMSGSIZE): ErrFilesLost,
		failed(24, syscall.EEXIST):   errNotFIFO,
	} {
		require.Equal(t, want, result.Err())
	}
	require.ErrorIs(t, errTooManyFiles, syscall.EINVAL)
	require.NotErrorIs(t, failed(22, syscall.EMFILE).Err(), ErrTruncated)
	require.NoError(t, Result(0).Err())
	require.NoError(t, Result(7).TemporaryErr())
}

func TestErrorsThatPassAreTemporary(t *testing.T) {
	for number, code := range map[syscall.Errno]int{
		syscall.EMFILE: 12, syscall.ENFILE: 12, syscall.ETOOMANYREFS: 12, syscall.ENOBUFS: 13, syscall.ENOMEM: 13,
	} {
		err := &net.OpError{Err: failed(code, number).TemporaryErr()}
		require.ErrorIs(t, err, number)
		require.True(t, err.Temporary(), number)
		require.False(t, err.Timeout(), number)
	}
	require.False(t, (&net.OpError{Err: failed(14, syscall.EBADF).TemporaryErr()}).Temporary())
}
