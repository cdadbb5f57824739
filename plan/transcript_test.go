package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"weft/dataplane"
	"weft/overlay"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestTranscripts plans each snapshot of testdata for the nodes that it names
// sections for, and compares the State's lines with what stands there.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) < 2 || archive.Files[0].Name != "snapshot.yaml" {
				t.Fatal("want snapshot.yaml and a section for each node")
			}
			snapshot := readSnapshot(t, archive.Files[0].Data)
			for i, want := range archive.Files[1:] {
				got := describe(For(overlay.NodeName(want.Name), snapshot))
				if *update {
					archive.Files[i+1].Data = []byte(got)
				} else if got != string(want.Data) {
					t.Errorf("node %s (rewrite with -update):\n%s\nwant:\n%s", want.Name, got, want.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// readSnapshot reads a list of resources as in `weft apply -f`, and held
// networks as {kind: Held, name: ..., reason: ...}; {kind: Chosen, name: ..., plane: ...}
// is a plane that the node has chosen before, {kind: Path, network: ..., name: ..., remote: ..., down: ...}
// what it has found out of a tunnel's peer. Defaults are filled in.
func readSnapshot(t *testing.T, text []byte) *overlay.Snapshot {
	t.Helper()
	var list []map[string]any
	if err := yaml.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	s := overlay.NewSnapshot()
	for _, item := range list {
		if item["kind"] == "Held" {
			s.Held[overlay.NetworkName(item["name"].(string))] = item["reason"].(string)
			continue
		}
		if item["kind"] == "Chosen" {
			s.Chosen[overlay.NetworkName(item["name"].(string))] = overlay.PlaneName(item["plane"].(string))
			continue
		}
		if item["kind"] == "Path" {
			k := overlay.Key{Kind: overlay.KindTunnel, Name: item["name"].(string)}
			if network, ok := item["network"]; ok {
				k.Network = overlay.NetworkName(network.(string))
			}
			s.Paths[k] = overlay.TunnelPath{Remote: netip.MustParseAddr(item["remote"].(string)), Down: item["down"] == true}
			continue
		}
		s.Put(readResource(t, item))
	}
	return s
}

func readResource(t *testing.T, item map[string]any) overlay.Resource {
	t.Helper()
	kind, err := overlay.ParseKind(fmt.Sprint(item["kind"]))
	if err != nil {
		t.Fatal(err)
	}
	item["kind"] = kind
	text, err := json.Marshal(item)
	if err != nil {
		t.Fatal(err)
	}
	r := overlay.New(kind)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if n, ok := r.(*overlay.Node); ok && n.Spec.VTEPMAC.IsZero() {
		n.Spec.VTEPMAC = overlay.VTEPMACFor(overlay.NodeName(n.Name))
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

// describe prints a State as sorted lines.
func describe(s dataplane.State) string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for name, n := range s.Networks {
		add("%s: %s, VNI %s, %s to port %d, plane %s, local %s%s", name, n.Kind, n.VNI, n.Encapsulation, n.Port, n.Plane, n.Local, unlessZero(" as ", n.VTEPMAC))
		add("%s: MTU %d, underlay %d, bum %s", name, n.MTU, n.UnderlayMTU, n.BUM)
		if n.Learning {
			add("%s: learning for %d s%s", name, n.AgeingSeconds, unlessZero(" from group ", n.Group)+unlessZero(" by ", n.UnderlayDevice)+unlessZero(" with TTL ", n.TTL))
		}
		for _, g := range n.Gateways {
			add("%s: gateway %s at %s", name, g, n.GatewayMAC)
		}
		for _, b := range n.Blocks {
			add("%s: own block %s", name, b)
		}
		for k, p := range n.Ports {
			if k != p.Name {
				add("%s: port %s under the name %s", name, p.Name, k)
			}
			add("%s: port %s %s: %s %s%s%s", name, p.Name, p.Device, p.Kind, p.Attach.Type, unlessZero(" ", p.Attach.Target), unlessZero(" ", p.Attach.Interface))
			if !p.MAC.IsZero() {
				add("%s: port %s has %s %v, allowed %v", name, p.Name, p.MAC, p.Addresses, p.Allowed)
			}
			if p.Tunnel != nil {
				add("%s: port %s is %s", name, p.Name, describeTunnel(*p.Tunnel))
			}
			for _, m := range p.Stations {
				add("%s: port %s has station %s behind it", name, p.Name, m)
			}
		}
		for m, node := range n.Remotes {
			add("%s: remote %s on %s", name, m, node)
		}
		for a, m := range n.Neighbors {
			add("%s: neighbor %s at %s", name, a, m)
		}
		for node, m := range n.Members {
			add("%s: member %s at %s%s", name, node, m.VTEP, unlessZero(" as ", m.VTEPMAC))
		}
		for p, r := range n.Routes {
			add("%s: route %s to %s%s", name, p, r.Node, map[bool]string{true: " direct via " + r.Via.String()}[r.Direct])
		}
	}
	for name, t := range s.Tunnels {
		add("tunnel %s: %s", name, describeTunnel(t))
	}
	for name, problems := range s.TunnelProblems {
		add("tunnel %s: problem: %v", name, problems)
	}
	for name, reason := range s.Held {
		add("%s: held: %s", name, reason)
	}
	for name, problems := range s.Problems {
		for _, p := range problems {
			add("%s: problem: %s", name, p)
		}
	}
	slices.SortFunc(lines, cmp.Compare)
	return strings.Join(append(lines, ""), "\n")
}

func describeTunnel(t dataplane.Tunnel) string {
	text := fmt.Sprintf("%s %s, %s to %s, ttl %s, MTU %d, plane %s", t.Spec.Device, t.Spec.Mode, t.Local, t.Remote, t.Spec.TTL, t.MTU, t.Spec.Plane)
	for _, r := range t.Spec.Routes {
		text += fmt.Sprintf(", route %s", r.Prefix)
	}
	if t.Down {
		text += ", down"
	}
	return text
}

func unlessZero[T comparable](prefix string, v T) string {
	var zero T
	if v == zero {
		return ""
	}
	return fmt.Sprint(prefix, v)
}
