//go:build unix

package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// startServer starts an example that serves, and waits until it listens. Returns where.
func startServer(t *testing.T, program string, args ...string) (server *process, address string) {
	t.Helper()
	server = startExample(t, program, args...)
	address, listens := strings.CutPrefix(server.answer(), "listening on ")
	require.True(t, listens)
	return server, address
}

// terminate asks a process to end, and requires that it succeeds.
func (p *process) terminate() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.end()
}

// serveUser serves HTTP on a user's name until the test ends.
func serveUser(t *testing.T, app string, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler}
	l := listen(t, ipc.UserName(app))
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		require.Equal(t, http.ErrServerClosed, <-served)
	})
}

func TestExampleHTTPSaysWhoAsked(t *testing.T) {
	leakcheck.Start(t)
	program := buildExample(t, "http")
	name := newUserName(t).String()
	server, _ := startServer(t, program, "serve", name)
	location := strings.TrimPrefix(server.answer(), "other programs find it at ")
	client := exec.Command(program, "get", name, "/tea")
	output, err := client.Output()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("GET /tea, asked by process %d of user %d, group %d\n", client.Process.Pid, os.Getuid(),
		os.Getgid()), string(output))
	require.Error(t, exec.Command(program, "serve", name).Run(), "the name is taken")
	server.terminate()
	require.NoFileExists(t, location)
	require.Error(t, exec.Command(program, "get", name, "/tea").Run())
}

func TestExampleWebStreamsInHTTP2UntilItEnds(t *testing.T) {
	leakcheck.Start(t)
	program := buildExample(t, "web")
	name := newUserName(t).String()
	output, err := exec.Command(program, "put", name).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "usage")
	server, _ := startServer(t, program, "serve", name)
	client := exec.Command(program, "get", name, "/")
	output, err = client.Output()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("HTTP/2.0, asked by process %d of user %d, group %d\n", client.Process.Pid, os.Getuid(),
		os.Getgid()), string(output))
	var streams [3]*process
	for i := range streams {
		streams[i] = startExample(t, program, "get", name, "/ticks")
		streams[i].expect("tick 0")
		streams[i].expect("tick 1")
	}
	streams[0].kill() // which does not hold up the server
	server.terminate()
	for _, stream := range streams[1:] {
		rest, err := io.ReadAll(outputOf(stream))
		require.NoError(t, err)
		require.Contains(t, string(rest), "the server ends\n")
		stream.end()
	}
}

// A front is how to reach a proxy.
type front struct {
	host    string
	connect func() (net.Conn, error)
}

// fronts starts a proxy on a name and one on localhost, which end with the test.
func fronts(t *testing.T, apps ...string) []*front {
	t.Helper()
	program := buildExample(t, "proxy")
	onName, name := startServer(t, program, append([]string{"user:proxy"}, apps...)...)
	onTCP, address := startServer(t, program, append([]string{"localhost:0"}, apps...)...)
	t.Cleanup(onName.terminate)
	t.Cleanup(onTCP.terminate)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return []*front{
		{"local", func() (net.Conn, error) { return new(ipc.Dialer).DialContext(t.Context(), "unix", name) }},
		{"localhost:" + port, func() (net.Conn, error) { return net.Dial("tcp", address) }},
	}
}

