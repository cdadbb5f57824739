package overlay

import (
	"net/netip"
	"testing"
)

func block(prefix netip.Prefix) *Block {
	return &Block{Meta: Meta{Kind: KindBlock, Network: "green", Name: "10-8-1-0-24"}, Spec: BlockSpec{Node: "a", Prefix: prefix}}
}

func TestBlockValidate(t *testing.T) {
	t.Parallel()
	good := netip.MustParsePrefix("10.8.1.0/24")
	check(t, block(good).Validate(), "")
	check(t, block(netip.Prefix{}).Validate(), "block 10-8-1-0-24: prefix invalid Prefix: want a network address")
	check(t, block(netip.MustParsePrefix("10.8.1.5/24")).Validate(), "block 10-8-1-0-24: prefix 10.8.1.5/24: want a network address")
	b := block(good)
	b.Spec.Node = "A"
	check(t, b.Validate(), `node "A": a name has lower-case letters, digits and dashes only`)
	b.Network = ""
	check(t, b.Validate(), "network: the name is missing")
	b.Name = "10.8.1.0/24"
	check(t, b.Validate(), `block "10.8.1.0/24": a name has lower-case letters, digits and dashes only`)
}

func TestBlockName(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"10.8.1.0/24": "10-8-1-0-24", "10.8.1.9/24": "10-8-1-0-24",
		"fd08::/64":       "fd08-0000-0000-0000-0000-0000-0000-0000-64",
		"fd08:0:0:1::/64": "fd08-0000-0000-0001-0000-0000-0000-0000-64",
	} {
		got := BlockName(netip.MustParsePrefix(prefix))
		if got != want {
			t.Errorf("BlockName(%s) = %s, want %s", prefix, got, want)
		}
		check(t, CheckName("block", got), "")
	}
}
