package nft

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"weft/dataplane"
)

// Direct says how a network's unencapsulated packets pass the host.
type Direct struct {
	// Link is the host's end of the veth to the domain.
	Link string
	// Hop4 and Hop6 are the domain's addresses on it.
	Hop4, Hop6 netip.Addr
	// Devices are the underlay devices that lead to the routes' next hops. A
	// route whose next hop has none is left to the host's stack.
	Devices map[netip.Addr]string
}

// Names of what is of unencapsulated packets. The later ones have the network's name
// behind.
const (
	prerouting = "prerouting" // chains of what is kept from connection tracking
	output     = "output"
	subnets4   = "subnets4"
	subnets6   = "subnets6"

	blocksOf  = "blocks"  // the node's own
	remotesOf = "remotes" // the other nodes'
	hopsOf    = "hops"    // map of the other nodes' to next hops
	fromLink  = "domain/" // chain of what the domain sends
	onDevice  = "device/" // chain of what an underlay device receives
	ofDirect  = "direct/" // chain of what of it is for the domain
)

// version is what differs between IP and IPv6.
type version struct {
	digit                         string
	protocol, family              string
	source, destination, lifetime Field
}

var versions = []version{
	{"4", protocolIP, familyIPv4, IPSource, IPDestination, IPTTL},
	{"6", protocolIPv6, familyIPv6, IP6Source, IP6Destination, IP6HopLimit},
}

func (v version) has(a netip.Addr) bool { return a.Is4() == (v.digit == "4") }

// untracking keeps packets within the networks' subnets from connection tracking,
// and so from NAT: a masquerade that the host has for something else ("all that
// leaves eth0") is not for them.
func untracking(t Table) {
	if _, ok := t.Chains[prerouting]; ok {
		return
	}
	t.share(subnets4, subnets6)
	var rules []Rule
	for _, v := range versions {
		set := "subnets" + v.digit
		rules = append(rules, Rule{is(NetworkProtocol, v.family), in(set, v.source), in(set, v.destination), Notrack{}})
	}
	t.Chains[prerouting] = Chain{Hook: Hook{Name: "prerouting", Priority: priority}, Rules: rules}
	t.Chains[output] = Chain{Hook: Hook{Name: "output", Priority: priority}, Rules: rules}
}

// untracked adds a network's subnets.
func untracked(t Table, n dataplane.Network) {
	for _, p := range subnets(n) {
		set := subnets4
		if p.Addr().Is6() {
			set = subnets6
		}
		t.Sets[set].Elements[prefixBytes(p)] = ""
	}
}

// forwarded takes the packets between the nodes' blocks past the host's FORWARD
// rules: each is sent on where it comes in, with a smaller TTL, as the routes say.
// A policy of DROP there, which Docker sets, would cut them, and no other table can
// overrule it. No other packets go this way, and of these not those that
// a router answers: the host's own stack does that, before its FORWARD rules.
//
// Too large a packet is none of them. The veth to the domain has the underlay's
// MTU, so that the domain has answered or cut it before. A rule could not tell:
// what it sees may be many segments in one (GSO).
func forwarded(t Table, n dataplane.Network, d Direct) {
	name := "/" + string(n.Name)
	back := Chain{}
	var out []Rule
	for _, v := range versions {
		blocks, remotes := newSet(v.source).ofPrefixes(), newSet(v.source).ofPrefixes()
		hops := map[string]Set{} // by device
		for _, b := range n.Blocks {
			if v.has(b.Addr()) {
				blocks.Elements[prefixBytes(b)] = ""
			}
		}
		for prefix, r := range n.Routes {
			dev := d.Devices[r.Via]
			if !r.Direct || dev == "" || !v.has(prefix.Addr()) || !v.has(r.Via) {
				continue
			}
			remotes.Elements[prefixBytes(prefix)] = ""
			if _, ok := hops[dev]; !ok {
				hops[dev] = newSet(v.destination).to(fields[v.destination].kind).ofPrefixes()
			}
			hops[dev].Elements[prefixBytes(prefix)] = addressBytes(r.Via)
		}
		if len(blocks.Elements) == 0 || len(remotes.Elements) == 0 {
			continue
		}
		t.Sets[blocksOf+v.digit+name], t.Sets[remotesOf+v.digit+name] = blocks, remotes
		lives := []Statement{is(Protocol, v.protocol), above(v.lifetime, "\x01")}
		for _, dev := range slices.Sorted(maps.Keys(hops)) {
			hopMap := hopsOf + v.digit + "/" + identifier(dev) + name
			t.Sets[hopMap] = hops[dev]
			out = append(out, append(slices.Clone(lives),
				in(blocksOf+v.digit+name, v.source), Forward{Destination: v.destination, Map: hopMap, Device: dev}))
			deviceChain(t, dev, jumpTo(ofDirect+string(n.Name)))
		}
		hop := d.Hop4
		if v.digit == "6" {
			hop = d.Hop6
		}
		back.Rules = append(back.Rules, append(lives, in(remotesOf+v.digit+name, v.source),
			in(blocksOf+v.digit+name, v.destination), Forward{Destination: v.destination, To: hop, Device: d.Link}))
	}
	if len(out) == 0 {
		return
	}
	t.Chains[fromLink+string(n.Name)] = Chain{Hook: Hook{Name: "ingress", Priority: priority, Device: d.Link}, Rules: out}
	t.Chains[ofDirect+string(n.Name)] = back
}

// deviceChain makes what an underlay device receives be seen by a network's rules.
func deviceChain(t Table, device string, to Verdict) {
	name := onDevice + identifier(device)
	c := t.Chains[name]
	c.Hook = Hook{Name: "ingress", Priority: priority, Device: device}
	at, found := slices.BinarySearchFunc(c.Rules, to, func(r Rule, v Verdict) int { return cmp.Compare(r.String(), v.String()) })
	if !found {
		c.Rules = slices.Insert(slices.Clone(c.Rules), at, Rule{to})
	}
	t.Chains[name] = c
}

// identifier is a device's name as a part of nft(8)'s identifiers, which have
// fewer characters.
func identifier(device string) string {
	var b strings.Builder
	for _, c := range []byte(device) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}
