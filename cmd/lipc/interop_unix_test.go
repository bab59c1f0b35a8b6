//go:build unix

package main

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// startOther starts another program, which ends with the test at the latest.
func startOther(t *testing.T, line ...string) *process {
	t.Helper()
	path := needs(t, line[0])
	return beginWith(t, func(cmd *exec.Cmd) { cmd.Path = path }, line[1:]...)
}

func TestSocatTalksToListen(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listener := begin(t, "listen", name)
	awaitListener(t, name)
	socat := startOther(t, "socat", "-", "UNIX-CONNECT:"+name)
	talkBothWays(t, listener, socat)
}

func TestConnectTalksToSocat(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	socat := startOther(t, "socat", "-", "UNIX-LISTEN:"+name)
	client := begin(t, "connect", name, soon)
	talkBothWays(t, client, socat)
}

// talkBothWays has two processes talk, and both end: the other goes on reading when this one's input has ended.
func talkBothWays(t *testing.T, p, other *process) {
	t.Helper()
	p.line("hello")
	other.expect("hello")
	other.line("good day")
	p.expect("good day")
	require.NoError(t, p.in.Close())
	require.NoError(t, other.in.Close())
	require.Empty(t, p.rest()+other.rest())
	p.ends(0)
	other.ends(0)
}

func TestSocatSendsMessages(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	name := newName(t)
	listener := begin(t, "listen", name, "-message", "-keep")
	awaitListener(t, name)
	socat := startOther(t, "socat", "-u", "-", "UNIX-CONNECT:"+name+",type=5") // SOCK_SEQPACKET
	_, err := io.WriteString(socat.in, "a message")
	require.NoError(t, err)
	require.NoError(t, socat.in.Close())
	listener.expect("a message")
	socat.ends(0)
}

func TestCurlAsksServe(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	server := begin(t, "serve", name, "--", "sh", "-c", `
		while read -r header && [ "$header" != "$(printf '\r')" ]; do :; done
		printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nprocess %s asked' "$LIPC_PEER_PID"`)
	awaitListener(t, name)
	curl := startOther(t, "curl", "-sS", "--unix-socket", name, "http://localhost/")
	require.Equal(t, fmt.Sprintf("process %d asked", curl.cmd.Process.Pid), curl.rest())
	curl.ends(0)
	server.interrupt()
	server.ends(0)
	require.Empty(t, server.said.String())
}

func TestCurlAsksListen(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listener := begin(t, "listen", name)
	awaitListener(t, name)
	curl := startOther(t, "curl", "-sS", "--unix-socket", name, "http://localhost/path")
	listener.expect("GET /path HTTP/1.1\r")
	_, err := io.WriteString(listener.in, "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
	require.NoError(t, err)
	require.NoError(t, listener.in.Close())
	require.Equal(t, "hello\n", curl.rest())
	curl.ends(0)
	listener.rest()
	listener.ends(0)
}

func TestConnectTalksToNode(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	node := startOther(t, "node", "-e", `
		const server = require("net").createServer({allowHalfOpen: true}, c => {
			server.close();
			let text = "";
			c.on("data", piece => text += piece);
			c.on("end", () => c.end(text.toUpperCase()));
		});
		server.listen(process.argv[1]);`, name)
	require.Equal(t, "HELLO\n", passes(t, "hello\n", "connect", name, soon))
	node.ends(0)
}

func TestNodeTalksToListen(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listener := begin(t, "listen", name)
	awaitListener(t, name)
	node := startOther(t, "node", "-e", `
		const c = require("net").connect({path: process.argv[1], allowHalfOpen: true}, () => c.end("hello\n"));
		c.pipe(process.stdout);`, name)
	listener.expect("hello")
	listener.line("good day")
	require.NoError(t, listener.in.Close())
	require.Equal(t, "good day\n", node.rest())
	listener.ends(0)
	node.ends(0)
}

// TestExampleOfTheHelpPassesAnOpenFile types what "lipc --help" shows.
func TestExampleOfTheHelpPassesAnOpenFile(t *testing.T) {
	leakcheck.Start(t)
	_, text, found := strings.Cut(passes(t, "", "--help"), "Pass an open file to another process.")
	require.True(t, found)
	example := regexp.MustCompile(`\n    lipc (receive-files \S.*\S) {3,}lipc (send-files .*)\n`).FindStringSubmatch(text)
	require.NotNil(t, example, text)
	newUserName(t)
	receiver := begin(t, strings.Fields(example[1])...)
	location := strings.TrimSpace(passes(t, "", "location", "user:inbox"))
	awaitListener(t, location) // as a person types the second line after the first
	sent := runWith(t, "", func(cmd *exec.Cmd) {
		cmd.Dir = folder(t)
		write(t, cmd.Dir, "report.pdf", "eleven here")
	}, strings.Fields(example[2])...)
	require.Equal(t, result{0, "report.pdf: passed\n", ""}, sent)
	require.Equal(t, "11", strings.TrimSpace(receiver.rest()))
	receiver.ends(0)
}
