package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// nftCommand is a command of nft's, what is before its argument and the argument.
var nftCommand = regexp.MustCompile(`^((?:nsenter --net=\S+ )?nft) '(.*)'$`)

// nftMutants are all of a command of nft's: it is dropped, and each word of its
// argument that is no mere grammar is another.
func nftMutants(index int, command string) []mutant {
	all := []mutant{{index: index, was: command, what: "dropped"}}
	m := nftCommand.FindStringSubmatch(command)
	words := strings.Fields(m[2])
	for i, w := range words {
		for way, other := range otherNFTWords(w) {
			altered := slices.Clone(words)
			altered[i] = other
			all = append(all, mutant{
				index: index, was: command, is: m[1] + " '" + strings.Join(altered, " ") + "'",
				what: w + " → " + other, word: i, way: way,
			})
		}
	}
	return all
}

// nftOthers are words of nft(8) and what to have instead.
var nftOthers = map[string]string{
	"accept": "drop", "drop": "accept", "goto": "jump", "jump": "goto", "notrack": "accept", "!=": "==", ">": "<",
	"ipv4": "ipv6", "ipv6": "ipv4", "ipv4_addr": "ipv6_addr", "ipv6_addr": "ipv4_addr", "ether_addr": "ipv4_addr",
	"ifname": "inet_service", "inet_service": "ifname", "interval": "timeout", "exists": "missing", "frag": "hbh",
	"saddr": "daddr", "daddr": "saddr", "sport": "dport", "dport": "sport", "udp": "tcp", "ether": "loopback",
	"input": "output", "output": "input", "ingress": "egress", "prerouting": "input", "iifname": "oifname",
	"ip": "ip6", "ip6": "ip", "arp": "ip", "8021q": "8021ad", "8021ad": "8021q", "ttl": "dscp", "hoplimit": "dscp",
	"nd-neighbor-advert": "nd-neighbor-solicit", "ipv6-icmp": "icmp", "vmap": "", "counter": "",
}

// otherNFTWords are what to have instead of a word of nft's.
func otherNFTWords(w string) []string {
	core := strings.TrimRight(w, ",;")
	tail := w[len(core):]
	last := len(core) - 1
	o, ok := nftOthers[core]
	values, isValue := otherValues(core)
	switch {
	case ok:
		values = []string{o}
	case isValue:
	case strings.HasPrefix(core, "0x") && core[last] == '0':
		values = []string{core[:last] + "1"}
	case strings.HasPrefix(core, "0x"):
		values = []string{core[:last] + "0"}
	case strings.HasPrefix(core, `"`):
		values = []string{core[:last] + `x"`}
	case strings.HasPrefix(core, "@th,"): // bits of the payload
		values = []string{core + "0"}
	case strings.HasPrefix(core, "@"):
		values = []string{core + "x"}
	}
	for i := range values {
		values[i] += tail
	}
	return values
}

// nftLikeness is likeness for words of nft's.
func (m mutant) nftLikeness() string {
	words := strings.Fields(nftCommand.FindStringSubmatch(m.was)[2])
	word, before := classOf(words[m.word]), ""
	if word == "a number" {
		before = words[m.word-1]
	}
	return fmt.Sprint(words[:2], before, word, m.way) // add rule
}
