package cli

import (
	"context"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/api"
	"weft/api/identity"
	"weft/cli/manifest"
	"weft/overlay"
	"weft/store"
)

// admin is an administrator's client of a world of its own.
func admin(t *testing.T) *api.Client {
	t.Helper()
	w, err := newWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	credentials, err := identity.LoadCredentials(w.dir + "/admin.json")
	if err != nil {
		t.Fatal(err)
	}
	client, err := api.NewClient(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func declared(t *testing.T, text string) overlay.Resource {
	t.Helper()
	documents, err := manifest.Decode("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return documents[0].Resource
}

// TestDesired holds what the CLI says a change would make of a resource to what
// a server makes of it: diff would lie otherwise, and apply would not end.
func TestDesired(t *testing.T) {
	t.Parallel()
	const endpoint = "kind: Endpoint\nnetwork: green\nname: e\nspec: "
	for name, steps := range map[string][]string{
		"defaults": {
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/24]}}",
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/24], bum: none, mtu: 1400}}",
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/24]}}",
		},
		"what was chosen": {
			"{kind: Network, name: n, spec: {vni: 9000, kind: routed, subnets: [10.7.0.0/20], gateways: [10.7.0.9], blockBits4: 26}}",
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/20]}}",
		},
		"a second subnet": {
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/24], gateways: [10.7.0.9]}}",
			"{kind: Network, name: n, spec: {subnets: ['fd00:7::/64', 10.7.0.0/24]}}",
		},
		"a larger subnet": {
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/24]}}",
			"{kind: Network, name: n, spec: {subnets: [10.7.0.0/16]}}",
		},
		"an endpoint's addresses": {
			endpoint + "{node: a, attach: {type: netns, target: /run/netns/e}}",
			endpoint + "{node: a, lifetime: kept, attach: {type: netns, target: /run/netns/e}}",
			endpoint + "{node: a, attach: {type: netns, target: /run/netns/f, interface: net1}}",
			endpoint + "{node: a, mac: '02:00:00:00:00:07', attach: {type: tap, target: vm1}}",
		},
		"a tunnel": {
			"{kind: Tunnel, name: t, spec: {node: a, mode: vxlan, vni: 7, remote: 203.0.113.9, ttl: 255, keepAlive: {target: 10.1.1.2}}}",
			"{kind: Tunnel, name: t, spec: {node: a, mode: vxlan, vni: 7, remote: 203.0.113.9, tos: 0x10, learning: false, keepAlive: {target: 10.1.1.2, misses: 5}}}",
			"{kind: Tunnel, name: t, spec: {node: a, device: other, mode: gre, remote: 203.0.113.9, inKey: 7, outKey: 0.0.0.8}}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, ctx := admin(t), t.Context()
			put(t, ctx, server, declared(t, "{kind: Network, name: green, spec: {kind: routed, subnets: [10.8.0.0/16, 'fd00:8::/56']}}"), store.Absent)
			current := put(t, ctx, server, desired(declared(t, steps[0]), nil), store.Absent)
			for _, step := range steps[1:] {
				want := desired(declared(t, step), current)
				current = put(t, ctx, server, want, current.Header().Revision)
				if diff := cmp.Diff(specOf(want), specOf(current), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
					t.Errorf("%s\nwant (-), stored (+):\n%s", step, diff)
				}
				if again := desired(declared(t, step), current); !sameSpec(again, current) {
					t.Errorf("%s: not the same again", step)
				}
			}
		})
	}
}

func put(t *testing.T, ctx context.Context, server *api.Client, r overlay.Resource, expect int64) overlay.Resource {
	t.Helper()
	stored, _, err := server.Update(ctx, store.Change{Put: r, Expect: expect})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// TestIdentityStays holds that an agent's finding survives a manifest that does
// not know of it, and not a move to another namespace.
func TestIdentityStays(t *testing.T) {
	t.Parallel()
	was := &overlay.Endpoint{Spec: overlay.EndpointSpec{Attach: overlay.Attach{Type: overlay.AttachNetns, Target: "/a", Identity: "4:5"}}}
	for target, want := range map[string]string{"/a": "4:5", "/b": ""} {
		e := &overlay.Endpoint{Spec: overlay.EndpointSpec{Attach: overlay.Attach{Type: overlay.AttachNetns, Target: target}}}
		if got := desiredEndpoint(*e, was).Spec.Attach.Identity; got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// TestDesiredLeavesItsArguments: both are used again.
func TestDesiredLeavesItsArguments(t *testing.T) {
	t.Parallel()
	const text = "{kind: Network, name: n, spec: {subnets: [10.7.0.0/24]}}"
	d, c := declared(t, text), desired(declared(t, text), nil)
	desired(d, c)
	if !reflect.DeepEqual(d, declared(t, text)) || !reflect.DeepEqual(c, desired(declared(t, text), nil)) {
		t.Error("an argument was changed")
	}
}
