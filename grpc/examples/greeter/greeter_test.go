package greeter

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// build builds the two programs.
func build(t *testing.T) (server, client string) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+string(filepath.Separator), "./server", "./client")
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	return filepath.Join(dir, "server"+suffix), filepath.Join(dir, "client"+suffix)
}

// start runs a server, until the function that it returns.
func start(t *testing.T, server string, args ...string) (stop func()) {
	t.Helper()
	var printed bytes.Buffer
	cmd := exec.Command(server, args...)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	require.NoError(t, cmd.Start())
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		if runtime.GOOS == "windows" { // which has no signal for one process
			cmd.Process.Kill()
			cmd.Wait()
			return
		}
		cmd.Process.Signal(os.Interrupt)
		assert.NoError(t, cmd.Wait(), "%s", &printed)
	}
	t.Cleanup(stop)
	return stop
}

// run runs a client, and returns the lines that it prints.
func run(t *testing.T, client string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(client, args...)
	cmd.Stderr = os.Stderr
	printed, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(printed)), "\n")
}

func TestServiceMovesFromOneMachineToManyByItsTarget(t *testing.T) {
	leakcheck.Start(t)
	server, client := build(t)

	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
	local := fmt.Sprintf("ipc:user:greeter-%d", os.Getpid())
	printed, err := exec.Command(client, "-target", local, "-timeout", "100ms").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(printed), "dial "+strings.Replace(local, ":", " ", 1)) // what it waited for
	stop := start(t, server, "-listen", local)
	lines := run(t, client, "-target", local, "-name", "neighbour")
	require.Len(t, lines, 1)
	assert.Regexp(t, `^`+local+`: hello neighbour, you are process \d+ of user `, lines[0])
	stop()

	cert, key := certificate(t)
	addresses := loopbackAddresses(t)
	for _, address := range addresses {
		start(t, server, "-listen", address, "-cert", cert, "-key", key)
	}
	_, port, _ := net.SplitHostPort(addresses[0])
	target := "dns://" + serveNames(t) + "/" + host + ":" + port
	answered := func() map[string]int {
		calls := map[string]int{}
		for _, line := range run(t, client, "-target", target, "-ca", cert, "-calls", "100") {
			assert.Regexp(t, `^127\.0\.0\.[12]:\d+: hello world, you are tcp 127\.`, line)
			calls[line[:strings.Index(line, ": ")]]++
		}
		return calls
	}
	require.Eventually(t, func() bool { // the first calls, until the other is ready, go to one server
		calls := answered()
		return calls[addresses[0]] >= 40 && calls[addresses[1]] >= 40
	}, 30*time.Second, time.Millisecond)
}

const host = "greeter.example"

// loopbackAddresses returns two addresses with the same port, on which nothing listens.
func loopbackAddresses(t *testing.T) []string {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer first.Close()
		_, port, _ := net.SplitHostPort(first.Addr().String())
		second, err := net.Listen("tcp", "127.0.0.2:"+port)
		if err == nil {
			defer second.Close()
			return []string{first.Addr().String(), second.Addr().String()}
		}
	}
	facility.Missing(t, "127.0.0.2, a second address of the loopback interface")
	return nil
}

// serveNames answers each question for the address of a host with both loopback addresses. Returns where it does.
func serveNames(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	go func() {
		for packet := make([]byte, 1500); ; {
			n, from, err := c.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(packet[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			for i := byte(1); i <= 2 && m.Questions[0].Type == dnsmessage.TypeA; i++ {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, i}},
				})
			}
			if answer, err := m.Pack(); err == nil {
				c.WriteTo(answer, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

// certificate writes a certificate of the host that signs itself, and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	write := func(file, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), file)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
		return path
	}
	return write("cert.pem", "CERTIFICATE", signed), write("key.pem", "PRIVATE KEY", encoded)
}

func TestExamplesAreShort(t *testing.T) {
	leakcheck.Start(t)
	files, err := filepath.Glob("*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, "greeter.go") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.LessOrEqual(t, bytes.Count(content, []byte("\n")), 100, file)
	}
}
