package kernel

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// mutant is what is done to one of the commands.
type mutant struct {
	index   int // of the command
	was, is string
	what    string // "dropped", "on → off", "nodad taken out"
	// word is the place of the word that was altered, way the number of the way it was.
	word, way int
}

func (m mutant) String() string { return m.what + " in " + m.was }

// in are the commands with the altered one.
func (m mutant) in(commands []string) []string {
	return slices.Replace(slices.Clone(commands), m.index, m.index+1, m.is)
}

// likeness is the same for mutants of which one stands for all: the same is done to what
// stands behind the same word in the same command.
func (m mutant) likeness() string {
	if m.is == "" {
		return m.String()
	}
	if nftCommand.MatchString(m.was) {
		return m.nftLikeness()
	}
	words := wordPattern.FindAllString(m.was, -1)
	var kind []string
	for i, w := range words {
		if slices.Contains(kindWords, w) || i > 0 && words[i-1] == "type" || w == "peer" && i < m.word {
			kind = append(kind, w)
		}
	}
	return fmt.Sprint(kind, words[max(m.word-1, 0)], classOf(words[m.word]), m.way)
}

// classOf is a word, or what kind of value it is.
func classOf(word string) string {
	for class, pattern := range valueWords {
		if pattern.MatchString(word) {
			return class
		}
	}
	return word
}

// valueWords are words of which there can be any number.
var valueWords = map[string]*regexp.Regexp{
	"a name": regexp.MustCompile(`^"|/|^[@a-z0-9]*(single|spoofed|sources|stations)`), "a MAC": macWord, "a setting": sysctlWord, "an alias": aliasWord,
	"a number":    regexp.MustCompile(`^[0-9.]+(/[0-9]+)?$`),
	"IPv6":        regexp.MustCompile(`^[0-9a-f:]*::[0-9a-f:]*(/[0-9]+)?$`),
	"a link":      regexp.MustCompile(`^(lo|br0|vx0|eth0|tap0|own0|host0|neta6?|w[a-z0-9]+|virbr0)$`),
	"a namespace": regexp.MustCompile(`^(--net=/run/netns/)?(weft-blue|workload)$`),
}

// kindWords tell commands that can have the same words behind the same words.
var kindWords = strings.Fields("ip bridge tc sysctl netns link address neigh route fdb add set replace append self master unreachable")

// mutantsOf are all of a command: it is dropped, and each of its words that could be
// another is, or is taken out. The error names a word of which nobody has said what
// could be instead.
func mutantsOf(index int, command string) ([]mutant, error) {
	if nftCommand.MatchString(command) {
		return nftMutants(index, command), nil
	}
	all := []mutant{{index: index, was: command, what: "dropped"}}
	words := wordPattern.FindAllString(command, -1)
	for i, w := range words {
		others, ok := otherWords(words, w)
		if !ok {
			return nil, fmt.Errorf("oracle_alter_test.go does not say how to alter %q in: %s", w, command)
		}
		for way, other := range others {
			altered := slices.Clone(words)
			altered[i] = other
			what := w + " → " + other
			if other == "" {
				altered, what = slices.Delete(altered, i, i+1), w+" taken out"
			}
			all = append(all, mutant{index, command, strings.Join(altered, " "), what, i, way})
		}
	}
	return all, nil
}

// wordPattern takes a loop for one word.
var wordPattern = regexp.MustCompile(`for .*; done|\S+`)

// verbs are the words that say what command it is, and what of it comes next.
var verbs = strings.Fields(`
	ip netns tuntap link address neigh route add replace set type peer name mode mtu alias addrgenmode master
	id local remote group dstport srcport ttl tos ageing mcast_snooping dev lladdr nud via proto metric scope
	bridge fdb dst learning flood mcast_flood bcast_flood neigh_suppress
	show >/dev/null
	tc qdisc filter protocol handle prio u32 match action mirred sysctl -qw nsenter -n &&`)

