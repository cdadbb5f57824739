package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sync/errgroup"

	"weft/internal/netns"
	"weft/internal/testenv"
)

// picture is what ip, bridge, tc and nft show on the hosts and in the networks'
// namespaces, a line each, in order: all that somebody set up, and nothing that
// comes and goes by itself. Devices have their indexes: one that was made again is
// another one.
type picture []string

// shown are the commands whose output makes a picture. None prints counters.
var shown = []string{
	"ip -o link", "ip -o -d link show type vxlan", "bridge -o -d link", "bridge fdb", "ip neigh show nud permanent",
	"ip -o address", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all",
	"tc qdisc", "nft -s list ruleset",
}

// picture takes one of all hosts.
func (s *session) picture() picture {
	s.t.Helper()
	lines := make([][]string, len(s.hosts()))
	var g errgroup.Group
	for i, h := range s.hosts() {
		g.Go(func() (err error) {
			lines[i], err = h.picture()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		s.t.Fatal(err)
	}
	return slices.Concat(lines...)
}

func (h *host) picture() ([]string, error) {
	dir := filepath.Join(h.Dir(), "run", "netns")
	names, err := netns.List(dir)
	if err != nil {
		return nil, err
	}
	lines, err := h.lines(h.Name(), h.Path())
	for _, name := range names {
		more, e := h.lines(h.Name()+" "+name, filepath.Join(dir, name))
		lines, err = append(lines, more...), errors.Join(err, e)
	}
	return lines, err
}

// lines are those of one namespace, with its name before each.
func (h *host) lines(name, ns string) ([]string, error) {
	out, err := netns.Output(h.s.t.Context(), ns, "sh", "-ec", strings.Join(shown, "\n"))
	lines := []string{name}
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\n "); !passing(line) {
			lines = append(lines, name+": "+timers.ReplaceAllString(line, ""))
		}
	}
	programs, e := programsIn(ns)
	for _, p := range programs {
		lines = append(lines, name+": "+p)
	}
	slices.Sort(lines)
	return lines, errors.Join(err, e)
}

// programsIn are the BPF programs on the devices of a namespace, by their links, which
// stay when another program takes over.
func programsIn(ns string) (lines []string, err error) {
	err = netns.Do(ns, func() error {
		devices, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, d := range devices {
			found, err := link.QueryPrograms(link.QueryOptions{Target: d.Index, Attach: ebpf.AttachTCXIngress})
			if err != nil {
				return fmt.Errorf("programs on %s: %w", d.Name, err)
			}
			for _, p := range found.Programs {
				id, _ := p.LinkID()
				lines = append(lines, fmt.Sprintf("%s: program by link %d", d.Name, id))
			}
		}
		return nil
	})
	return lines, err
}

// timers are a bridge port's, which run.
var timers = regexp.MustCompile(`\b\w+_timer +[\d.]+ `)

// passing reports whether a line is an FDB entry that a bridge learnt by itself.
func passing(line string) bool {
	words := strings.Fields(line)
	return len(words) > 3 && words[1] == "dev" && strings.Count(words[0], ":") == 5 &&
		!slices.ContainsFunc(words, func(w string) bool { return slices.Contains([]string{"permanent", "static", "extern_learn"}, w) })
}

// differs returns nil if another picture shows the same, and else the lines that only
// one of them has.
func (p picture) differs(now picture) error {
	var lines []string
	for _, line := range p {
		if !slices.Contains(now, line) {
			lines = append(lines, "- "+line)
		}
	}
	for _, line := range now {
		if !slices.Contains(p, line) {
			lines = append(lines, "+ "+line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New("was (-), is (+)\n" + strings.Join(lines, "\n"))
}

// becomes waits until the hosts look as they did.
func (s *session) becomes(before picture) {
	s.t.Helper()
	testenv.Eventually(s.t, patience, func() error { return before.differs(s.picture()) }, "the hosts look as before")
}

// settled waits until every host is as it should be, by what weft says.
func (s *session) settled() {
	s.t.Helper()
	for _, h := range s.hosts() {
		testenv.Eventually(s.t, patience, h.differs, "host "+h.Name()+" is as it should be")
	}
}

// differs returns what weft plan and weft status say of this host, nil if nothing
// is to be done.
func (h *host) differs() error {
	var operations []string
	h.read(&operations, "plan")
	var nodes []struct{ Networks []report }
	h.read(&nodes, "status --local")
	if len(nodes) != 1 {
		return fmt.Errorf("status of %d nodes", len(nodes))
	}
	for _, n := range nodes[0].Networks {
		if len(n.Differs) > 0 || n.Wanted != n.Present {
			return fmt.Errorf("status of %s: %d of %d, %q", n.Network, n.Present, n.Wanted, n.Differs)
		}
	}
	if len(operations) > 0 {
		return fmt.Errorf("plan: %q", operations)
	}
	return nil
}

// report is what weft status says of a network on a node.
type report struct {
	Network         string
	Wanted, Present int
	Since           time.Time
	Differs         []string
}
