//go:build linux

package programs

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// startBus starts a bus of its own, and returns the name on which it listens.
func startBus(t *testing.T) ipc.Name {
	t.Helper()
	name := newPath(t)
	config := filepath.Join(leakcheck.Dir(t), "bus.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, busConfig, name), 0o600))
	t.Cleanup(func() { os.Remove(name.String()) }) // the bus leaves it there
	bus := start(t, syscall.SIGTERM, exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile",
		"--print-address=1"))
	require.Contains(t, bus.line(), "unix:path="+name.String())
	return name
}

// joinBus returns a connection of the library to a bus. It passes no files: for them the library takes a net.UnixConn.
func joinBus(t *testing.T, name ipc.Name) *dbus.Conn {
	t.Helper()
	c, err := ipc.Dial(t.Context(), name)
	require.NoError(t, err)
	conn, err := dbus.NewConn(c)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Geteuid()))}))
	require.NoError(t, conn.Hello())
	return conn
}

type adder struct{}

func (adder) Add(a, b int32) (int32, *dbus.Error) { return a + b, nil }

func TestBusKnowsWhoIsAtTheOtherEnd(t *testing.T) {
	leakcheck.Start(t)
	conn := joinBus(t, startBus(t))
	credentials := map[string]dbus.Variant{}
	call := conn.BusObject().Call("org.freedesktop.DBus.GetConnectionCredentials", 0, conn.Names()[0])
	require.NoError(t, call.Store(&credentials))
	require.EqualValues(t, os.Getpid(), credentials["ProcessID"].Value())
	require.EqualValues(t, os.Geteuid(), credentials["UnixUserID"].Value())
}

func TestBusRefusesAClientThatSaysItIsSomebodyElse(t *testing.T) {
	leakcheck.Start(t)
	m := newMember(t, startBus(t))
	require.Contains(t, m.ask("\x00AUTH EXTERNAL "+hexNumber(os.Geteuid()+1)), "REJECTED EXTERNAL")
	require.Contains(t, m.ask("AUTH EXTERNAL "+hexNumber(os.Geteuid())), "OK ")
}

func TestBusCarriesCallsAndSignals(t *testing.T) {
	leakcheck.Start(t)
	name := startBus(t)
	server, client := joinBus(t, name), joinBus(t, name)
	require.NoError(t, server.Export(adder{}, "/adder", "test.Adder"))
	adder := client.Object(server.Names()[0], "/adder")
	var calls []*dbus.Call
	for i := range 100 { // a bus has 128 that wait, at most
		calls = append(calls, adder.Go("test.Adder.Add", 0, nil, int32(i), int32(1)))
	}
	for i, call := range calls {
		var sum int32
		require.NoError(t, (<-call.Done).Store(&sum))
		require.EqualValues(t, i+1, sum)
	}

	signals := make(chan *dbus.Signal, 1)
	client.Signal(signals)
	require.NoError(t, client.AddMatchSignal(dbus.WithMatchInterface("test.Adder")))
	require.NoError(t, server.Emit("/adder", "test.Adder.Tired", string(megabyte)))
	require.True(t, string(megabyte) == (<-signals).Body[0])
}

// hexNumber returns the digits of a number as a bus takes them.
func hexNumber(n int) string { return hex.EncodeToString(fmt.Append(nil, n)) }

// A member of a bus passes files. It does no more than these tests need.
type member struct {
	t      *testing.T
	c      *ipc.Conn
	name   string
	serial uint32
	bytes  []byte     // that came, and belong to no message yet
	files  []*os.File // likewise
}

func newMember(t *testing.T, bus ipc.Name) *member {
	t.Helper()
	c, err := ipc.Dial(t.Context(), bus)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &member{t: t, c: c}
}

// joinBusWithFiles performs the handshake: https://dbus.freedesktop.org/doc/dbus-specification.html.
func joinBusWithFiles(t *testing.T, bus ipc.Name) *member {
	t.Helper()
	m := newMember(t, bus)
	require.Contains(t, m.ask("\x00AUTH EXTERNAL "+hexNumber(os.Geteuid())), "OK ")
	require.Equal(t, "AGREE_UNIX_FD\r\n", m.ask("NEGOTIATE_UNIX_FD"))
	_, err := io.WriteString(m.c, "BEGIN\r\n")
	require.NoError(t, err)
	m.send(dbus.TypeMethodCall, map[dbus.HeaderField]any{
		dbus.FieldDestination: "org.freedesktop.DBus", dbus.FieldPath: dbus.ObjectPath("/org/freedesktop/DBus"),
		dbus.FieldInterface: "org.freedesktop.DBus", dbus.FieldMember: "Hello",
	})
	reply, _ := m.receive(dbus.TypeMethodReply)
	m.name = reply.Body[0].(string)
	return m
}

