//go:build cgo && unix

package ipc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// failed is the C core's result for a portable code and a number of the system.
func failed(code int, number syscall.Errno) result { return -(result(code)<<20 | result(number)) }

func TestResultsMatchTheSentinelsOfTheirPortableCode(t *testing.T) {
	for _, c := range []struct {
		result   result
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
		err := c.result.err()
		require.ErrorIs(t, err, c.sentinel)
		require.ErrorIs(t, err, syscall.Errno(-c.result&0xfffff))
		require.ErrorContains(t, err, c.text)
	}
	for result, want := range map[result]error{
		failed(19, syscall.EINVAL):   io.EOF,
		failed(20, syscall.EINVAL):   ErrTruncated,
		failed(21, syscall.EINVAL):   errTooManyFiles,
		failed(22, syscall.EMSGSIZE): ErrFilesLost,
		failed(24, syscall.EEXIST):   errNotFIFO,
	} {
		require.Equal(t, want, result.err())
	}
	require.ErrorIs(t, errTooManyFiles, syscall.EINVAL)
	require.NotErrorIs(t, failed(22, syscall.EMFILE).err(), ErrTruncated)
	require.NoError(t, result(0).err())
	require.NoError(t, result(7).temporaryErr())
}

func TestErrorsThatPassAreTemporary(t *testing.T) {
	for number, code := range map[syscall.Errno]int{
		syscall.EMFILE: 12, syscall.ENFILE: 12, syscall.ETOOMANYREFS: 12, syscall.ENOBUFS: 13, syscall.ENOMEM: 13,
	} {
		err := opError("accept", Name{}, Path("s"), failed(code, number).temporaryErr())
		require.ErrorIs(t, err, number)
		require.True(t, err.(*net.OpError).Temporary(), number)
		require.False(t, err.(*net.OpError).Timeout(), number)
	}
	require.False(t, opError("accept", Name{}, Path("s"), failed(14, syscall.EBADF).temporaryErr()).(*net.OpError).Temporary())
}

func TestPeersThatAreRememberedAreLimited(t *testing.T) {
	var d direction
	d.needExtras()
	var a coreAncillary
	for i := range 1000 {
		name := Path(fmt.Sprint(i))
		a.setPeer(name)
		for range 2 {
			require.Equal(t, datagramPeer{name, name}, d.peerNamed(&a.c.peer))
		}
		require.LessOrEqual(t, len(d.peers), 256)
	}
}

func FuzzParseName(f *testing.F) {
	for _, text := range []string{"", "@", "s", "@s", "./@s", "/tmp/s", "a\x00b", "@a\x00b", "@@", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := ParseName(text)
		if err != nil {
			require.Zero(t, name)
			require.True(t, errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENAMETOOLONG), "%v", err)
			return
		}
		require.Equal(t, text, name.String())
		again, err := ParseName(name.String())
		require.NoError(t, err)
		require.Equal(t, name, again)
	})
}
