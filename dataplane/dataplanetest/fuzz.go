package dataplanetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"weft/dataplane"
	"weft/encap"
	"weft/overlay"
	"weft/packet"
)

// Fuzz holds a plane to what may not happen whatever bytes come in, at a port or at the underlay:
// nobody gets anything whom [Forward] gives nothing. Where bytes mean nothing, a plane may do less
// than the oracle, so that nothing is missed here. Networks of these encapsulations are side by
// side, with the same addresses.
//
// Without -fuzz, the seeds are frames that mean something, and many that are nearly those.
func Fuzz(f *testing.F, new func(t testing.TB) Harness, encapsulations ...overlay.Encapsulation) {
	g := newGround(encapsulations)
	h := new(f)
	if err := h.Apply(g.state, nil); err != nil {
		f.Fatal(err)
	}
	seed := rand.Uint64()
	f.Logf("seed %d", seed)
	g.seed(f, rand.New(rand.NewPCG(seed, 0)))
	f.Fuzz(func(t *testing.T, where uint8, b []byte) {
		at := g.places[int(where)%len(g.places)]
		if len(b) < shortest(at) || len(b) > UnderlayMTU {
			return // no wire carries it
		}
		if _, err := h.Deliveries(); err != nil { // what the hosts say for themselves
			t.Fatal(err)
		}
		if err := h.Inject(at, b); err != nil {
			t.Fatal(err)
		}
		got, err := h.Deliveries()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range g.unforeseen(at, b, got) {
			t.Errorf("in %s\nunwanted %s\n%x", describe(Delivery{At: at, Bytes: b}), describe(d), b)
		}
	})
}

func shortest(at Place) int {
	if at == Underlay {
		return packet.IPv4MinLen
	}
	return packet.EthernetLen
}

// ground is a node on which frames are tried out.
type ground struct {
	state dataplane.State
	// places are those at which frames come in.
	places []Place
	fields []field
}

// field is one of its networks: two hosts here, and one on node b.
type field struct {
	world
	vni             overlay.VNI
	near, next, far host
}

func newGround(encapsulations []overlay.Encapsulation) *ground {
	g := &ground{state: dataplane.State{Node: here, Generation: 1, Networks: map[overlay.NetworkName]dataplane.Network{}}, places: []Place{Underlay}}
	for _, e := range encapsulations {
		for _, w := range fewWorlds(e) {
			if !e.HasVNI() && w.under == overlay.V6 {
				continue // nothing tells two such networks apart
			}
			g.add(w)
		}
	}
	return g
}

func (g *ground) add(w world) {
	i := len(g.fields)
	name := overlay.NetworkName(fmt.Sprintf("field%d", i))
	local := func(who string, pos byte) host {
		return w.host(name, overlay.EndpointName(fmt.Sprintf("%s%d", who, i)), here, 1, pos)
	}
	f := field{w, overlay.VNI(0x10101 * (i + 1)), local("near", 2), local("next", 3), w.host(name, "far", nodeB, 2, 2)}
	g.fields = append(g.fields, f)
	g.state.Networks[name] = w.network(name, f.vni, f.near, f.next, f.far)
	g.places = append(g.places, f.near.place())
}

// mutations is how often each seed is changed.
const mutations = 6

func (g *ground) seed(f *testing.F, random *rand.Rand) {
	add := func(where int, b []byte) {
		f.Add(uint8(where), b)
		for range mutations {
			f.Add(uint8(where), odd(random, b))
		}
	}
	for i, n := range g.fields {
		for _, b := range n.sends() {
			add(i+1, b)
		}
		for _, b := range n.gets() {
			add(0, b)
		}
	}
}

// ends of a packet between two hosts, as the first sends it here, or its node does.
func (f field) ends(from, to host) packet.Ends {
	e := packet.Ends{SrcMAC: from.mac, DstMAC: to.mac, Src: from.ip, Dst: to.ip}
	switch {
	case f.kind == overlay.Bridged:
	case from.node == here:
		e.DstMAC = f.vni.GatewayMAC()
	default:
		e.SrcMAC, e.DstMAC = overlay.VTEPMACFor(from.node), overlay.VTEPMACFor(here)
	}
	return e
}

func (f field) sends() [][]byte {
	spoofed := f.ends(f.next, f.far)
	tagged := withTag(0, ping(f.ends(f.near, f.next)))
	return [][]byte{
		ping(f.ends(f.near, f.next)), tcp(f.ends(f.near, f.far)), ask(f.near, f.far.ip), ping(spoofed), tagged,
		group(f.near, mdns(f.near)).UDP(5353, 5353, data),
	}
}

func (f field) gets() [][]byte {
	from := func(n overlay.NodeName, inner []byte) []byte {
		return wrap(f.encapsulation, f.kind, encap.Outer{
			Src: f.vtep(n), Dst: f.vtep(here), DstPort: f.encapsulation.DefaultPort(), VNI: f.vni,
		}, inner)
	}
	all := [][]byte{
		from(nodeB, ping(f.ends(f.far, f.near))), from(nodeB, tcp(f.ends(f.far, f.next))),
		from(nodeD, ping(f.ends(f.far, f.near))), from(nodeB, ask(f.far, f.near.ip)),
	}
	if f.frames() {
		all = append(all, from(nodeB, withTag(7, ping(f.ends(f.far, f.near)))))
	}
	return all
}

// odd is a frame as it should not be: cut off, with something behind it, with some of its first
// bytes, which are the headers', changed.
func odd(random *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range random.IntN(4) {
		b[random.IntN(min(len(b), 110))] = byte(random.Uint32())
	}
	switch random.IntN(4) {
	case 0:
		b = b[:random.IntN(len(b))]
	case 1:
		for range random.IntN(100) {
			b = append(b, byte(random.Uint32()))
		}
	}
	return b
}

// receiver is who gets something.
type receiver struct {
	at  Place
	via netip.Addr
}

// unforeseen are the deliveries to whom the oracle has none for.
func (g *ground) unforeseen(at Place, b []byte, got []Delivery) []Delivery {
	foreseen := map[receiver]bool{}
	for _, d := range Forward(g.state, nil, at, b).Deliveries {
		foreseen[receiver{d.At, d.Via}] = true
	}
	return slices.DeleteFunc(got, func(d Delivery) bool {
		return foreseen[receiver{d.At, d.Via}] || at != Underlay && d.At == at || unasked(d) || g.own(d)
	})
}

// own reports whether a network's own host says something for itself: who has an address, or
// that it cannot do what somebody wants.
func (g *ground) own(d Delivery) bool {
	b := d.Bytes
	if d.At == Underlay {
		o, inner, err := readTunnel(b)
		if err != nil {
			return false
		}
		if b = inner; o.Inner != packet.TypeTEB {
			b = ethernet([6]byte{}, [6]byte{}, o.Inner, inner)
		}
	}
	f, err := parseFrame(b)
	if err != nil {
		return false
	}
	if f.Type == packet.TypeARP {
		return slices.ContainsFunc(g.fields, func(n field) bool { return f.Src == n.vni.GatewayMAC() })
	}
	p, ok := f.ip()
	if !ok || len(p.payload) == 0 || !slices.ContainsFunc(g.fields, func(n field) bool { return p.src == n.gatewayOf() || p.src == n.vni.GatewayMAC().LinkLocal() }) {
		return false
	}
	return p.proto == packet.ProtoICMP || p.proto == packet.ProtoICMPv6
}

// gatewayOf is the gateway's address.
func (f field) gatewayOf() netip.Addr { return inSubnet(f.overlay, 0, 1) }
