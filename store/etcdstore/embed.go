package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"weft/store"
)

// EmbedOptions change how an embedded etcd works.
type EmbedOptions struct {
	Options
	// Log gets etcd's messages: its information as debug messages. Or nil.
	Log *slog.Logger
}

// Embedded is a Store whose etcd is part of this process. Nothing listens, on
// no socket of any kind: the store calls etcd's functions.
type Embedded struct {
	*Store
	etcd    *embed.Etcd
	stopped chan struct{}
}

// Embed starts etcd with its data in a folder, which it makes if it is not there
// and gives mode 0700, and returns when it answers. A second process is refused
// the folder.
func Embed(ctx context.Context, dir string, o EmbedOptions) (*Embedded, error) {
	unlock, err := lock(dir)
	if err != nil {
		return nil, fmt.Errorf("embed etcd: %w", err)
	}
	etcd, err := start(ctx, dir, o.Log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embed etcd in %s: %w", dir, err), unlock())
	}
	client := v3client.New(etcd.Server)
	e := &Embedded{etcd: etcd, stopped: make(chan struct{})}
	var watched sync.WaitGroup
	release := func() error {
		err := client.Close()
		if errors.Is(err, context.Canceled) {
			err = nil // what closing a client without a connection returns
		}
		etcd.Close()
		watched.Wait()
		return errors.Join(err, unlock())
	}
	e.Store, err = open(ctx, client.KV, local(v3rpc.NewWatchServer(etcd.Server)), release, o.Options)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	watched.Go(func() {
		<-etcd.Server.StopNotify()
		e.shut()
		close(e.stopped)
	})
	return e, nil
}

// Stopped is closed when etcd has stopped: by Close, or because it could not go on.
func (e *Embedded) Stopped() <-chan struct{} { return e.stopped }

// start starts etcd and waits until it is ready.
func start(ctx context.Context, dir string, log *slog.Logger) (*embed.Etcd, error) {
	if err := clearUnmade(dir); err != nil {
		return nil, err
	}
	if err := checkDatabase(dir); err != nil {
		return nil, err
	}
	etcd, err := embed.StartEtcd(config(dir, log))
	if err != nil {
		return nil, err
	}
	if err = awaitReady(ctx, etcd, dir, log); err == nil {
		if err = markMade(dir); err == nil {
			return etcd, nil
		}
	}
	etcd.Close()
	return nil, err
}

// readyTime is how long a start takes at most, but for damage.
const readyTime = 15 * time.Second

// awaitReady waits as long as it takes. A log that was cut off can lack entries
// which the database says are committed: etcd waits for them from other members,
// for ever.
func awaitReady(ctx context.Context, etcd *embed.Etcd, dir string, log *slog.Logger) error {
	late := time.NewTimer(readyTime)
	defer late.Stop()
	for {
		select {
		case <-etcd.Server.ReadyNotify():
			return nil
		case <-etcd.Server.StopNotify():
			return errors.New("it stopped")
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			if log != nil {
				log.Error("the store is not ready yet; if it stays so its files are damaged: end this server, and put the folder back from a backup, or move it away and start again: nodes keep what they have until the store is recovered",
					"folder", dir)
			}
		}
	}
}

// segment sizes are a variable of etcd's, to be set before the first start.
var segmentOnce = sync.OnceFunc(func() { wal.SegmentSizeBytes = walSegment })

const (
	// walSegment is how much of the write-ahead log is allocated at once; there
	// are two of them from the start. etcd's own 64 MB are for much more load.
	walSegment = 8 << 20
	// tickMillis and electionMillis: a member that is alone elects itself after
	// one to two election timeouts, and needs no heartbeat.
	tickMillis, electionMillis = 50, 250
	// snapshotEvery is how many changes are kept in memory, and read again at a
	// start, before etcd relies on its database alone.
	snapshotEvery, snapshotKeep = 2000, 500
	// history is how many revisions are kept for watches to resume from, at least.
	history = "10000"
	// quota of the database's file, in bytes; a million endpoints take about 2 GiB.
	quota = 8 << 30
	// defragmentAbove is how many MiB a start must be able to win back to do so.
	defragmentAbove = 64
)

// config is a cluster of one member that listens nowhere. Its peer URL is only
// its name in its own member list.
func config(dir string, log *slog.Logger) *embed.Config {
	const name = "weft"
	self := url.URL{Scheme: "unix", Host: name}
	c := embed.NewConfig()
	c.Name, c.Dir = name, dir
	c.ListenPeerUrls, c.ListenClientUrls = nil, nil
	c.AdvertisePeerUrls, c.AdvertiseClientUrls = []url.URL{self}, nil
	c.InitialCluster = name + "=" + self.String()
	c.EnableGRPCGateway = false
	c.AuthToken = "" // nobody logs in
	c.TickMs, c.ElectionMs = tickMillis, electionMillis
	c.SnapshotCount, c.SnapshotCatchUpEntries = snapshotEvery, snapshotKeep
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModeRevision, history
	c.QuotaBackendBytes = quota
	c.BootstrapDefragThresholdMegabytes = defragmentAbove
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger(log))
	segmentOnce()
	return c
}

var _ store.Store = (*Embedded)(nil)
