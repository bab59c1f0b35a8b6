//go:build unix

package programs

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
)

// startRedis starts a server on a name of the user's own, and returns a client of it.
func startRedis(t *testing.T) *redis.Client {
	t.Helper()
	dir := leakcheck.Dir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	name := ipc.UserName("redis")
	location, err := name.Location()
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Dir(location), 0o700)) // a listener of this package would create it
	start(t, syscall.SIGTERM, exec.Command("redis-server", "--port", "0", "--unixsocket", location,
		"--unixsocketperm", "600", "--dir", dir, "--save", "", "--appendonly", "no"))
	listening(t, name)
	client := redis.NewClient(&redis.Options{
		Network: "unix", Addr: name.String(), Dialer: new(ipc.Dialer).DialContext, ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

func TestRedisAnswersPipelines(t *testing.T) {
	leakcheck.Start(t)
	client, ctx := startRedis(t), t.Context()
	const count = 10_000
	answers, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range count {
			pipe.IncrBy(ctx, "sum", int64(i))
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, answers, count)
	sum := int64(0)
	for i, answer := range answers {
		sum += int64(i)
		require.Equal(t, sum, answer.(*redis.IntCmd).Val())
	}

	value := string(megabyte)
	_, err = client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		for i := range 20 {
			pipe.Set(ctx, fmt.Sprint("large", i), value, 0)
		}
		return nil
	})
	require.NoError(t, err)
	for i := range 20 {
		got, err := client.Get(ctx, fmt.Sprint("large", i)).Result()
		require.NoError(t, err)
		require.True(t, value == got)
	}
}

func TestRedisPublishesToSubscribers(t *testing.T) {
	leakcheck.Start(t)
	client, ctx := startRedis(t), t.Context()
	const subscribers, messages = 10, 1000
	received := make([]<-chan *redis.Message, subscribers)
	for i := range received {
		subscription := client.Subscribe(ctx, "news")
		defer subscription.Close()
		_, err := subscription.Receive(ctx) // the confirmation
		require.NoError(t, err)
		received[i] = subscription.Channel(redis.WithChannelSize(messages))
	}
	for i := range messages {
		reached, err := client.Publish(ctx, "news", i).Result()
		require.NoError(t, err)
		require.EqualValues(t, subscribers, reached)
	}
	for _, subscription := range received {
		for i := range messages {
			require.Equal(t, fmt.Sprint(i), (<-subscription).Payload)
		}
	}
}

func TestRedisIsWaitedForUntilTheContextEnds(t *testing.T) {
	leakcheck.Start(t)
	client := startRedis(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client.BLPop(ctx, 0, "nothing").Result()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
	require.NoError(t, client.Ping(t.Context()).Err())
}

func TestConnectionThatRedisClosedIsNoticedBeforeItIsUsedAgain(t *testing.T) {
	leakcheck.Start(t)
	client, ctx := startRedis(t), t.Context()
	conn := client.Conn()
	id, err := conn.ClientID(ctx).Result()
	require.NoError(t, err)
	require.NoError(t, conn.Close()) // back to the pool
	killer := client.Conn()
	defer killer.Close()
	again, err := killer.ClientID(ctx).Result() // the same connection
	require.NoError(t, err)
	require.Equal(t, id, again)
	other := client.Conn()
	defer other.Close()
	killed, err := other.ClientKillByFilter(ctx, "ID", fmt.Sprint(id)).Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, killed)
	require.NoError(t, killer.Close())
	require.NoError(t, client.Ping(ctx).Err())
}
