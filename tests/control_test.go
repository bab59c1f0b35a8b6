//go:build unix

package tests

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestControlDataIsLaidOutAsTheSystemHasIt(t *testing.T) {
	leakcheck.Start(t)
	memory := make([]byte, 401)
	for offset := range 2 { // whatever the alignment
		w := ipc.NewControlWriter(memory[offset : offset+400])
		require.Empty(t, w.Bytes())
		require.NoError(t, w.AddFDs(3, 4, 5))
		require.Equal(t, syscall.UnixRights(3, 4, 5), w.Bytes())
		require.NoError(t, w.Add(77, 88, []byte("odd size")[:7]))
		require.NoError(t, w.Add(1, 2, nil))
		messages, err := syscall.ParseSocketControlMessage(w.Bytes())
		require.NoError(t, err)
		require.Len(t, messages, 3)
		fds, err := syscall.ParseUnixRights(&messages[0])
		require.NoError(t, err)
		require.Equal(t, []int{3, 4, 5}, fds)
		require.EqualValues(t, 77, messages[1].Header.Level)
		require.EqualValues(t, 88, messages[1].Header.Type)
		require.Equal(t, "odd siz", string(messages[1].Data))
		require.EqualValues(t, 2, messages[2].Header.Type)
		require.Empty(t, messages[2].Data)
		w.Reset()
		require.Empty(t, w.Bytes())
		require.NoError(t, w.AddFDs(6))
		require.Equal(t, syscall.UnixRights(6), w.Bytes())
	}
}

func TestControlDataThatDoesNotFitLeavesTheBufferAsItWas(t *testing.T) {
	leakcheck.Start(t)
	w := ipc.NewControlWriter(make([]byte, len(syscall.UnixRights(1, 2))))
	require.NoError(t, w.AddFDs(1))
	before := string(w.Bytes())
	for what, err := range map[string]error{
		"data":        w.Add(1, 2, []byte("x")),
		"files":       w.AddFDs(2),
		"much":        w.Add(1, 2, make([]byte, 1<<20)),
		"nowhere":     ipc.NewControlWriter(nil).Add(1, 2, nil),
		"nowhere, fd": ipc.NewControlWriter(nil).AddFDs(1),
	} {
		require.ErrorIs(t, err, syscall.EMSGSIZE, what)
		require.ErrorContains(t, err, "control ipc", what)
		require.Equal(t, before, string(w.Bytes()), what)
	}
	if onLinux {
		require.ErrorIs(t, w.AddCredentials(ipc.Credentials{PID: -1}), syscall.EMSGSIZE)
		require.ErrorIs(t, w.AddCredentials(ipc.Credentials{}), syscall.EINVAL, "there is no process 0")
		require.Equal(t, before, string(w.Bytes()))
	}
	full := ipc.NewControlWriter(make([]byte, ipc.ControlSize)) // room for all that a message can bring
	require.NoError(t, full.AddFDs(make([]int, 253)...))
	if onLinux {
		require.NoError(t, full.AddCredentials(ipc.Credentials{PID: 1}))
	}
	require.NoError(t, full.AddFDs(1))
}

func TestControlReaderGivesWhatCame(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 5)
	fds := make([]int, 5)
	for i, f := range files {
		fds[i] = descriptorOf(t, f)
	}
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		w := ipc.NewControlWriter(make([]byte, 400))
		if onLinux {
			require.NoError(t, b.SetPassCredentials(true))
			require.NoError(t, w.AddCredentials(ipc.Credentials{PID: -1, UID: -1, GID: -1}))
		}
		require.NoError(t, w.AddFDs(fds...))
		memory := make([]byte, ipc.ControlSize+1)
		for offset := range 2 { // whatever the alignment
			n, err := a.SendControl([]byte("payload"), w)
			require.NoError(t, err)
			require.Equal(t, 7, n)
			r := ipc.NewControlReader(memory[offset:])
			require.False(t, r.Next(), "nothing has come")
			require.Zero(t, r.TakeFDs(make([]int, 1)))
			require.Empty(t, r.Data())
			got := make([]byte, 100)
			n, err = b.ReceiveControl(got, r)
			require.NoError(t, err)
			require.Equal(t, "payload", string(got[:n]))
			var taken []*os.File
			var credentials []ipc.Credentials
			for r.Next() {
				require.Equal(t, syscall.SOL_SOCKET, r.Level())
				if c, ok := r.Credentials(); ok {
					require.Zero(t, r.TakeFDs(make([]int, 10)))
					credentials = append(credentials, c)
					continue
				}
				require.Equal(t, syscall.SCM_RIGHTS, r.Type())
				require.Len(t, r.Data(), 4*len(files))
				three := make([]int, 3)
				for n := r.TakeFDs(three); n > 0; n = r.TakeFDs(three) { // those that are left
					for _, fd := range three[:n] {
						taken = append(taken, os.NewFile(uintptr(fd), "taken"))
					}
				}
			}
			require.NoError(t, r.Err())
			require.False(t, r.Next())
			if onLinux {
				require.Equal(t, []ipc.Credentials{own}, credentials)
			}
			require.NoError(t, r.Close()) // it does not close what was taken
			require.NoError(t, r.Close())
			requireNumbered(t, taken, 5)
		}
		// Files that are not taken are closed.
		watch, file := watched(t)
		_, err := a.SendFiles([]byte("x"), file, file, file)
		require.NoError(t, err)
		r := ipc.NewControlReader(memory)
		_, err = b.ReceiveControl(memory[:1], r)
		require.NoError(t, err)
		one := make([]int, 1)
		for r.Next() {
			if r.TakeFDs(one) > 0 {
				require.NoError(t, syscall.Close(one[0]))
			}
		}
		require.NoError(t, file.Close())
		require.NoError(t, r.Close())
		requireClosedEverywhere(t, watch)
	})
}

