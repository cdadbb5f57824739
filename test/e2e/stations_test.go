package e2e

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"weft/internal/testenv"
	"weft/lab"
)

// TestForeignBridges: what is behind bridges that are not Weft's, on two hosts, is
// reached from everywhere and reaches everybody, and of the bridges nothing changes
// but that they have a port more.
func TestForeignBridges(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
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
}
