package kernel

import "strconv"

// setAnswer has too large packets that leave by a link answered by another one. IPv4 packets
// without DF are none: the link's own packets may be fragmented.
type setAnswer struct {
	From LinkID
	Answer
}

func (o setAnswer) String() string {
	tc := func(words ...string) string { return o.From.NS.command("tc", words...) }
	command := tc("qdisc", "replace", "dev", o.From.Name, "clsact")
	for _, f := range answerFilters {
		words := append([]string{"filter", "replace", "dev", o.From.Name, "egress", "handle", f.handle, "protocol", f.protocol, "prio", strconv.Itoa(f.prio), "u32"}, f.match...)
		command += " && " + tc(append(words, "action", "police", "mtu", strconv.Itoa(o.Size), "conform-exceed", "pipe/ok",
			"action", "mirred", "egress", "redirect", "dev", o.By)...)
	}
	return command
}

// answerFilters are for the packets that are answered.
var answerFilters = []answerFilter{
	{"800::1", "ip", 1, []string{"match", "u16", "0x4000", "0x4000", "at", "6"}}, // DF
	{"801::1", "ipv6", 2, []string{"match", "u32", "0", "0"}},
}

// answerFilter is one in words of tc(8): the first of the table of its priority.
type answerFilter struct {
	handle, protocol string
	prio             int
	match            []string
}