func TestControlDataOfOtherTypesComesAsItIs(t *testing.T) {
	leakcheck.Start(t)
	if !onLinux {
		facility.Missing(t, "SO_TIMESTAMP with the numbers of Linux")
	}
	f := numbered(t, 1)[0]
	stamps := 1
	if strconv.IntSize == 32 {
		stamps = 2 // recvmsg(3) adds one with 64 bits of seconds, which has its own type
	}
	eachKind(t, func(t *testing.T, k kind) {
		if k.name == "stream" {
			return // has no time stamps
		}
		a, b := k.newPair(t)
		raw, err := b.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			require.NoError(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMP, 1))
		}))
		requireTimeStamp := func(level, typ int, data []byte) {
			require.Equal(t, syscall.SOL_SOCKET, level)
			require.Equal(t, syscall.SCM_TIMESTAMP, typ)
			seconds := int64(binary.NativeEndian.Uint32(data))
			if strconv.IntSize == 64 {
				seconds = int64(binary.NativeEndian.Uint64(data))
			}
			require.WithinDuration(t, time.Now(), time.Unix(seconds, 0), time.Hour)
		}
		m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}, MaxFiles: 1}
		for range 2 {
			_, err = a.SendFiles([]byte("x"), f)
			require.NoError(t, err)
			_, err = b.ReceiveMessage(&m)
			require.NoError(t, err)
			require.Len(t, m.Control, stamps, "nothing of what has a field of its own")
			requireTimeStamp(m.Control[0].Level, m.Control[0].Type, m.Control[0].Data)
			requireNumbered(t, m.Files, 1)
		}
		first := m.Control[0].Data
		kept := string(first)
		for range 2 {
			_, err = a.SendFiles([]byte("x"))
			require.NoError(t, err)
		}
		_, err = b.ReceiveMessage(&ipc.Message{Buffers: [][]byte{make([]byte, 10)}})
		require.NoError(t, err)
		require.Equal(t, kept, string(first), "the data is the caller's")
		r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
		defer r.Close()
		_, err = b.ReceiveControl(make([]byte, 10), r)
		require.NoError(t, err)
		found := 0
		for r.Next() {
			if r.Type() == syscall.SCM_TIMESTAMP {
				requireTimeStamp(r.Level(), r.Type(), r.Data())
				require.Zero(t, r.TakeFDs(make([]int, 1)))
				_, ok := r.Credentials()
				require.False(t, ok)
				found++
			}
		}
		require.Equal(t, 1, found)
	})
}

func TestControlDataIsSentAsItIs(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	fd := make([]byte, 4)
	binary.NativeEndian.PutUint32(fd, uint32(descriptorOf(t, f)))
	many := slices.Repeat([]*os.File{f}, 253)
	rights := ipc.ControlData{Level: syscall.SOL_SOCKET, Type: syscall.SCM_RIGHTS, Data: fd}
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Control: []ipc.ControlData{rights}})
		require.NoError(t, err)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}, MaxFiles: 2}
		_, err = b.ReceiveMessage(&m)
		require.NoError(t, err)
		requireNumbered(t, m.Files, 1)

		// The system refuses control data that it does not know, and nothing is sent.
		unknown := ipc.ControlData{Level: syscall.SOL_SOCKET, Type: 9999, Data: []byte("what is this")}
		_, err = a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Control: []ipc.ControlData{unknown}})
		require.ErrorIs(t, err, syscall.EINVAL)
		w := ipc.NewControlWriter(make([]byte, 100))
		require.NoError(t, w.Add(unknown.Level, unknown.Type, unknown.Data))
		_, err = a.SendControl([]byte("x"), w)
		require.ErrorIs(t, err, syscall.EINVAL)

		// The error of control data that is too large does not blame the payload.
		for what, m := range map[string]*ipc.Message{
			"alone":      {Control: []ipc.ControlData{{Data: make([]byte, 5000)}}},
			"with files": {Control: []ipc.ControlData{{Data: make([]byte, 1500)}}, Files: many},
		} {
			m.Buffers = [][]byte{[]byte("x")}
			_, err = a.SendMessage(m)
			require.ErrorIs(t, err, syscall.EMSGSIZE, what)
			require.NotContains(t, err.Error(), "at most", what)
		}
		_, err = a.SendFiles([]byte("first"))
		require.NoError(t, err)
		n, err := b.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "first", string(m.Buffers[0][:n]))
	})
}

func TestControlReaderWithoutRoomMissesNothingThatItCouldTake(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		for _, room := range []int{0, syscall.CmsgSpace(4)} { // no room, and room for one descriptor
			if k.name == "message" {
				room += syscall.CmsgSpace(12) // room for the credentials, which always come
			}
			r := ipc.NewControlReader(make([]byte, room))
			_, err := a.SendFiles([]byte("plain"))
			require.NoError(t, err)
			n, err := b.ReceiveControl(make([]byte, 10), r)
			require.NoError(t, err, "no files came; room %d", room)
			require.Equal(t, 5, n)
			_, err = a.SendFiles([]byte("files"), f, f, f, f)
			require.NoError(t, err)
			n, err = b.ReceiveControl(make([]byte, 10), r)
			require.ErrorIs(t, err, ipc.ErrFilesLost)
			require.Equal(t, 5, n)
		}
	})
}
