package tests

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// requireEcho sends a megabyte, and requires the same one back.
func requireEcho(t *testing.T, c net.Conn) {
	t.Helper()
	sent, got := random(1<<20), make([]byte, 1<<20)
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		written <- err
	}()
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.Equal(t, sent, got)
}

func TestHTTPRunsOverConnections(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
		})}
		served := make(chan error)
		l := listen(t, name)
		go func() { served <- server.Serve(l) }()
		client := &http.Client{Transport: &http.Transport{DialContext: new(ipc.Dialer).To(name)}}
		for range 3 {
			response, err := client.Post("http://local/path", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, "POST /path 1048576", string(body))
		}
		client.CloseIdleConnections()
		require.NoError(t, server.Shutdown(t.Context()))
		require.Equal(t, http.ErrServerClosed, <-served)
	}
}
