package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/lab"
	"weft/overlay"
)

// TestForeignBridges: what is behind bridges that are not Weft's, on two hosts, is
// reached from everywhere and reaches everybody, and of the bridges nothing changes
// but that they have a port more.
func TestForeignBridges(t *testing.T) {
	t.Parallel()
	for _, plane := range planes {
		t.Run(string(plane), func(t *testing.T) {
			t.Parallel()
			reachesForeignBridges(t, plane)
		})
	}
}

func reachesForeignBridges(t *testing.T, plane overlay.PlaneName) {
	s := begin(t)
	s.a.weft("network create blue --plane %s --subnet 10.7.0.0/24 --subnet6 fd00:7::/64", plane)
	single := s.a.attach("blue")
	type end struct {
		*lab.Namespace
		v4, v6 string
	}
	ends := []end{{single.Namespace, single.Endpoint.Spec.Addresses[0].String(), single.Endpoint.Spec.Addresses[1].String()}}
	for i, h := range []*host{s.b, s.c} {
		h.bridge("docker7")
		for j := range 2 {
			e := end{v4: fmt.Sprintf("10.7.0.%d", 100+10*i+j), v6: fmt.Sprintf("fd00:7::%d", 100+10*i+j)}
			e.Namespace = h.station("docker7", fmt.Sprintf("st%d", j), e.v4+"/24", e.v6+"/64")
			ends = append(ends, e)
		}
		before := testenv.Output(t, h.Path(), "ip", "-j", "link", "show", "docker7")
		h.weft("endpoint attach blue --bridge docker7")
		if after := testenv.Output(t, h.Path(), "ip", "-j", "link", "show", "docker7"); after != before {
			t.Errorf("the bridge was\n%s\nand is\n%s", before, after)
		}
	}
	var g errgroup.Group
	for _, from := range ends {
		for _, to := range ends {
			g.Go(func() error {
				if err := ping(context.Background(), from.Namespace, to.v4, "-w5"); err != nil {
					return err
				}
				return ping(context.Background(), from.Namespace, to.v6, "-w5")
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	for _, h := range []*host{s.b, s.c} {
		if err := saysAll(h.weft("fdb blue"), "learnt"); err != nil {
			t.Error(err)
		}
	}
	testenv.Eventually(t, patience, func() error { return saysAll(s.a.weft("fdb blue"), "registry", "198.51.100.13") }, "a knows of stations on c")
}

// TestSilentStations: stations that only answer, behind bridges that are not Weft's on
// two hosts, are reached again when Weft's bridge was made anew, alone or after a reboot
// with all else, and stay published meanwhile.
func TestSilentStations(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --plane kernel --subnet 10.7.0.0/24")
	near, far := s.b.silent("10.7.0.110"), s.c.silent("10.7.0.120")
	s.pings(near.Namespace, far.address)
	near.published, far.published = near.uid(), far.uid()
	near.knows(far)
	far.knows(near)

	again := func(what string) {
		t.Helper()
		testenv.Eventually(t, 2*time.Second, func() error {
			return ping(t.Context(), near.Namespace, far.address, "-W0.2")
		}, "ping after "+what)
		// Longer than it takes to withdraw a station.
		if out, err := near.Run(t.Context(), "ping", "-n", "-c20", "-i0.1", "-W1", far.address); err != nil || !strings.Contains(out, " 0% packet loss") {
			t.Errorf("after %s: %v\n%s", what, err, out)
		}
		for _, st := range []*silent{near, far} {
			if now := st.uid(); now != st.published {
				t.Errorf("after %s: station %s was published as %s and is %s", what, st.address, st.published, now)
			}
		}
	}
	domain := filepath.Join(s.c.Dir(), "run", "netns", "weft-blue")
	testenv.Run(t, domain, "ip", "link", "delete", "br0")
	testenv.Eventually(t, patience, func() error {
		_, err := netns.Output(t.Context(), domain, "ip", "link", "show", "br0")
		return err
	}, "the bridge is made again")
	again("the bridge's deletion")

	s.c.kill()
	if err := netns.Delete(domain); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, patience, func() error {
		if out := testenv.Output(t, s.c.Path(), "ip", "link"); strings.Contains(out, "alias weft:") {
			return errors.New(out)
		}
		return nil
	}, "the port goes with the domain")
	s.c.restart()
	testenv.Eventually(t, patience, s.c.differs, "the domain is made again")
	again("a reboot")
}

// silent is a station that says nothing unless it is asked.
type silent struct {
	*lab.Namespace
	host      *host
	address   string
	published string
}

// silent makes one behind a bridge of the host's, and attaches that to blue.
func (h *host) silent(address string) *silent {
	h.s.t.Helper()
	h.bridge("docker7")
	ns := h.station("docker7", "st", address+"/24")
	testenv.Run(h.s.t, ns.Path(), "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
	h.weft("endpoint attach blue --bridge docker7")
	return &silent{Namespace: ns, host: h, address: address}
}

// uid is that of the station's endpoint, once it is published with its address.
func (st *silent) uid() (uid string) {
	t := st.host.s.t
	t.Helper()
	testenv.Eventually(t, patience, func() error {
		var all []overlay.Endpoint
		st.host.s.a.read(&all, "endpoint ls blue")
		for _, e := range all {
			if slices.Contains(e.Spec.Addresses, netip.MustParseAddr(st.address)) {
				uid = string(e.UID)
				return nil
			}
		}
		return fmt.Errorf("%d endpoints, and none with %s", len(all), st.address)
	}, "station is published")
	return uid
}

// knows spares the station asking for another one.
func (st *silent) knows(other *silent) {
	t := st.host.s.t
	t.Helper()
	mac := strings.Fields(testenv.Output(t, other.Path(), "ip", "-br", "link", "show", "eth0"))[2]
	testenv.Run(t, st.Path(), "ip", "neigh", "replace", other.address, "lladdr", mac, "dev", "eth0", "nud", "permanent")
}
