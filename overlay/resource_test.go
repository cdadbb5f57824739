package overlay

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// full has one resource of each kind with every field set.
func full() map[string]Resource {
	at := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	meta := func(k Kind, network NetworkName, name string) Meta {
		return Meta{Kind: k, Network: network, Name: name, UID: "u-1", Generation: 2, Revision: 3, Created: at}
	}
	return map[string]Resource{
		"node": &Node{
			Meta: meta(KindNode, "", "a"),
			Spec: NodeSpec{Underlay: prefixes("192.0.2.1/24", "2001:db8::1/64"), UnderlayMTU: 1500, VTEPMAC: VTEPMACFor("a"), Planes: []PlaneName{PlaneKernel}, Lacks: map[PlaneName]string{PlaneEBPF: "the kernel lacks tcx"}, NetworkPlanes: map[NetworkName]PlaneName{"blue": PlaneKernel}, TunnelModes: map[PlaneName][]string{PlaneKernel: {"gre", "gre6"}}, Instance: "i-1"},
			Status: NodeStatus{Seen: at, Version: "0.1", Kernel: "6.18", Networks: []NetworkReport{{
				Network: "blue", Plane: PlaneKernel, PlaneReason: "the only one", BetterPlane: PlaneEBPF, Wanted: 9, Present: 8, Since: at, Differs: []string{"no route to 10.8.2.0/24"},
			}}, Tunnels: []TunnelReport{{
				Network: "blue", Tunnel: "site", State: TunnelDown, Since: at, Why: "10.1.1.2 does not answer", Remote: netip.MustParseAddr("192.0.2.9"),
				RoundTripMicroseconds: 412, Plane: PlaneKernel, PlaneReason: "the only one", MTU: 1476, Wanted: 4, Present: 3, Differs: []string{"no address 10.1.1.1/24"},
			}}},
		},
		"network": &Network{Meta: meta(KindNetwork, "", "green"), Spec: NetworkSpec{
			VNI: 4097, Kind: Routed, Subnets: prefixes("10.8.0.0/16", "fd08::/48"), Gateways: addresses("10.8.0.1", "fd08::1"),
			Encapsulation: EncapVXLAN, Port: 4789, Plane: PlaneAuto, Underlay: FamilyAuto, MTU: 1400, Discovery: DiscoveryRegistry, BUM: BUMReplicate,
			DirectRouting: true, BlockBits4: 24, BlockBits6: 64,
		}},
		"network-static":    &Network{Meta: meta(KindNetwork, "", "blue"), Spec: fullStatic()},
		"network-multicast": &Network{Meta: meta(KindNetwork, "", "red"), Spec: multicastSpec()},
		"block":             &Block{Meta: meta(KindBlock, "green", "10-8-1-0-24"), Spec: BlockSpec{Node: "a", Prefix: netip.MustParsePrefix("10.8.1.0/24")}},
		"endpoint": &Endpoint{Meta: meta(KindEndpoint, "green", "web"), Spec: EndpointSpec{
			Node: "a", Port: PortSingle, MAC: MAC{2, 0, 0, 0, 0, 2}, Addresses: addresses("10.8.1.2", "fd08::2"),
			Attach:   Attach{Type: AttachNetns, Target: "/run/netns/web", Identity: "4:4026532271", Interface: "eth0"},
			Lifetime: Kept, Blocks: []string{"10-8-1-0-24"},
		}},
		"station": &Endpoint{Meta: meta(KindEndpoint, "blue", "station-020000000009"), Spec: EndpointSpec{
			Node: "a", Port: PortStation, MAC: MAC{2, 0, 0, 0, 0, 9}, Via: "docker",
		}},
		"tunnel":     vxlanTunnel(meta(KindTunnel, "", "neta")),
		"tunnel-gre": greTunnel(meta(KindTunnel, "green", "site")),
		"revocation": &Revocation{Meta: meta(KindRevocation, "", "node-a"), Spec: RevocationSpec{
			Of: HolderNode, Holder: "a", Epoch: "e-1", Since: at, Until: at.Add(31 * 24 * time.Hour),
		}},
		"token": &Token{Meta: meta(KindToken, "", "t1"), Spec: TokenSpec{Role: RoleNode, Expires: at, Hash: strings.Repeat("0a", 32), Node: "a"}},
	}
}

// TestJSON reads back what it writes, and holds the text that is on disk and on
// the wire.
func TestJSON(t *testing.T) {
	t.Parallel()
	for name, r := range full() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(r, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, '\n')
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, want) {
				t.Errorf("got %s\nwant %s", text, want)
			}
			back := New(r.Key().Kind)
			if err := json.Unmarshal(text, back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, r) {
				t.Errorf("came back as %+v\n want %+v", back, r)
			}
		})
	}
}

// TestFullIsFull: a field that the round trip leaves out would go untested.
func TestFullIsFull(t *testing.T) {
	t.Parallel()
	for name, r := range full() {
		switch name {
		case "station", "tunnel", "tunnel-gre", "network", "network-static", "network-multicast":
			continue // a part each: see TestFullTunnels, TestFullNetworks
		}
		spec := reflect.ValueOf(r).Elem().FieldByName("Spec")
		for i := range spec.NumField() {
			if field := spec.Type().Field(i).Name; spec.Field(i).IsZero() && field != "Via" {
				t.Errorf("%s: %s is not set", name, field)
			}
		}
	}
}

