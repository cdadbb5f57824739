package etcdstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/store"
)

// node is a node whose underlay address is made of n.
func node(n int) *overlay.Node {
	name := fmt.Sprintf("n%d", n)
	return &overlay.Node{
		Meta: overlay.Meta{Kind: overlay.KindNode, Name: name},
		Spec: overlay.NodeSpec{
			Underlay:    []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 16)},
			UnderlayMTU: 1500,
			VTEPMAC:     overlay.MAC{2, 0, 0, 0, byte(n >> 8), byte(n)},
		},
	}
}

func put(t testing.TB, s store.Store, r overlay.Resource) overlay.Revision {
	t.Helper()
	_, at, err := s.Update(t.Context(), store.Change{Put: r, Expect: store.Any})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// list is everything in a store, by key, and its revision.
func list(t testing.TB, s store.Store, in store.Interest) (map[overlay.Key]overlay.Resource, overlay.Revision) {
	t.Helper()
	stop := errors.New("listed")
	all, at := map[overlay.Key]overlay.Resource{}, overlay.Revision{}
	err := s.Watch(t.Context(), in, overlay.Revision{}, func(b store.Batch) error {
		for _, r := range b.Puts {
			all[r.Key()] = r
		}
		at = b.Revision
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return all, at
}

// TestRestart: a store that was closed and opened is the same, and can be watched
// from where it was.
func TestRestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	e := embedded(t, dir, EmbedOptions{})
	first := put(t, e, node(1))
	second := put(t, e, node(2))
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("close again: %v", err)
	}
	e = embedded(t, dir, EmbedOptions{})
	if all, at := list(t, e, store.Interest{}); len(all) != 2 || at != second {
		t.Errorf("got %v at %s, want two nodes at %s", all, at, second)
	}
	stop := errors.New("resumed")
	err := e.Watch(t.Context(), store.Interest{}, first, func(b store.Batch) error {
		if b.Reset || len(b.Puts) != 1 || b.Puts[0].Key() != node(2).Key() {
			t.Errorf("resumed with %+v", b)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// TestClose: what is under way ends, and nothing begins.
func TestClose(t *testing.T) {
	t.Parallel()
	e := embedded(t, t.TempDir(), EmbedOptions{})
	listed, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- e.Watch(context.Background(), store.Interest{}, overlay.Revision{}, func(store.Batch) error {
			close(listed)
			return nil
		})
	}()
	<-listed
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-e.Stopped()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("watch: got %v, want ErrUnavailable", err)
	}
	if err := e.Watch(t.Context(), store.Interest{}, overlay.Revision{}, nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("watch after Close: got %v, want ErrUnavailable", err)
	}
	if _, _, err := e.Update(t.Context(), store.Change{Put: node(1)}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("update after Close: got %v, want ErrUnavailable", err)
	}
}

// TestEtcdStops: when etcd stops by itself, so does the store.
func TestEtcdStops(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := embedded(t, dir, EmbedOptions{})
	ended := make(chan error)
	go func() {
		ended <- e.Watch(context.Background(), store.Interest{}, overlay.Revision{}, func(store.Batch) error { return nil })
	}()
	e.etcd.Server.HardStop()
	<-e.Stopped()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("watch: got %v, want ErrUnavailable", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	embedded(t, dir, EmbedOptions{}) // the folder is free again
}

func TestFolderIsExclusive(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state", "etcd")
	e := embedded(t, dir, EmbedOptions{})
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, error %v", info.Mode(), err)
	}
	second, err := Embed(t.Context(), dir, EmbedOptions{})
	if err == nil || !strings.Contains(err.Error(), "another process uses it") {
		t.Errorf("a second one: got %v, error %v", second, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	embedded(t, dir, EmbedOptions{})
}

func TestEmbedFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := Embed(t.Context(), file, EmbedOptions{}); err == nil {
		t.Errorf("in a file: got %v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if e, err := Embed(ctx, dir, EmbedOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, error %v", e, err)
	}
	if e, err := Embed(t.Context(), dir, EmbedOptions{Options: Options{Prefix: "weft/"}}); err == nil {
		t.Errorf("prefix weft/: got %v", e)
	}
	embedded(t, dir, EmbedOptions{})
}

// TestQuiet: etcd says nothing above debug level in an ordinary life, but that the
// machine is slow; all it says goes to the logger, and no secret is in it.
func TestQuiet(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := embedded(t, t.TempDir(), EmbedOptions{Log: log})
	if _, err := e.Keep(t.Context(), "ca", []byte("the secret")); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text.String(), "the secret") {
		t.Error("etcd logged what was written")
	}
	if !strings.Contains(text.String(), `msg="etcd: `) {
		t.Errorf("etcd logged nothing: %s", text.String())
	}
	slow := regexp.MustCompile(`level=WARN msg="etcd: .*(slow|too long|overloaded)`)
	for line := range strings.Lines(text.String()) {
		if !strings.Contains(line, "level=DEBUG") && !slow.MatchString(line) {
			t.Error(line)
		}
	}
}

// writer embeds etcd in a folder and makes node after node, each printed once
// it is acknowledged, until it is killed.
func writer(dir string) {
	start := time.Now()
	e, err := Embed(context.Background(), dir, EmbedOptions{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("ready", time.Since(start))
	for n := 0; ; n++ {
		_, at, err := e.Update(context.Background(), store.Change{Put: node(n), Expect: store.Any})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(node(n).Name, at.Number)
	}
}

// TestKilled: every write that was acknowledged is there after kill -9.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 3 {
		p := spawn(t, "writer", dir)
		for n := 0; n < 200*(round+1) && p.out.Scan(); n++ {
			word, rest, _ := strings.Cut(p.out.Text(), " ")
			switch word {
			case "error":
				t.Fatalf("round %d: %s", round, rest)
			case "ready":
				t.Logf("round %d: ready after %s", round, rest)
			default:
				acknowledged[word] = true
			}
		}
		p.kill()
	}
	all, _ := list(t, embedded(t, dir, EmbedOptions{}), store.Interest{})
	for name := range acknowledged {
		if all[overlay.Key{Kind: overlay.KindNode, Name: name}] == nil {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	if len(acknowledged) < 500 {
		t.Errorf("only %d writes", len(acknowledged))
	}
}

// TestNothingListens: the process has no socket at all, while an etcd with
// listeners has some: the probe can fail.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	p := spawn(t, "writer", t.TempDir())
	if !p.out.Scan() || !strings.HasPrefix(p.out.Text(), "ready") {
		t.Fatalf("got %q", p.out.Text())
	}
	if open := sockets(t, p); len(open) > 0 {
		t.Errorf("it has %v", open)
	}
	p.kill()
	c := startCluster(t, nil)
	testenv.Eventually(t, 20*time.Second, func() error {
		if len(sockets(t, c.process)) == 0 {
			return errors.New("it has no socket")
		}
		return nil
	}, "an etcd with listeners has sockets")
}

// sockets lists the sockets that a process has open, of any family.
func sockets(t *testing.T, p *process) []string {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.Process.Pid))
	if err != nil || len(links) < 3 {
		t.Fatalf("open files: %v, error %v", links, err)
	}
	var open []string
	for _, link := range links {
		// A file that was closed since it was listed is none.
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:") {
			open = append(open, target)
		}
	}
	return open
}