// ask sends a line of the handshake, and returns the answer.
func (m *member) ask(what string) string {
	m.t.Helper()
	_, err := io.WriteString(m.c, what+"\r\n")
	require.NoError(m.t, err)
	var line []byte
	for b := make([]byte, 1); !bytes.HasSuffix(line, []byte("\r\n")); line = append(line, b...) {
		_, err := io.ReadFull(m.c, b)
		require.NoError(m.t, err)
	}
	return string(line)
}

// send sends a message of files.
func (m *member) send(typ dbus.Type, headers map[dbus.HeaderField]any, files ...*os.File) {
	m.t.Helper()
	message := dbus.Message{Type: typ, Headers: map[dbus.HeaderField]dbus.Variant{}}
	for field, value := range headers {
		message.Headers[field] = dbus.MakeVariant(value)
	}
	if len(files) > 0 {
		message.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.ParseSignatureMust(strings.Repeat("h", len(files))))
		message.Headers[dbus.FieldUnixFDs] = dbus.MakeVariant(uint32(len(files)))
	}
	for range files {
		message.Body = append(message.Body, dbus.UnixFD(0)) // encoded as the file's place in the message
	}
	var b bytes.Buffer
	_, err := message.EncodeToWithFDs(&b, binary.LittleEndian)
	require.NoError(m.t, err)
	m.serial++
	binary.LittleEndian.PutUint32(b.Bytes()[8:], m.serial)
	n, err := m.c.SendFiles(b.Bytes(), files...)
	require.NoError(m.t, err)
	require.Equal(m.t, b.Len(), n)
}

// receive returns the next message of a type, and its files.
func (m *member) receive(typ dbus.Type) (*dbus.Message, []*os.File) {
	m.t.Helper()
	for {
		in := bytes.NewReader(m.bytes)
		message, err := dbus.DecodeMessage(in)
		if err == nil {
			m.bytes = m.bytes[len(m.bytes)-in.Len():]
			count, _ := message.Headers[dbus.FieldUnixFDs].Value().(uint32)
			files := m.files[:count]
			m.files = m.files[count:]
			if message.Type == typ {
				return message, files
			}
			require.Zero(m.t, count)
			continue
		}
		require.True(m.t, err == io.EOF || err == io.ErrUnexpectedEOF, "%v", err)
		b, files := make([]byte, 4096), make([]*os.File, 16)
		n, nfiles, err := m.c.ReceiveFiles(b, files)
		require.NoError(m.t, err)
		m.bytes, m.files = append(m.bytes, b[:n]...), append(m.files, files[:nfiles]...)
	}
}

func TestBusPassesFilesInCallsAndReplies(t *testing.T) {
	leakcheck.Start(t)
	name := startBus(t)
	server, client := joinBusWithFiles(t, name), joinBusWithFiles(t, name)
	question, answer := pipe(t, "question"), pipe(t, "answer")

	client.send(dbus.TypeMethodCall, map[dbus.HeaderField]any{
		dbus.FieldDestination: server.name, dbus.FieldPath: dbus.ObjectPath("/files"), dbus.FieldMember: "Swap",
	}, question, question)
	call, files := server.receive(dbus.TypeMethodCall)
	require.Equal(t, []any{dbus.UnixFDIndex(0), dbus.UnixFDIndex(1)}, call.Body)
	requireContent(t, "question", files)

	server.send(dbus.TypeMethodReply, map[dbus.HeaderField]any{
		dbus.FieldDestination: client.name, dbus.FieldReplySerial: call.Serial(),
	}, answer)
	reply, files := client.receive(dbus.TypeMethodReply)
	require.Equal(t, []any{dbus.UnixFDIndex(0)}, reply.Body)
	requireContent(t, "answer", files)
}

// pipe returns the reading end of a pipe that holds a text.
func pipe(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	_, err = w.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return r
}

// requireContent requires that all files are the same one, and hold a text. It closes them.
func requireContent(t *testing.T, text string, files []*os.File) {
	t.Helper()
	require.NotEmpty(t, files)
	content, err := io.ReadAll(files[0])
	require.NoError(t, err)
	require.Equal(t, text, string(content))
	for _, f := range files {
		rest, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.NoError(t, f.Close())
	}
}
