package main

import (
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// users returns the ID of the user of these tests, and that of another one.
func users(t *testing.T) (own, other string) {
	t.Helper()
	u, err := user.Current()
	require.NoError(t, err)
	if runtime.GOOS == "windows" {
		return u.Uid, "S-1-5-18"
	}
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	return u.Uid, strconv.Itoa(uid + 1)
}

func TestOnlySaysWhoMayBeTheClient(t *testing.T) {
	leakcheck.Start(t)
	own, other := users(t)
	for _, k := range []kind{{}, {message: true}, {channel: true}} {
		if !k.there() {
			continue
		}
		for value, admitted := range map[string]bool{
			"same": true, own: true, other + ",same": true, "admin,same": true, other: false, other + "," + other: false,
		} {
			name := newName(t)
			listener := begin(t, words("listen", name, "-echo", "-only", value, kindOptions(k))...)
			client := runCommand(t, "", words("ping", name, soon, "-count=1", kindOptions(k))...)
			if admitted {
				require.Equal(t, 0, client.code, client.said)
				continue
			}
			require.Equal(t, 1, client.code)
			require.Contains(t, client.said, "the peer ended the connection")
			listener.says("\n")
			require.Regexp(t, "^lipc: refused: the client is process .* of user "+own+`\b.*: -only `+value+
				" does not admit it\n$", listener.said)
		}
	}
}

func TestOnlySaysWhoMayBeTheServer(t *testing.T) {
	leakcheck.Start(t)
	own, other := users(t)
	name := newName(t)
	begin(t, "listen", name, "-echo")
	secret := write(t, folder(t), "secret", "")
	for _, line := range [][]string{words("connect", name), words("ping", name), words("send-files", name, secret)} {
		fails(t, 1, " of user "+own, words(line, soon, "-only", other)...)
		fails(t, 1, "-only "+other+" does not admit it", words(line, soon, "-only", other)...)
	}
	// The policy is asked before the channel begins.
	fails(t, 1, "-only "+other+" does not admit it", "connect", name, soon, "-channel", "-only", other)
	passes(t, "", "ping", name, soon, "-only", other, "-only", "same", "-count=1")
	passes(t, "", "ping", name, soon, "-only", other+","+own, "-count=1")
}

func TestUserNamesReachTheUsersOwnListener(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	for _, k := range []kind{{}, {message: true}, {datagram: true}, {channel: true}} {
		if !k.there() {
			continue
		}
		listener := begin(t, words("listen", name, "-echo", kindOptions(k))...)
		passes(t, "", words("ping", name, soon, "-count=1", kindOptions(k))...)
		if !k.datagram {
			fails(t, 4, name, words("listen", name, kindOptions(k))...)
			require.Contains(t, passes(t, "", "peer", name), strconv.Itoa(listener.cmd.Process.Pid))
			require.Contains(t, passes(t, "", "peer", strings.TrimSpace(passes(t, "", "location", name))), "listens for")
		}
		listener.interrupt()
		listener.code()
	}
	fails(t, 3, name, "connect", name)
}
