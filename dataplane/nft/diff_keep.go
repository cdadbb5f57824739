package nft

import (
	"maps"
	"strings"

	"weft/overlay"
)

// Keep returns the wanted rules of a host with all that it has of some networks
// added, as it is: of networks that are held, or that are yet to go.
func Keep(want, have Ruleset, held func(overlay.NetworkName) bool) Ruleset {
	want = want.Clone()
	isHeld := func(object string) bool { n := networkOf(object); return n != "" && held(n) }
	if !have.any(isHeld) {
		return want
	}
	for _, f := range families {
		there, ok := have[f]
		if !ok {
			continue
		}
		k := keeper{want: want.table(f), have: there, held: isHeld}
		k.common()
		k.counters()
		k.sets()
		k.chains()
		if len(k.want.Chains) == 0 {
			delete(want, f)
		}
	}
	return want
}

// any reports whether there is a chain that is to be kept.
func (r Ruleset) any(held func(object string) bool) bool {
	for _, t := range r {
		for name := range t.Chains {
			if held(name) {
				return true
			}
		}
	}
	return false
}

// networkOf is the network that an object is of; "" if it is nobody's alone.
func networkOf(name string) overlay.NetworkName {
	i := strings.LastIndexByte(name, '/')
	if i < 0 || strings.HasPrefix(name, onDevice) {
		return ""
	}
	return overlay.NetworkName(name[i+1:])
}

// keeper adds to a wanted table.
type keeper struct {
	want, have Table
	held       func(object string) bool
}

// common adds what networks share, if it is there.
func (k keeper) common() {
	if _, ok := k.have.Chains[underlay]; ok && (Ruleset{INet: k.have}).any(k.held) {
		tunnelChecks(k.want)
	}
	if _, ok := k.have.Chains[prerouting]; ok {
		untracking(k.want)
	}
}

func (k keeper) counters() {
	for name := range k.have.Counters {
		if k.held(name) {
			k.want.Counters[name] = struct{}{}
		}
	}
}

// sets keeps the networks' own, and in those of all networks the elements that lead
// to them. Whose the ports and subnets are does not show: all stay.
func (k keeper) sets() {
	for name, s := range k.have.Sets {
		w, wanted := k.want.Sets[name]
		_, shared := sharedSets[name]
		switch {
		case k.held(name):
			k.want.Sets[name] = s
		case wanted && shared:
			w.Elements = maps.Clone(w.Elements)
			for key, value := range s.Elements {
				if _, ok := w.Elements[key]; !ok && (value == "" || k.held(Verdict(value).chain())) {
					w.Elements[key] = value
				}
			}
			k.want.Sets[name] = w
		}
	}
}

// sharedSets are those that networks share. They are known whether wanted or not.
var sharedSets = map[string]Set{
	networks: newSet(NetworkProtocol, UDPDestination, VXLANVNI).to(verdict),
	tunnels:  newSet(UDPDestination),
	subnets4: newSet(IPSource).ofPrefixes(),
	subnets6: newSet(IP6Source).ofPrefixes(),
}

// chains keeps the networks' own, and in those of all networks the ways to them.
func (k keeper) chains() {
	for name, c := range k.have.Chains {
		switch {
		case k.held(name):
			k.want.Chains[name] = c
		case strings.HasPrefix(name, onDevice):
			for _, r := range c.Rules {
				if v, ok := r.verdict(); ok && k.held(v.chain()) {
					deviceChain(k.want, c.Device, v)
				}
			}
		}
	}
}

// verdict is that of a rule of nothing else.
func (r Rule) verdict() (Verdict, bool) {
	if len(r) != 1 {
		return "", false
	}
	v, ok := r[0].(Verdict)
	return v, ok
}
