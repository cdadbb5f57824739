package agent

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"weft/api"
	"weft/api/agentapi"
	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/overlay"
)

func TestNameFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at   overlay.Attach
		want overlay.EndpointName
	}{
		{overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/web"}, "web"},
		{overlay.Attach{Type: overlay.AttachNetns, Target: "/var/run/docker/netns/3f2A_x.1"}, "3f2a-x-1"},
		{overlay.Attach{Type: overlay.AttachNetns, Target: "/proc/4711/ns/net"}, "pid-4711"},
		{overlay.Attach{Type: overlay.AttachTap, Target: "vm1"}, "vm1"},
		{overlay.Attach{Type: overlay.AttachBridge, Target: "_._"}, "port"},
		{overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/" + strings.Repeat("long-", 20)}, overlay.EndpointName(strings.Repeat("long-", 11) + "long")},
	} {
		got := nameFor(tt.at)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.at.Target, got, tt.want)
		}
		if err := overlay.CheckName("endpoint", string(got)+"-99"); err != nil {
			t.Errorf("%s with a number: %v", got, err)
		}
	}
}

func TestEndpointOf(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	ns := testenv.Namespace(t)
	s := &service{node: "a"}
	e, err := s.endpoint(agentapi.AttachRequest{Network: "blue", Type: overlay.AttachNetns, Target: filepath.Base(ns)})
	if err != nil {
		t.Fatal(err)
	}
	if at := e.Spec.Attach; at.Target != ns || at.Interface != "eth0" || e.Spec.Port != overlay.PortSingle || e.Spec.Node != "a" {
		t.Errorf("endpoint %+v", e.Spec)
	}
	e, err = s.endpoint(agentapi.AttachRequest{Network: "blue", Type: overlay.AttachBridge, Target: "docker0"})
	if err != nil || e.Spec.Port != overlay.PortSegment {
		t.Errorf("a bridge: %+v, %v; want a segment port", e, err)
	}

	for name, tt := range map[string]struct {
		r    agentapi.AttachRequest
		want string
	}{
		"no such namespace": {agentapi.AttachRequest{Network: "blue", Type: overlay.AttachNetns, Target: testenv.Name(t, "no")}, "no"},
		"ifname on a tap":   {agentapi.AttachRequest{Network: "blue", Type: overlay.AttachTap, Target: "vm1", Interface: "eth1"}, "--ifname names an interface inside a namespace"},
		"address of a bridge": {agentapi.AttachRequest{Network: "blue", Type: overlay.AttachBridge, Target: "docker0", Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.9")}},
			"a bridge's stations have their own addresses"},
		"long interface name": {agentapi.AttachRequest{Network: "blue", Type: overlay.AttachVeth, Target: "a-very-long-name"}, "at most 15 characters"},
	} {
		if _, err := s.endpoint(tt.r); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, tt.want)
		}
	}
}

func TestSatisfies(t *testing.T) {
	t.Parallel()
	have := &overlay.Endpoint{Meta: overlay.Meta{Name: "web"}, Spec: overlay.EndpointSpec{
		MAC: overlay.MAC{2, 0, 0, 0, 0, 1}, Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.5")}, Lifetime: overlay.Bound,
	}}
	for name, tt := range map[string]struct {
		want overlay.EndpointSpec
		name overlay.EndpointName
		ok   bool
	}{
		"nothing asked":  {overlay.EndpointSpec{}, "", true},
		"same name":      {overlay.EndpointSpec{}, "web", true},
		"other name":     {overlay.EndpointSpec{}, "db", false},
		"same address":   {overlay.EndpointSpec{Addresses: have.Spec.Addresses}, "", true},
		"other address":  {overlay.EndpointSpec{Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.6")}}, "", false},
		"other MAC":      {overlay.EndpointSpec{MAC: overlay.MAC{2, 0, 0, 0, 0, 2}}, "", false},
		"other lifetime": {overlay.EndpointSpec{Lifetime: overlay.Kept}, "", false},
	} {
		if got := satisfies(have, &overlay.Endpoint{Spec: tt.want}, tt.name); got != tt.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPrecheck(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	host, inside := testenv.Namespace(t), testenv.Namespace(t)
	testenv.Run(t, host, "ip", "link", "add", "br9", "type", "bridge")
	testenv.Run(t, inside, "ip", "link", "add", "eth0", "type", "bridge")
	spaces := t.TempDir()
	domain := filepath.Join(spaces, "weft-blue")
	if err := netns.Create(domain); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(domain); err != nil {
			t.Error(err)
		}
	})
	other := filepath.Join(spaces, "other") // name of the same
	if err := netns.Mount(domain, other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Delete(other); err != nil {
			t.Error(err)
		}
	})
	for name, tt := range map[string]struct {
		at   overlay.Attach
		want string // "": fine
	}{
		"free name in a namespace":  {overlay.Attach{Type: overlay.AttachNetns, Target: inside, Interface: "eth1"}, ""},
		"taken name in a namespace": {overlay.Attach{Type: overlay.AttachNetns, Target: inside, Interface: "eth0"}, "has an interface eth0 already (bridge); choose another name with --ifname"},
		"a network's own namespace": {overlay.Attach{Type: overlay.AttachNetns, Target: domain, Interface: "eth0"}, "weft-blue is network blue's own, which Weft makes and removes"},
		"the same by another name":  {overlay.Attach{Type: overlay.AttachNetns, Target: other, Interface: "eth0"}, "other is network blue's own"},
		"the host's own namespace":  {overlay.Attach{Type: overlay.AttachNetns, Target: host, Interface: "eth0"}, "is this host's own, not a workload's"},
		"free tap name":             {overlay.Attach{Type: overlay.AttachTap, Target: "vm1"}, ""},
		"taken tap name":            {overlay.Attach{Type: overlay.AttachTap, Target: "br9"}, "this host has an interface br9 already (bridge)"},
		"a bridge":                  {overlay.Attach{Type: overlay.AttachBridge, Target: "br9"}, ""},
		"no bridge":                 {overlay.Attach{Type: overlay.AttachBridge, Target: "br8"}, "this host has no bridge br8"},
		"another device":            {overlay.Attach{Type: overlay.AttachBridge, Target: "lo"}, "lo is no bridge but a device"},
	} {
		var err error
		if outer := netns.Do(host, func() error { _, err = precheck(tt.at, spaces); return nil }); outer != nil {
			t.Fatal(outer)
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if refused := (*api.Error)(nil); strings.HasPrefix(name, "taken") && (!errors.As(err, &refused) || refused.Code != api.CodeClaimed) {
			t.Errorf("%s: %v, want the code %s", name, err, api.CodeClaimed)
		}
	}
}
