package manifest

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
	"weft/overlay"
)

const two = `# a network and who is in it
kind: Network
name: blue
spec:
  vni: 4097
  subnets: [10.7.0.0/24, "fd00:7::/64"]
  port: 8472
  directRouting: false
---
kind: endpoint
network: blue
name: web
spec:
  node: a
  port: single
  mac: 02:00:5e:10:00:01
  addresses:
  - 10.7.0.5
  attach: {type: netns, target: /run/netns/web}
---
`

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := Decode("two.yaml", []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	want := []Document{{
		File: "two.yaml", Line: 2,
		Resource: &overlay.Network{
			Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: "blue"},
			Spec: overlay.NetworkSpec{
				VNI: 4097, Port: 8472,
				Subnets: []netip.Prefix{netip.MustParsePrefix("10.7.0.0/24"), netip.MustParsePrefix("fd00:7::/64")},
			},
		},
	}, {
		File: "two.yaml", Line: 10,
		Resource: &overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "blue", Name: "web"},
			Spec: overlay.EndpointSpec{
				Node: "a", Port: overlay.PortSingle, MAC: overlay.MAC{0x02, 0, 0x5e, 0x10, 0, 1},
				Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.5")},
				Attach:    overlay.Attach{Type: overlay.AttachNetns, Target: "/run/netns/web"},
			},
		},
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if where := got[1].Where(); where != "two.yaml:10" {
		t.Errorf("where is %s", where)
	}
}

// TestDecodeStored reads back what a store would print, in both forms.
func TestDecodeStored(t *testing.T) {
	t.Parallel()
	const stored = `[{"kind":"Network","name":"blue","uid":"u1","generation":3,"revision":12,
		"created":"2026-11-21T06:00:00Z","spec":{"vni":4097,"subnets":["10.7.0.0/24"]}}]`
	got, err := Decode("-", []byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	if h, want := *got[0].Resource.Header(), (overlay.Meta{Kind: overlay.KindNetwork, Name: "blue"}); h != want {
		t.Errorf("the header is %+v, want %+v", h, want)
	}
	node := `{kind: Node, name: a, spec: {underlay: [192.0.2.1/24], underlayMTU: 1500}, status: {version: v1, networks: [{network: blue, wanted: 3}]}}`
	got, err = Decode("-", []byte(node))
	if err != nil {
		t.Fatal(err)
	}
	if s := got[0].Resource.(*overlay.Node).Status; s.Version != "" || s.Networks != nil {
		t.Errorf("the status was taken over: %+v", s)
	}
}

// TestErrors decodes every testdata/errors/*.yaml; the golden file has each
// one's error.
func TestErrors(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var transcript strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Decode(filepath.Base(f), text)
		if err == nil {
			t.Errorf("%s: no error", f)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %v", f, err)
		}
		transcript.WriteString(err.Error() + "\n")
	}
	testenv.Golden(t, "errors.golden", transcript.String())
}

// TestEveryKind gives every field of every kind a value through JSON, which the
// decoder must read to the same resource.
func TestEveryKind(t *testing.T) {
	t.Parallel()
	for _, r := range []overlay.Resource{
		&overlay.Network{
			Meta: overlay.Meta{Kind: overlay.KindNetwork, Name: "n"},
			Spec: overlay.NetworkSpec{Subnets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, MTU: 1400, DirectRouting: true}.Complete(),
		},
		&overlay.Block{
			Meta: overlay.Meta{Kind: overlay.KindBlock, Network: "n", Name: "10-0-0-0-24"},
			Spec: overlay.BlockSpec{Node: "a", Prefix: netip.MustParsePrefix("10.0.0.0/24")},
		},
		&overlay.Node{
			Meta: overlay.Meta{Kind: overlay.KindNode, Name: "a"},
			Spec: overlay.NodeSpec{
				Underlay: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}, UnderlayMTU: 1500,
				VTEPMAC: overlay.VTEPMACFor("a"), Planes: []overlay.PlaneName{overlay.PlaneKernel},
			},
		},
		&overlay.Endpoint{
			Meta: overlay.Meta{Kind: overlay.KindEndpoint, Network: "n", Name: "e"},
			Spec: overlay.EndpointSpec{
				Node: "a", Port: overlay.PortStation, MAC: overlay.MAC{2}, Via: "bridge", Lifetime: overlay.Kept,
				Addresses: []netip.Addr{netip.MustParseAddr("fd00::2")},
				Attach:    overlay.Attach{Type: overlay.AttachNetns, Target: "/x", Identity: "4:5", Interface: "eth1"},
			},
		},
		&overlay.Token{
			Meta: overlay.Meta{Kind: overlay.KindToken, Name: "t"},
			Spec: overlay.TokenSpec{Role: overlay.RoleNode, Hash: "00", Node: "a"},
		},
	} {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode("x.json", text)
		if err != nil {
			t.Errorf("%s: %v", r.Key(), err)
			continue
		}
		again, err := json.Marshal(got[0].Resource)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(again)); diff != "" {
			t.Errorf("%s: %s", r.Key(), diff)
		}
	}
}

// FuzzDecode holds that no input makes the decoder panic, and that whatever it
// takes is a resource of a known kind.
func FuzzDecode(f *testing.F) {
	f.Add(two)
	f.Add("&a [*a]")
	f.Add("{kind: Network, name: {<<: *x}}")
	f.Fuzz(func(t *testing.T, text string) {
		documents, err := Decode("fuzz", []byte(text))
		for _, d := range documents {
			if overlay.New(d.Resource.Key().Kind) == nil || d.Line < 1 {
				t.Errorf("%+v", d)
			}
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("several lines: %q", err)
		}
	})
}
