//go:build unix

package programs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// postgresProgram returns where a program of PostgreSQL is. Debian keeps it off the PATH.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NoError(t, err)
	if path, err := exec.LookPath(name); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		facility.Missing(t, "the program "+name)
	}
	return found[0]
}

// A database is a server of PostgreSQL.
type database struct {
	config *pgx.ConnConfig
	dials  *atomic.Int32
}

// startPostgres starts a server in a directory of its own. It refuses to run as root, and then runs as another user. It
// lets this process in because the kernel says who it is.
func startPostgres(t *testing.T) database {
	t.Helper()
	initdb, postgres := postgresProgram(t, "initdb"), postgresProgram(t, "postgres")
	this, err := user.Current()
	require.NoError(t, err)
	dir := leakcheck.Dir(t)
	server, data := os.Getuid(), filepath.Join(dir, "data")
	if server == 0 {
		server = 65534
		require.NoError(t, os.Chown(dir, server, server))
	}
	command := func(path string, args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.Dir = dir
		if server != os.Getuid() {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(server), Gid: uint32(server)}}
		}
		return cmd
	}
	initialize := command(initdb, "-D", data, "-U", "postgres", "--no-locale", "-E", "UTF8", "-N", "-A", "peer")
	output, err := initialize.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for file, line := range map[string]string{
		"pg_hba.conf": "local all all peer map=test", "pg_ident.conf": "test " + this.Username + " postgres",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(data, file), []byte(line+"\n"), 0o600))
	}
	// SIGINT has it end its sessions and stop.
	start(t, syscall.SIGINT, command(postgres, "-D", data, "-h", "", "-k", dir, "-c", "fsync=off", "-c", "autovacuum=off"))

	config, err := pgx.ParseConfig("user=postgres dbname=postgres host=" + dir)
	require.NoError(t, err)
	d := database{config, new(atomic.Int32)}
	dialer := ipc.Dialer{Server: ipc.AnyOf(server)}
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		d.dials.Add(1)
		return dialer.DialContext(ctx, network, address)
	}
	require.EventuallyWithT(t, func(collect *assert.CollectT) { // it listens before it lets anybody in
		c, err := pgx.ConnectConfig(t.Context(), d.config)
		if assert.NoError(collect, err) {
			assert.NoError(collect, c.Close(t.Context()))
		}
	}, patience, tick)
	return d
}

// connect returns a session, which is closed when the test ends.
func (d database) connect(t *testing.T) *pgx.Conn {
	t.Helper()
	c, err := pgx.ConnectConfig(t.Context(), d.config)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statement string, args ...any) {
	t.Helper()
	_, err := c.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

func TestPostgres(t *testing.T) {
	leakcheck.Start(t)
	d := startPostgres(t)
	for name, test := range map[string]func(*testing.T, database){
		"CopiesBothWays":                   postgresCopies,
		"NotifiesListeners":                postgresNotifies,
		"IsCancelledOverAnotherConnection": postgresIsCancelled,
		"IsCancelledWithTheContext":        postgresIsCancelledWithTheContext,
		"IsLeftAtADeadline":                postgresIsLeft,
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Start(t)
			test(t, d)
		})
	}
}

func postgresCopies(t *testing.T, d database) {
	c := d.connect(t)
	const rows = 100_000
	execute(t, c, "CREATE TABLE rows (number int, text text)")
	var text strings.Builder
	for i := range rows {
		fmt.Fprintf(&text, "%d\trow %d\n", i, i)
	}
	tag, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader(text.String()), "COPY rows FROM STDIN")
	require.NoError(t, err)
	require.EqualValues(t, rows, tag.RowsAffected())
	var got bytes.Buffer
	_, err = c.PgConn().CopyTo(t.Context(), &got, "COPY (SELECT * FROM rows ORDER BY number) TO STDOUT")
	require.NoError(t, err)
	require.True(t, text.String() == got.String())

	wide := [][]any{{rows, string(megabyte)}, {rows + 1, ""}}
	columns := []string{"number", "text"}
	n, err := c.CopyFrom(t.Context(), pgx.Identifier{"rows"}, columns, pgx.CopyFromRows(wide)) // in binary
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	var last string
	require.NoError(t, c.QueryRow(t.Context(), "SELECT text FROM rows WHERE number = $1", rows).Scan(&last))
	require.True(t, string(megabyte) == last)
}

func postgresNotifies(t *testing.T, d database) {
	const listeners, notifications = 5, 100
	var all []*pgx.Conn
	for range listeners {
		c := d.connect(t)
		execute(t, c, "LISTEN news")
		all = append(all, c)
	}
	sender := d.connect(t)
	for i := range notifications {
		execute(t, sender, "SELECT pg_notify('news', $1)", fmt.Sprint(i))
	}
	for _, c := range all {
		for i := range notifications {
			got, err := c.WaitForNotification(t.Context())
			require.NoError(t, err)
			require.Equal(t, "news "+fmt.Sprint(i), got.Channel+" "+got.Payload)
			require.Equal(t, sender.PgConn().PID(), got.PID)
		}
	}
}

// sleeps runs a long query, calls a function once the server is at it, and returns the query's error.
func (d database) sleeps(t *testing.T, ctx context.Context, c *pgx.Conn, meanwhile func()) error {
	t.Helper()
	ended := make(chan error)
	pid := c.PgConn().PID()
	go func() {
		_, err := c.Exec(ctx, "SELECT pg_sleep(1000)")
		ended <- err
	}()
	observer := d.connect(t)
	require.Eventually(t, func() (sleeps bool) {
		err := observer.QueryRow(t.Context(), "SELECT wait_event = 'PgSleep' IS TRUE FROM pg_stat_activity WHERE pid = $1",
			pid).Scan(&sleeps)
		return err == nil && sleeps
	}, patience, tick)
	meanwhile()
	return <-ended
}

func requireCancelled(t *testing.T, err error) {
	t.Helper()
	var refusal *pgconn.PgError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "57014", refusal.Code) // query_canceled
}

func postgresIsCancelled(t *testing.T, d database) {
	c := d.connect(t)
	requireCancelled(t, d.sleeps(t, t.Context(), c, func() {
		dials := d.dials.Load()
		require.NoError(t, c.PgConn().CancelRequest(t.Context()))
		require.EqualValues(t, 1, d.dials.Load()-dials, "the request takes a connection of its own")
	}))
	execute(t, c, "SELECT 1")
}

func postgresIsCancelledWithTheContext(t *testing.T, d database) {
	d.config = d.config.Copy()
	d.config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: patience}
	}
	c := d.connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	requireCancelled(t, d.sleeps(t, ctx, c, cancel))
	execute(t, c, "SELECT 1")
}

func postgresIsLeft(t *testing.T, d database) {
	c := d.connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, d.sleeps(t, ctx, c, cancel), context.Canceled) // it sets a deadline on the connection
	require.True(t, c.IsClosed())
}