// ask sends a request as it is, but for its line ends, and returns the answer and its body.
func (f *front) ask(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	c, err := f.connect()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n"))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

// get asks for a path, with more header fields.
func (f *front) get(t *testing.T, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	return f.ask(t, fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\n%s\n", path, f.host, strings.Join(append(fields, ""), "\n")))
}

// asCGI returns the values of a field as a server of CGI gets them, in HTTP_LIPC_PEER or the like.
func asCGI(header http.Header, field string) (values []string) {
	for one := range header {
		if strings.EqualFold(strings.ReplaceAll(one, "_", "-"), field) {
			values = append(values, header[one]...)
		}
	}
	return values
}

func TestExampleProxyPassesRequestsToTheServerInTheirPath(t *testing.T) {
	leakcheck.Start(t)
	privateRuntimeDirectory(t)
	serveUser(t, "app", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s, asked by %q", r.RequestURI, r.Host, asCGI(r.Header, "Lipc-Peer"))
	}))
	reached := make(chan string, 100)
	serveUser(t, "other", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.RequestURI }))
	for _, f := range fronts(t, "app", "absent") {
		asker := "[]" // the kernel does not say which process connects to an address of TCP
		if f.host == "local" {
			asker = fmt.Sprintf(`["process %d of user %d, group %d"]`, os.Getpid(), os.Getuid(), os.Getgid())
		}
		for _, path := range []string{"/", "/a/b?c=d", "/a%2Fb", "/user:other/x", "/app/again", "/other/"} {
			for _, fields := range [][]string{
				nil,
				{"Lipc-Peer: process 1 of user 0, group 0"},
				{"lipc-peer: one", "LIPC-PEER: two"},
				{"Lipc_Peer: one", "lipc_peer: two"},
				{"Connection: close, Lipc-Peer"}, // which asks that the field goes no further
			} {
				response, body := f.get(t, "/app"+path, fields...)
				require.Equal(t, http.StatusOK, response.StatusCode)
				require.Equal(t, fmt.Sprintf("%s for %s, asked by %s", path, f.host, asker), body)
			}
		}

		// A server that the proxy was not given is out of reach.
		for _, path := range []string{
			"/other/", "/other", "//other/", "/user:other/", "/app/../other/", "/app/%2e%2e/other/", "/app%2f..%2fother/",
			"/app%00other/", "/", "http://other/", "http://user:other@" + f.host + "/other/",
		} {
			response, _ := f.get(t, path)
			require.NotEqual(t, http.StatusBadGateway, response.StatusCode, path) // it did not even dial
		}
		require.Empty(t, reached)

		response, body := f.get(t, "/absent/x")
		require.Equal(t, http.StatusBadGateway, response.StatusCode)
		require.Equal(t, "no answer from the server of user:absent: ", strings.SplitAfter(body, "absent: ")[0])
	}
}

func TestExampleProxyAnswersNoPageOfAnotherSite(t *testing.T) {
	leakcheck.Start(t)
	privateRuntimeDirectory(t)
	serveUser(t, "app", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	f := fronts(t, "app")[1]
	for _, one := range []struct {
		host, origin string
		want         int
	}{
		{f.host, "http://" + f.host, http.StatusOK},
		{f.host, "http://elsewhere.example", http.StatusForbidden},
		{"elsewhere.example", "http://elsewhere.example", http.StatusNotFound}, // a name that leads to 127.0.0.1
	} {
		response, _ := f.ask(t, fmt.Sprintf("POST /app/ HTTP/1.1\nHost: %s\nOrigin: %s\nContent-Length: 0\n\n", one.host,
			one.origin))
		require.Equal(t, one.want, response.StatusCode, one)
		response, _ = f.ask(t, fmt.Sprintf("GET /app/ HTTP/1.1\nHost: %s\nOrigin: %s\nConnection: Upgrade\n"+
			"Upgrade: websocket\n\n", one.host, one.origin))
		require.Equal(t, one.want, response.StatusCode, one)
	}
}

func TestExampleProxyPassesUpgradedConnectionsAndStreams(t *testing.T) {
	leakcheck.Start(t)
	privateRuntimeDirectory(t)
	next := make(chan bool)
	serveUser(t, "app", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			for range 3 { // each line goes out before the next one is there
				<-next
				fmt.Fprintln(w, "line")
				http.NewResponseController(w).Flush()
			}
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, both, err := http.NewResponseController(w).Hijack()
		if err == nil {
			io.Copy(c, both)
			c.Close()
		}
	}))
	for _, f := range fronts(t, "app") {
		c, err := f.connect()
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		fmt.Fprintf(c, "GET /app/ HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", f.host)
		answers := bufio.NewReader(c)
		response, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
		for i := range 100 {
			fmt.Fprintf(c, "%d\n", i)
			answer, err := answers.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%d\n", i), answer)
		}

		stream, err := f.connect()
		require.NoError(t, err)
		defer stream.Close()
		require.NoError(t, stream.SetDeadline(time.Now().Add(patience)))
		fmt.Fprintf(stream, "GET /app/ HTTP/1.1\r\nHost: %s\r\n\r\n", f.host)
		next <- true
		response, err = http.ReadResponse(bufio.NewReader(stream), nil)
		require.NoError(t, err)
		lines := bufio.NewScanner(response.Body)
		expectLine(t, lines, "line")
		for range 2 {
			next <- true
			expectLine(t, lines, "line")
		}
		require.False(t, lines.Scan())
		require.NoError(t, lines.Err())
	}
}
