package archtest

// Weft is the architecture: DESIGN §5's arrows as a table. Every package may use
// overlay's nouns where the packages it imports speak in them.
func Weft() Rules {
	return Rules{
		Module: "weft",
		Arrows: arrowTable(),
		Never: map[string][]string{
			// The CLI links neither etcd nor BPF: it is small, and runs where no daemon does.
			"cmd/weft": daemonsOwn,
			"cli":      daemonsOwn,
		},
		Pure: []string{
			"overlay/*.go", "packet/*.go", "encap/*.go", "encap/*/*.go", "ipam/*.go", "plan/*.go", "dataplane/*.go",
			"dataplane/*/objects*.go", "dataplane/*/lower*.go", "dataplane/*/diff*.go", "dataplane/*/explain*.go",
			"dataplane/user/table*.go",
		},
		Impure:   []string{"dataplane/plane.go"}, // the seam: its methods take a context
		MaxLines: 500,
		MaxMain:  30,
		Waiters:  []string{"internal/testenv", "internal/archtest"},
	}
}

var daemonsOwn = []string{
	"go.etcd.io/...", "github.com/cilium/ebpf/...",
	"agent/...", "server/...", "control/...", "store/etcdstore", "dataplane/kernel/...", "dataplane/ebpf/...", "dataplane/user/...",
}

// arrowTable names, for each package, what of ours it may import. What no row
// names (storetest, dataplanetest/linux) is for tests.
func arrowTable() map[string][]string {
	return map[string][]string{
		"overlay": {},
		"packet":  {},
		"encap":   {"overlay", "packet"},
		"ipam":    {"overlay"},

		"dataplane":               {"overlay", "encap"},
		"dataplane/dataplanetest": {"overlay", "packet", "encap", "dataplane"},
		"dataplane/nft":           {"overlay", "packet", "encap", "dataplane", "internal/netns", "internal/nlmsg"},
		"dataplane/kernel":        {"overlay", "packet", "encap", "dataplane", "dataplane/nft", "internal/files", "internal/netns", "internal/nlmsg"},
		"dataplane/ebpf":          {"overlay", "packet", "encap", "dataplane", "dataplane/nft", "dataplane/kernel", "internal/netns"},
		"dataplane/user":          {"overlay", "packet", "dataplane/kernel", "internal/files", "internal/netns"},
		"plan":                    {"overlay", "encap", "ipam", "dataplane"},

		// What planes on Linux are tested with.
		"dataplane/dataplanetest/linux": {"overlay", "packet", "encap", "dataplane", "dataplane/dataplanetest", "internal/netns", "internal/testenv"},

		"store":           {"overlay"},
		"store/memstore":  {"overlay", "store"},
		"store/etcdstore": {"overlay", "store", "internal/files"},
		"store/storetest": {"overlay", "store"},
		"control":         {"overlay", "store", "plan", "dataplane", "reach", "internal/files"},

		// api is the server's handlers and the client that is a Store; agentapi is the
		// agent's socket, which shows a plane's views.
		"api":          {"overlay", "store", "ipam", "encap", "plan", "api/identity"},
		"api/identity": {"overlay", "internal/files"},
		"api/agentapi": {"overlay", "dataplane", "api"},

		"reach": {"overlay", "packet", "internal/netns"},
		"trace": {"overlay", "packet", "encap"},
		"lab":   {"overlay", "internal/netns"},
		// The demo decodes what it captures.
		"lab/demo": {"overlay", "lab", "trace", "internal/netns"},
		// bench has the results, probe measures, and course builds what is compared, with
		// planes that it tells of more nodes than there are.
		"bench":         {},
		"bench/probe":   {"bench", "internal/netns"},
		"bench/course":  {"overlay", "plan", "dataplane/kernel", "dataplane/ebpf", "lab", "bench", "bench/probe"},
		"bench/compare": {"bench/course"},
		"agent": {
			"overlay", "store", "store/memstore", "api", "api/identity", "api/agentapi", "plan", "control", "reach", "trace",
			"dataplane", "dataplane/nft", "dataplane/kernel", "dataplane/ebpf", "dataplane/user", "internal/files", "internal/netns",
		},
		"server": {"overlay", "store", "store/memstore", "store/etcdstore", "api", "api/identity", "ipam", "internal/files"},
		// weftd down and doctor work on the host without an agent.
		"daemon": {"overlay", "store", "agent", "server", "api", "api/identity", "api/agentapi", "dataplane", "dataplane/kernel", "dataplane/ebpf", "dataplane/user", "internal/files", "internal/release"},
		// Of store and dataplane the CLI has the errors and the views that the APIs speak in.
		"cli": {"overlay", "store", "dataplane", "api", "api/identity", "api/agentapi", "trace", "lab", "lab/demo", "bench", "bench/probe", "internal/netns", "internal/release"},

		"cmd/weft":        {"cli"},
		"cmd/weftd":       {"daemon"},
		"cmd/weft-cni":    {"cli"},
		"cmd/weft-docker": {"cli"},

		"internal/files":    {},
		"internal/netns":    {},
		"internal/nlmsg":    {},
		"internal/release":  {},
		"internal/testenv":  {"internal/netns"},
		"internal/archtest": {},
	}
}
