package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"concord/hub"
	"concord/storage/index"
	"concord/storage/keeper"
	"concord/storage/object/disk"
	"concord/storage/object/s3"
)

// objectStore is what both drivers are.
type objectStore interface {
	hub.Objects
	hub.Stager
	hub.Derived
}

func openObjects(ctx context.Context, cfg Config) (objectStore, error) {
	if cfg.S3 != "" {
		return s3.Open(ctx, cfg.S3, s3.Options{})
	}
	return disk.Open(filepath.Join(cfg.Data, "objects"), disk.Options{})
}

// embedded is the keeper in this process, or a way to the one in the process that holds the data folder.
type embedded struct {
	keeper *keeper.Keeper
	path   string // of the snapshot
	lock   *os.File
	socket net.Listener

	mu    sync.Mutex
	saved uint64 // the number of changes at the last snapshot
}

const (
	socketName   = "keeper.sock"
	snapshotName = "keeper.snapshot"
	lockName     = "keeper.lock"
)

// openIndexClient connects to Redis or to the embedded keeper. Where another process holds the folder's keeper, alone is
// refused and the others go through its socket. first are the tags that a snapshot takes first. The returned embedded is nil unless the keeper is in this process.
func openIndexClient(cfg Config, first []string, alone bool) (redis.UniversalClient, *embedded, error) {
	redis.SetLogger(redisLog{})
	if cfg.Redis != "" {
		client, err := index.Connect(cfg.Redis)
		return client, nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o750); err != nil {
		return nil, nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(cfg.Data, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil, fmt.Errorf("lock the data folder: %w", err)
		}
		if alone {
			return nil, nil, &hub.Error{Kind: hub.Conflict, Msg: "another hub runs on the data folder " + cfg.Data,
				Hint: "stop it, choose another --data, or give both hubs one --redis"}
		}
		path := filepath.Join(cfg.Data, socketName)
		return index.ConnectDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}), nil, nil
	}
	e := &embedded{keeper: keeper.New(keeper.Options{First: first}), path: filepath.Join(cfg.Data, snapshotName), lock: lock}
	if err := e.restore(); err != nil {
		slog.Warn("the index snapshot cannot be used; the index is made from the log", "err", err)
		e.keeper = keeper.New(keeper.Options{First: first})
	}
	if e.socket, err = keeper.ListenUnix(filepath.Join(cfg.Data, socketName)); err != nil {
		lock.Close()
		return nil, nil, err
	}
	go e.keeper.Serve(e.socket)
	return index.ConnectLocal(e.keeper), e, nil
}

// redisLog takes what the Redis client would print by itself; the errors come back from its calls as well.
type redisLog struct{}

func (redisLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}

func (e *embedded) restore() error {
	f, err := os.Open(e.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	started := time.Now()
	if err := e.keeper.Restore(bufio.NewReaderSize(f, 1<<20)); err != nil {
		return err
	}
	if took := time.Since(started); took > time.Second {
		slog.Info("index snapshot restored", "took", took.Round(time.Millisecond))
	}
	return nil
}

// save writes a snapshot beside the old one and puts it in its place. A snapshot may be lost at any time: the log has all.
func (e *embedded) save() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	tmp := e.path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("save the index: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(e.keeper.SnapshotTo(w), w.Flush(), f.Close())
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("save the index: %w", err)
	}
	return os.Rename(tmp, e.path)
}

// keepSaved saves now and then while changes says that there is something new, until ctx ends.
func (e *embedded) keepSaved(ctx context.Context, every time.Duration, changes func() uint64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n := changes(); n != e.saved {
			if err := e.save(); err != nil {
				slog.Warn("index snapshot", "err", err)
				continue
			}
			e.saved = n
		}
	}
}

func (e *embedded) close() error {
	err := e.save()
	e.socket.Close()
	e.keeper.Close()
	e.lock.Close()
	return err
}
