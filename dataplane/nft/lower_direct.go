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
// overrule it. What comes from the domain is Weft's. What comes from the underlay
// has to be from the other nodes' blocks, or be a router's answer: theirs, or
// their domains'.
//
// What a router answers itself, packets whose TTL ends here, is left to the host's
// stack: it answers before its FORWARD rules. Too large a packet is never seen
// here: the veth to the domain has the underlay's MTU, so that the domain has answered it or
// cut it before. A rule could not tell, as what it sees may be many segments in
// one (GSO), and sending those the other way would cut TCP. An unknown neighbour is not answered for.
func forwarded(t Table, n dataplane.Network, d Direct) {
	name := string(n.Name)
	var out, back []Rule
	for _, v := range versions {
		blocks := newSet(v.destination).ofPrefixes()
		for _, b := range n.Blocks {
			if v.has(b.Addr()) {
				blocks.addPrefix(b)
			}
		}
		remotes, hops := directRoutes(n, d, v)
		if len(blocks.Elements) == 0 || len(remotes.Elements) == 0 {
			continue
		}
		blocksName, remotesName := blocksOf+v.digit+"/"+name, remotesOf+v.digit+"/"+name
		t.Sets[blocksName], t.Sets[remotesName] = blocks, remotes
		lives := []Statement{is(Protocol, v.protocol), above(v.lifetime, "\x01")}
		for _, dev := range slices.Sorted(maps.Keys(hops)) {
			hopsName := hopsOf + v.digit + "/" + identifier(dev) + "/" + name
			t.Sets[hopsName] = hops[dev]
			out = append(out, append(slices.Clone(lives), Forward{Destination: v.destination, Map: hopsName, Device: dev}))
			deviceChain(t, dev, jumpTo(ofDirect+name))
		}
		back = append(back, append(lives, in(remotesName, v.source), in(blocksName, v.destination),
			Forward{Destination: v.destination, To: d.hop(v), Device: d.Link}))
	}
	if len(out) > 0 {
		t.Chains[fromLink+name] = Chain{Hook: Hook{Name: "ingress", Priority: priority, Device: d.Link}, Rules: out}
		t.Chains[ofDirect+name] = Chain{Rules: back}
	}
}

// directRoutes is who sends to the node unencapsulated, and where the node sends so,
// by device.
func directRoutes(n dataplane.Network, d Direct, v version) (remotes Set, hops map[string]Set) {
	remotes, hops = newSet(v.source).ofPrefixes(), map[string]Set{}
	routers := []netip.Addr{d.hop(v)}
	for _, g := range n.Gateways {
		routers = append(routers, g.Addr())
	}
	via := map[netip.Prefix]netip.Addr{}
	for prefix, r := range n.Routes {
		if r.Direct && d.Devices[r.Via] != "" && v.has(prefix.Addr()) && v.has(r.Via) {
			via[prefix.Masked()] = r.Via
			remotes.addPrefix(prefix)
			routers = append(routers, r.Via)
		}
	}
	for prefix, hop := range longest(via) {
		dev := d.Devices[hop]
		if _, ok := hops[dev]; !ok {
			hops[dev] = newSet(v.destination).to(fields[v.destination].kind).ofPrefixes()
		}
		hops[dev].Elements[prefixBytes(prefix)] = addressBytes(hop)
	}
	for _, a := range routers {
		// A router's answer never comes from an IPv6 link-local address (RFC 4443 section 2.2).
		if len(hops) > 0 && v.has(a) && !(a.Is6() && a.IsLinkLocalUnicast()) {
			remotes.addPrefix(netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return remotes, hops
}

func (d Direct) hop(v version) netip.Addr {
	if v.digit == "4" {
		return d.Hop4
	}
	return d.Hop6
}

// addPrefix adds a prefix to a set, unless it is a part of one that is there: the
// kernel takes no two that overlap.
func (s Set) addPrefix(p netip.Prefix) {
	for k := range s.Elements {
		if other := prefixOf(k); other.Overlaps(p) {
			if other.Bits() <= p.Bits() {
				return
			}
			delete(s.Elements, k)
		}
	}
	s.Elements[prefixBytes(p)] = ""
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