// TestZeroValuesAreLeftOut: a request says only what it means.
func TestZeroValuesAreLeftOut(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Resource{
		`{"kind":"Network","name":"blue","spec":{"subnets":["10.7.0.0/24"]}}`: network("blue", NetworkSpec{Subnets: prefixes("10.7.0.0/24")}),
		`{"kind":"Endpoint","network":"blue","name":"web","spec":{"node":"a","port":"segment"}}`: &Endpoint{
			Meta: Meta{Kind: KindEndpoint, Network: "blue", Name: "web"}, Spec: EndpointSpec{Node: "a", Port: PortSegment}},
	} {
		if text, err := json.Marshal(r); string(text) != want || err != nil {
			t.Errorf("%s, %v\nwant %s", text, err, want)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, k := range Kinds() {
		for _, s := range []string{string(k), strings.ToLower(string(k)), strings.ToLower(string(k)) + "s", strings.ToUpper(string(k))} {
			if got, err := ParseKind(s); got != k || err != nil {
				t.Errorf("ParseKind(%q) = %s, %v", s, got, err)
			}
		}
		if r := New(k); r.Key().Kind != k || r.Header().Kind != k {
			t.Errorf("New(%s) is a %s", k, r.Key().Kind)
		}
		if got, want := k.Networked(), k == KindBlock || k == KindEndpoint || k == KindTunnel; got != want {
			t.Errorf("%s networked: %v", k, got)
		}
	}
	if New("Pod") != nil {
		t.Error("New of an unknown kind is something")
	}
	_, err := ParseKind("pod")
	check(t, err, `kind "pod" is unknown: want node, network, block, endpoint, tunnel, token or revocation`)
}

func TestKeyString(t *testing.T) {
	t.Parallel()
	for want, k := range map[string]Key{
		"node a":            {Kind: KindNode, Name: "a"},
		"endpoint blue/web": {Kind: KindEndpoint, Network: "blue", Name: "web"},
	} {
		if k.String() != want {
			t.Errorf("%s, want %s", k, want)
		}
	}
}

func TestClaimsAndNeeds(t *testing.T) {
	t.Parallel()
	all := full()
	noVNI := network("blue", NetworkSpec{})
	for _, tt := range []struct {
		r      Resource
		claims []Claim
		needs  []string
	}{
		{all["node"], []Claim{"vtep/02:77:c2:83:fb:1e", "underlay/192.0.2.1", "underlay/2001:db8::1"}, nil},
		{all["network"], []Claim{"vni/4097"}, nil},
		{noVNI, nil, nil},
		{all["block"], []Claim{"prefix/green/10.8.1.0/24"}, []string{"network green", "node a"}},
		{
			all["endpoint"],
			[]Claim{"mac/green/02:00:00:00:00:02", "address/green/10.8.1.2", "address/green/fd08::2", "device/a/netns//run/netns/web/eth0"},
			[]string{"network green", "node a", "block green/10-8-1-0-24"},
		},
		{all["station"], []Claim{"mac/blue/02:00:00:00:00:09"}, []string{"network blue", "node a", "endpoint blue/docker"}},
		{all["tunnel"], []Claim{"device/a/link/vx0", "outer/a/vxlan/7/4790"}, []string{"node a"}},
		{all["tunnel-gre"], []Claim{"device/a/link/site", "outer/a/gre/172.16.17.18/peer.example/0.17.17.17"}, []string{"node a", "network green"}},
		{endpoint(segment), []Claim{"device/a/bridge/docker0"}, []string{"network blue", "node a"}},
		{all["token"], nil, nil},
	} {
		if got := tt.r.Claims(); !reflect.DeepEqual(got, tt.claims) {
			t.Errorf("%s claims %q\n want %q", tt.r.Key(), got, tt.claims)
		}
		var needs []string
		for _, k := range tt.r.Needs() {
			needs = append(needs, k.String())
		}
		if !reflect.DeepEqual(needs, tt.needs) {
			t.Errorf("%s needs %q\n want %q", tt.r.Key(), needs, tt.needs)
		}
	}
}

// TestNeedsCanBeMet: what a kind needs comes before it in Kinds.
func TestNeedsCanBeMet(t *testing.T) {
	t.Parallel()
	order := map[Kind]int{}
	for i, k := range Kinds() {
		order[k] = i
	}
	for _, r := range full() {
		for _, need := range r.Needs() {
			if order[need.Kind] > order[r.Key().Kind] {
				t.Errorf("%s needs %s, which is made later", r.Key(), need)
			}
		}
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	if r := (Revision{Incarnation: "x", Number: 7}); r.String() != "x@7" || r.IsZero() {
		t.Errorf("%s, zero %v", r, r.IsZero())
	}
	if !(Revision{}).IsZero() {
		t.Error("the zero Revision is not zero")
	}
}

// TestDropReasons: the enumeration is closed, and each reason is its own.
func TestDropReasons(t *testing.T) {
	t.Parallel()
	seen := map[DropReason]bool{}
	for _, r := range DropReasons() {
		if seen[r] {
			t.Errorf("%s is there twice", r)
		}
		seen[r] = true
		check(t, CheckName("drop reason", string(r)), "")
	}
	if len(seen) != 18 {
		t.Errorf("%d reasons", len(seen))
	}
}

// Copies are of every kind, and change nothing of what they were made from.
func TestCopy(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		r := New(kind)
		c := Copy(r)
		c.Header().Name = "other"
		if c.Key().Kind != kind || r.Header().Name != "" {
			t.Errorf("%s: the copy is %v, what it was made from %v", kind, c.Key(), r.Key())
		}
	}
}
