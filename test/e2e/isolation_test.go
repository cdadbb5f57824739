package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/overlay"
	"weft/packet"
	"weft/trace"
)

// tenant is who has a network, and a workload on each host.
type tenant struct {
	name string
	vni  overlay.VNI
	all  []*workload
}

// tenant makes a network and attaches a workload on each host, whose addresses and
// MACs end in number, number+1 and number+2.
func (s *session) tenant(network string, vni overlay.VNI, kind overlay.NetworkKind, number int) tenant {
	s.t.Helper()
	s.a.weft("network create %s --vni %d --kind %s --subnet 10.7.0.0/16 --subnet6 fd00:7::/48", network, vni, kind)
	return s.group(network, network, vni, kind, number)
}

// group attaches more workloads to a network that is there.
func (s *session) group(name, network string, vni overlay.VNI, kind overlay.NetworkKind, number int) tenant {
	s.t.Helper()
	g := tenant{name: name, vni: vni}
	for i, h := range s.hosts() {
		block := 0
		if kind == overlay.Routed {
			block = i
		}
		n := number + i
		g.all = append(g.all, h.attachAs(name+"-"+h.Name(), network,
			fmt.Sprintf("--ip 10.7.%d.%d,fd00:7:0:%d::%d --mac 02:00:00:00:00:%02d", block, n, block, n, n)))
	}
	return g
}

// meetings are the pairs of workloads, of the one tenant and of the other, of which
// the second gets to see any frame that the first sends: "blue-a → red-b". It sends
// to everybody and to nobody in particular.
func (from tenant) meetings(t *testing.T, to tenant) []string {
	t.Helper()
	captures := make([]*trace.Capture, len(to.all))
	for i, w := range to.all {
		captures[i] = w.listen()
	}
	var texts []string
	for _, w := range from.all {
		text := w.name + " was here"
		texts = append(texts, text)
		for _, target := range to.all {
			if err := w.send(from.frames(w, target, text)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	var met []string
	for i, w := range to.all {
		// What a neighbour sends last, in the same network, comes last.
		neighbour, end := to.all[(i+1)%len(to.all)], "the end for "+w.name
		if err := neighbour.send(to.frames(neighbour, w, end)...); err != nil {
			t.Fatal(err)
		}
		found, err := heard(t.Context(), captures[i], end, texts...)
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		for _, text := range slices.Compact(slices.Sorted(slices.Values(found))) {
			met = append(met, strings.TrimSuffix(text, " was here")+" → "+w.name)
		}
	}
	return met
}

// frames carry a text to a workload's addresses: to its MAC, to the gateway's, to
// everybody's and to nobody's.
func (from tenant) frames(w, to *workload, text string) [][]byte {
	var frames [][]byte
	for _, f := range families {
		for _, mac := range [][6]byte{
			to.Endpoint.Spec.MAC, from.vni.GatewayMAC(), packet.Broadcast, {0x33, 0x33, 0, 0, 0, 1}, {0x02, 0, 0, 0, 0xff, 0xff},
		} {
			ends := packet.Ends{SrcMAC: w.Endpoint.Spec.MAC, DstMAC: mac, Src: w.address(f), Dst: to.address(f)}
			frames = append(frames, ends.UDP(5000, 5000, []byte(text+"\n")))
		}
	}
	return frames
}

// everyPair lists what meetings returns if all do but those on one host that
// have one address.
func (from tenant) everyPair(to tenant) []string {
	var all []string
	for _, b := range to.all {
		for _, a := range from.all {
			all = append(all, a.name+" → "+b.name)
		}
	}
	return all
}

// TestTenantsNeverMeet: two networks with one subnet, and workloads with the same
// addresses and MACs on the same hosts, get nothing of each other, neither way. Two
// groups in one network do, in the same probe.
func TestTenantsNeverMeet(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	for i, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			vni := overlay.VNI(7001 + 10*i)
			blue, red := s.tenant("blue", vni, kind, 11), s.tenant("red", vni+1, kind, 11)
			teal := s.group("teal", "blue", vni, kind, 21)
			for _, tt := range []struct {
				from, to tenant
				want     []string
			}{
				{blue, red, nil}, {red, blue, nil}, {teal, red, nil}, {red, teal, nil},
				{blue, teal, blue.everyPair(teal)}, {teal, blue, teal.everyPair(blue)},
			} {
				if met := tt.from.meetings(t, tt.to); !slices.Equal(met, tt.want) {
					t.Errorf("%s and %s: met %q, want %q", tt.from.name, tt.to.name, met, tt.want)
				}
			}
		})
	}
}