// others are words and what to have instead; "" takes the word out.
var others = map[string]string{
	"on": "off", "off": "on", "up": "down", "none": "eui64",
	"proxy": "noproxy", "noudpcsum": "udpcsum", "udp6zerocsumtx": "noudp6zerocsumtx", "0x10": "0x14", "neta": "eth0", "neta6": "eth0", "inherit": "0x10",
	"nolearning": "learning", "udp6zerocsumrx": "noudp6zerocsumrx",
	"tap": "tun", "nodad": "", "onlink": "", "append": "replace", "unreachable": "prohibit",
	"static": "dynamic", "dynamic": "static", "sticky": "", "permanent": "noarp", "self": "master",
	"clsact": "ingress", "ingress": "egress", "egress": "ingress", "redirect": "mirror", "all": "ip",
	"800::1": "800::2", "vxlan": "veth", "veth": "bridge", keepListeningCommand: ":",
	// Other namespaces and links.
	"weft-blue": "workload", "workload": "weft-blue", "--net=/run/netns/weft-blue": "--net=/run/netns/workload",
	"lo": "vx0", "br0": "vx0", "vx0": "br0", "we0": "vx0", "wvm": "we0", "wown": "we0", "wlan": "we0", "host0": "vx0",
	"own0": "own1", "eth0": "lo", "tap0": "eth0", "wfhost001001": "eth0", foreignBridge: "eth0",
}

// inFDB are those that are others in the command bridge fdb.
var inFDB = map[string]string{"master": "self", "permanent": "static"}

var (
	macWord    = regexp.MustCompile(`^([0-9a-f]{2}:){5}[0-9a-f]{2}$`)
	sysctlWord = regexp.MustCompile(`^net\.[a-z0-9._]+=[01]$`)
	aliasWord  = regexp.MustCompile(`^weft:[a-z0-9/]+$`)
)

// otherWords are what to have instead of a word.
func otherWords(words []string, w string) (instead []string, ok bool) {
	if o, ok := inFDB[w]; ok && slices.Contains(words, "fdb") {
		return []string{o}, true
	}
	if slices.Contains(verbs, w) {
		return nil, true
	}
	return otherValues(w)
}

func otherValues(w string) ([]string, bool) {
	if o, ok := others[w]; ok {
		return []string{o}, true
	}
	if n, err := strconv.Atoi(w); err == nil {
		return []string{strconv.Itoa(n ^ 1)}, true
	}
	if a, err := netip.ParseAddr(w); err == nil {
		return []string{a.Next().String()}, true
	}
	if p, err := netip.ParsePrefix(w); err == nil {
		return otherPrefixes(p), true
	}
	switch last := len(w) - 1; {
	case aliasWord.MatchString(w):
		return []string{w + "x"}, true
	case macWord.MatchString(w), sysctlWord.MatchString(w):
		n, err := strconv.ParseUint(w[last:], 16, 8)
		return []string{w[:last] + strconv.FormatUint(n^1, 16)}, err == nil
	}
	return nil, false
}

// otherPrefixes are another address or network, and another length.
func otherPrefixes(p netip.Prefix) []string {
	length := netip.PrefixFrom(p.Addr(), max(p.Bits()-1, 1))
	if p.Bits() == 0 {
		return []string{length.String()}
	}
	b, bit := p.Addr().AsSlice(), p.Bits()-1
	if p != p.Masked() {
		bit = len(b)*8 - 1 // an address in its network
	}
	b[bit/8] ^= 0x80 >> (bit % 8)
	return []string{netip.PrefixFrom(addressOf(b), p.Bits()).String(), length.String()}
}

// harmlessMutants are those that nobody can see: what a command was, and what it is.
var harmlessMutants = []struct {
	was, is *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`ip_forward=0$|all\.forwarding=0$`), regexp.MustCompile(`^$|workload`),
		"a new namespace does not forward, unless the machine is set up so that it does"},
	{regexp.MustCompile(`link add name br0`), regexp.MustCompile(`mtu 1601`),
		"a bridge's MTU follows its ports' (net/bridge/br_if.c, br_mtu_auto_adjust), and it has one at once"},
	{regexp.MustCompile(`fdb append 00:00:00:00:00:00 .* dst 192\.0\.2\.2`), regexp.MustCompile(`self static`),
		"an entry has one state for all its destinations, the last one's"},
	{regexp.MustCompile(`match u32 0 0`), regexp.MustCompile(`match u32 1 0`),
		"the mask has no bit of it"},
}

// harmless says why nobody sees the mutant; "" if somebody does.
func (m mutant) harmless() string {
	for _, h := range harmlessMutants {
		if h.was.MatchString(m.was) && h.is.MatchString(m.is) {
			return h.why
		}
	}
	return ""
}

// stale says which of the harmless mutants there are none of.
func stale(all []mutant) error {
	for _, h := range harmlessMutants {
		if !slices.ContainsFunc(all, func(m mutant) bool { return h.was.MatchString(m.was) && h.is.MatchString(m.is) }) {
			return fmt.Errorf("there is no harmless mutant any more: %s in %s", h.is, h.was)
		}
	}
	return nil
}
