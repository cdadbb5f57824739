package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule is statements, of which each but the last narrows the packets down or does
// something on the way.
type Rule []Statement

// Statement is a part of a rule: Match, Lookup, Dispatch, Count, SetMark, Verdict, Notrack,
// Forward, Limit, or Odd.
type Statement interface {
	// String is the statement as nft(8) reads it.
	String() string
}

// String is the rule as nft(8) reads it.
func (r Rule) String() string {
	var parts []string
	for _, s := range r {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, " ")
}

// Equal compares all statements.
func (r Rule) Equal(o Rule) bool { return slices.Equal(r, o) }

// Match goes on with packets in which a field has a value.
//
// What nft(8) adds by itself stands in Weft's rules, so that all versions of it
// make the same of them: "ip saddr" has a "meta protocol ip" before it.
type Match struct {
	Field Field
	// Above: it has a larger value.
	Above bool
	Value string
}

func (s Match) String() string {
	words := s.Field.String() + " "
	if s.Above {
		words += "> "
	}
	return words + s.Field.print(s.Value)
}

// Lookup goes on with packets whose fields are in a set.
type Lookup struct {
	Key Key
	// Not: with those whose are not. A packet that lacks a field is neither.
	Not bool
	Set string
}

func (s Lookup) String() string {
	words := s.Key.String() + " "
	if s.Not {
		words += "!= "
	}
	return words + "@" + s.Set
}

// Dispatch does what a map says of a packet's fields; nothing if they are not in it.
type Dispatch struct {
	Key Key
	Map string
}

func (s Dispatch) String() string { return s.Key.String() + " vmap @" + s.Map }

// Count adds the packet to a counter.
type Count struct{ Counter string }

func (s Count) String() string { return "counter name " + quoted(s.Counter) }

// Limit goes on with packets over a rate: those with the same fields have a token bucket of
// their own, in a Dynamic set.
type Limit struct {
	Key Key
	Set string
	// Rate is in packets a second, and Burst how many may come at once.
	Rate, Burst int
}

func (s Limit) String() string {
	return fmt.Sprintf("update @%s { %s limit rate over %d/second burst %d packets }", s.Set, s.Key, s.Rate, s.Burst)
}

// Verdict ends the rule: accept, drop, or "goto CHAIN".
type Verdict string

func (s Verdict) String() string { return string(s) }

// chain is where the verdict leads.
func (s Verdict) chain() string {
	_, name, _ := strings.Cut(string(s), " ")
	return name
}

// SetMark puts a Mark on the packet.
type SetMark struct{ Value string }

func (s SetMark) String() string { return "meta mark set " + Mark.print(s.Value) }

// Notrack keeps connection tracking, and with it NAT, from the packet.
type Notrack struct{}

func (Notrack) String() string { return "notrack" }

// Forward sends an IP packet out of a device at once, as a router does: to a
// neighbour, and with a smaller TTL. The rest of the stack never sees it
// (net/netfilter/nft_fwd_netdev.c).
type Forward struct {
	// Destination is the field that says IP or IPv6, and whose value is looked
	// up in Map for the neighbour's address.
	Destination Field
	Map         string
	// To is the neighbour where there is no Map.
	To     netip.Addr
	Device string
}

func (s Forward) String() string {
	family, _, _ := strings.Cut(s.Destination.String(), " ")
	to := s.To.String()
	if s.Map != "" {
		to = s.Destination.String() + " map @" + s.Map
	}
	return "fwd " + family + " to " + to + " device " + quoted(s.Device)
}

// forwards is the rule's Forward, if it has one.
func (r Rule) forwards() (Forward, bool) {
	if len(r) == 0 {
		return Forward{}, false
	}
	f, ok := r[len(r)-1].(Forward)
	return f, ok
}

// Odd is a rule of somebody else's, or a changed one: what the kernel says of it.
type Odd struct{ Code string }

func (s Odd) String() string { return "(odd)" }

// The statements with which rules are written.

func is(f Field, value string) Statement { return Match{Field: f, Value: value} }

func above(f Field, value string) Statement { return Match{Field: f, Value: value, Above: true} }

func in(set string, fields ...Field) Statement { return Lookup{Key: keyOf(fields...), Set: set} }

func notIn(set string, fields ...Field) Statement {
	return Lookup{Key: keyOf(fields...), Set: set, Not: true}
}

func over(rate, burst int, set string, fields ...Field) Statement {
	return Limit{Key: keyOf(fields...), Set: set, Rate: rate, Burst: burst}
}

const (
	accept = Verdict(acceptVerdict)
	drop   = Verdict(dropVerdict)
)

func gotoChain(name string) Verdict { return Verdict(gotoVerdict + name) }

func jumpTo(name string) Verdict { return Verdict(jumpVerdict + name) }
