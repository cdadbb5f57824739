package api

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"weft/overlay"
	"weft/store"
)

// Join, declare, attach, list, detach: the thread through all of it.
func TestThread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	token, err := admin.CreateToken(t.Context(), TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := Join(t.Context(), token.Token, "a")
	if err != nil {
		t.Fatal(err)
	}
	agent, err := NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.Close)
	if who, err := agent.WhoAmI(t.Context()); err != nil || who.Name != "a" || who.Role != overlay.RoleNode {
		t.Errorf("who am I: %+v, %v", who, err)
	}
	if n := put(t, agent, node("a", 1)); n.Spec.VTEPMAC != overlay.VTEPMACFor("a") || n.Spec.Instance == "" {
		t.Errorf("node %+v", n.Spec)
	}
	if n := put(t, admin, network("blue", "", "10.7.0.0/24", "fd07::/64")); n.Spec.VNI != 4097 || n.Spec.Kind != overlay.Bridged || len(n.Spec.Gateways) != 2 {
		t.Errorf("network %+v", n.Spec)
	}
	put(t, admin, network("green", overlay.Routed, "10.8.0.0/16"))

	e := put(t, agent, endpoint("blue", "web", "a"))
	if want := []netip.Addr{netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("fd07::2")}; len(e.Spec.Addresses) != 2 || e.Spec.Addresses[0] != want[0] || e.Spec.Addresses[1] != want[1] {
		t.Errorf("addresses %v, want %v", e.Spec.Addresses, want)
	}
	if !e.Spec.MAC.IsUnicast() || e.Spec.Attach.Interface != "eth0" || e.Spec.Lifetime != overlay.Bound || e.Spec.Port != overlay.PortSingle {
		t.Errorf("endpoint %+v", e.Spec)
	}
	r := put(t, agent, endpoint("green", "web", "a"))
	if len(r.Spec.Blocks) != 1 || r.Spec.Blocks[0] != "10-8-0-0-24" || r.Spec.Addresses[0].String() != "10.8.0.2" {
		t.Errorf("routed endpoint %+v", r.Spec)
	}
	blocks, _, err := agent.List(t.Context(), overlay.KindBlock, "green", "a")
	if err != nil || len(blocks) != 1 || blocks[0].(*overlay.Block).Spec.Prefix.String() != "10.8.0.0/24" {
		t.Errorf("blocks %v, %v", blocks, err)
	}
	got, err := admin.Get(t.Context(), e.Key())
	if err != nil || got.Header().UID != e.UID {
		t.Errorf("get: %v, %v", got, err)
	}
	var used *store.InUseError
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: "green"}, false); !errors.As(err, &used) || used.By != r.Key() {
		t.Errorf("remove a network in use: %v", err)
	}
	if err := agent.Remove(t.Context(), r.Key(), false); err != nil {
		t.Error(err)
	}
	if err := admin.Remove(t.Context(), overlay.Key{Kind: overlay.KindNetwork, Name: "green"}, false); err != nil {
		t.Errorf("remove a network with a block, but no endpoint: %v", err)
	}
	if _, err := admin.Get(t.Context(), r.Key()); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), "there is no endpoint green/web") {
		t.Errorf("get what was removed: %v", err)
	}
}

// TestNetworkPlanes: an administrator says which planes single networks have on a node; the
// node itself neither says so nor takes it back.
func TestNetworkPlanes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.serve(t, nil)
	admin := w.client(t, overlay.RoleAdmin, "root", h)
	token, err := admin.CreateToken(t.Context(), TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := Join(t.Context(), token.Token, "a")
	if err != nil {
		t.Fatal(err)
	}
	agent, err := NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(agent.Close)
	mine := node("a", 1)
	mine.Spec.NetworkPlanes = map[overlay.NetworkName]overlay.PlaneName{"blue": overlay.PlaneKernel}
	n := put(t, agent, mine)
	if len(n.Spec.NetworkPlanes) > 0 {
		t.Errorf("said by the node itself: %v", n.Spec.NetworkPlanes)
	}
	said := *n
	said.Spec.NetworkPlanes = map[overlay.NetworkName]overlay.PlaneName{"blue": overlay.PlaneEBPF}
	put(t, admin, &said)
	if n := put(t, agent, node("a", 1)); n.Spec.NetworkPlanes["blue"] != overlay.PlaneEBPF {
		t.Errorf("after the node registered again: %v", n.Spec.NetworkPlanes)
	}
	said.Spec.NetworkPlanes["blue"] = "ovs"
	if _, _, err := admin.Update(t.Context(), store.Change{Put: &said, Expect: store.Any}); err == nil {
		t.Error("a plane that there is not was taken")
	}
}
