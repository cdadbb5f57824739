package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/lab"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// build builds a topology under a name of its own, for the time of the test.
func build(t *testing.T, topology lab.Topology) *lab.Lab {
	t.Helper()
	testenv.NeedRoot(t)
	topology.Name = testenv.Name(t, "lab")
	l, err := lab.Build(t.Context(), topology)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func ping(ctx context.Context, from *lab.Namespace, to netip.Addr, flags ...string) error {
	_, err := from.Run(ctx, append([]string{"ping", "-n", "-q", "-c1", "-W2", to.String()}, flags...)...)
	return err
}

// pingAll pings every address of the lab from every host.
func pingAll(ctx context.Context, l *lab.Lab, flags ...string) error {
	var g errgroup.Group
	for _, from := range l.Hosts() {
		for _, to := range l.Hosts() {
			for _, address := range to.Machine().NICs[0].Addresses {
				g.Go(func() error {
					if err := ping(ctx, &from.Namespace, address.Addr(), flags...); err != nil {
						return fmt.Errorf("%s to %s: %w", from.Name(), to.Name(), err)
					}
					return nil
				})
			}
		}
	}
	return g.Wait()
}

func TestDemoHostsReachEachOther(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ping")
	l := build(t, lab.Demo(""))
	if err := pingAll(t.Context(), l); err != nil {
		t.Error(err)
	}
	// c is one router away, b is not, and 1500 bytes pass unbroken.
	a := l.Host("a")
	for to, ttl := range map[string]string{"b": "1", "c": "2"} {
		address := l.Host(to).Machine().NICs[0].Addresses[0].Addr()
		if err := ping(t.Context(), &a.Namespace, address, "-t", ttl, "-M", "do", "-s", "1472"); err != nil {
			t.Error(err)
		}
	}
	far := l.Host("c").Machine().NICs[0].Addresses[0].Addr()
	if err := ping(t.Context(), &a.Namespace, far, "-t", "1"); err == nil {
		t.Error("c answers to a TTL of 1")
	}
	if err := ping(t.Context(), &a.Namespace, far, "-M", "do", "-s", "1473"); err == nil {
		t.Error("1501 bytes pass")
	}
}

func TestTwoLabsAtOneTime(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ping")
	testenv.NeedRoot(t)
	var g errgroup.Group
	for range 2 {
		topology := lab.Demo(testenv.Name(t, "lab"))
		g.Go(func() error {
			l, err := lab.Build(t.Context(), topology)
			if err != nil {
				return err
			}
			return errors.Join(pingAll(t.Context(), l), l.Close(context.Background()))
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	l := build(t, lab.Demo(""))
	host := l.Host("b")
	workload, err := host.Workload("web")
	if err != nil {
		t.Fatal(err)
	}
	// As an agent has its domains: in a folder of the host.
	domain := filepath.Join(host.Dir(), "run", "netns", "weft-blue")
	if err := netns.Create(domain); err != nil {
		t.Fatal(err)
	}
	paths := []string{l.Dir(), l.Underlay().Path(), host.Path(), workload.Path(), domain}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
	names, err := netns.List(netns.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.Contains(name, l.Name()) {
			t.Errorf("namespace %s is left", name)
		}
	}
}

func TestBuildTwice(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "ping")
	l := build(t, lab.Demo(""))
	_, err := lab.Build(t.Context(), lab.Demo(l.Name()))
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("want ErrExist, got %v", err)
	}
	if err := pingAll(t.Context(), l); err != nil {
		t.Errorf("the first one suffered: %v", err)
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	topology := lab.Demo(testenv.Name(t, "lab"))
	// The kernel refuses one address twice, after all else is there.
	nic := &topology.Machines[3].NICs[1]
	nic.Addresses = append(nic.Addresses, nic.Addresses[0])
	l, err := lab.Build(t.Context(), topology)
	if l != nil || err == nil || !strings.Contains(err.Error(), "machine r: eth1: add address 198.51.100.1/24: file exists") {
		t.Errorf("got %v, %v", l, err)
	}
	wantNoLab(t, topology.Name)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lab.Build(ended, lab.Demo(topology.Name)); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	wantNoLab(t, topology.Name)
}

// wantNoLab leaves it to TestMain to find leaked namespaces.
func wantNoLab(t *testing.T, name string) {
	t.Helper()
	labs, err := lab.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range labs {
		if l == name {
			t.Errorf("lab %s is left", name)
		}
	}
}
