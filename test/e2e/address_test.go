package e2e

import (
	"strings"
	"testing"
)

// TestAddresses that cannot be had are refused with a hint, and nothing has changed:
// neither what the servers have nor the host.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := begin(t)
	s.a.weft("network create small --subnet 10.1.0.0/30")
	s.a.weft("network create blue --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	s.a.weft("network create green --kind routed --subnet 10.8.0.0/22 --block-bits4 24")
	s.b.attach("small") // the only address beside the gateway's
	web := s.b.attachAs("web", "blue", "--ip 10.7.0.5,fd00:7::5 --mac 02:00:00:00:00:05")
	s.b.attach("green", "--ip 10.8.1.7")
	new := s.a.namespace("new")
	s.settled()
	before, resources := s.picture(), s.a.weft("get network,block,endpoint -o yaml")
	for _, tt := range []struct {
		flags string
		code  int
		says  []string
	}{
		{"small", 5, []string{"10.1.0.0/30", "no free"}},
		{"blue --ip 10.7.0.5", 5, []string{"10.7.0.5", "endpoint blue/web"}},
		{"blue --ip fd00:7::5", 5, []string{"fd00:7::5", "endpoint blue/web"}},
		{"blue --mac 02:00:00:00:00:05", 5, []string{"02:00:00:00:00:05", "endpoint blue/web"}},
		{"blue --ip 10.8.0.5", 2, []string{"10.8.0.5", "10.7.0.0/24"}},
		{"blue --ip fd00:8::5", 2, []string{"fd00:8::5", "fd00:7::/64"}},
		{"blue --ip 10.7.0.1", 2, []string{"10.7.0.1", "gateway"}},
		{"blue --ip 10.7.0.255", 2, []string{"10.7.0.255", "reserved"}},
		{"blue --ip 10.7.0.0", 2, []string{"10.7.0.0", "reserved"}},
		{"blue --ip 10.7.0.6,10.7.0.7", 2, []string{"at most one address of each family"}},
		{"blue --mac 01:00:00:00:00:05", 2, []string{"unicast"}},
		{"green --ip 10.8.1.8", 2, []string{"10.8.1.8", "node b"}},
		{"green --ip fd00:7::5", 2, []string{"fd00:7::5"}},
		{"nowhere", 4, []string{"network nowhere"}},
	} {
		t.Run(strings.ReplaceAll(tt.flags, " ", "_"), func(t *testing.T) {
			s.a.try("endpoint attach %s --netns %s", tt.flags, nameOf(new)).refused(t, tt.code, tt.says...)
		})
	}
	s.becomes(before)
	if now := s.a.weft("get network,block,endpoint -o yaml"); now != resources {
		t.Errorf("resources were\n%s\nand are\n%s", resources, now)
	}
	s.b.weft("endpoint detach blue/web")
	if err := web.Delete(); err != nil {
		t.Fatal(err)
	}
	s.a.weft("endpoint attach blue --netns %s --ip 10.7.0.5", nameOf(new)) // now that it is free
}
