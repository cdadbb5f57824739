package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"weft/internal/netns"
)

// A tool shows what a namespace has. What it answers to each of the questions is a
// section of the dump.
type tool struct {
	name    string
	command []string
	// asks are the questions of a batch by section; links: another two for each of
	// the links. A tool without any has one section, with its own name.
	asks  []question
	links bool
	// text: it answers with lines, not with JSON; ordered: and their order says something.
	text, ordered bool
	// passing matches what traffic puts there, and time takes away, behind what stays of it.
	passing *regexp.Regexp
}

type question struct{ section, text string }

var (
	ipTool = tool{name: "ip", command: []string{"ip", "-j", "-d", "-batch", "-"}, asks: []question{
		{"link", "link show"}, {"address", "address show"}, {"neigh", "neigh show"},
		{"route", "route show table all"}, {"rule", "rule show"},
	}}
	bridgeTool = tool{name: "bridge", command: []string{"bridge", "-j", "-d", "-batch", "-"}, asks: []question{
		{"fdb", "fdb show"}, {"port", "link show"},
	}}
	tcTool = tool{name: "tc", command: []string{"tc", "-j", "-d", "-batch", "-"}, asks: []question{
		{"qdisc", "qdisc show"},
	}, links: true}
	ruleTool = tool{name: "rule6", command: []string{"ip", "-j", "-6", "rule", "show"}}
	nftTool  = tool{name: "nft", command: []string{"nft", "-s", "list", "ruleset"}, text: true, ordered: true,
		passing: regexp.MustCompile(`(flags dynamic,timeout\n\s*timeout \w+\n)\s*elements = [^}]*}\n`)}
	sysctlTool = tool{name: "sysctl", command: []string{"sysctl", "-a", "--pattern", `^net\.(ipv4|ipv6|bridge)\.`}, text: true}
)

// allTools show everything.
var allTools = []tool{ipTool, bridgeTool, tcTool, ruleTool, nftTool, sysctlTool}

// questions are what the tool is asked in a namespace with these links.
func (t tool) questions(links []string) []question {
	if t.asks == nil {
		return []question{{section: t.name}}
	}
	asks := slices.Clone(t.asks)
	if t.links {
		for _, l := range links {
			for _, way := range []string{"ingress", "egress"} {
				asks = append(asks, question{"filter " + l + " " + way, "filter show dev " + l + " " + way})
			}
		}
	}
	return asks
}

// ask has the tool answer in a namespace.
func (t tool) ask(path string, asks []question) (sections map[string][]any, err error) {
	var batch strings.Builder
	for _, q := range asks {
		fmt.Fprintln(&batch, q.text)
	}
	answer, err := feed(path, batch.String(), t.command...)
	if err != nil {
		return nil, err
	}
	sections = map[string][]any{}
	if t.text {
		sections[t.name] = t.textLines(answer)
		return sections, nil
	}
	documents := json.NewDecoder(strings.NewReader(answer))
	documents.UseNumber()
	for _, q := range asks {
		var v any
		if err := documents.Decode(&v); err != nil {
			return nil, fmt.Errorf("read what %q says: %w", t.command, err)
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		sections[q.section] = list
	}
	if _, err := documents.Token(); err != io.EOF {
		return nil, fmt.Errorf("%q says more than it was asked", t.command)
	}
	return sections, nil
}

func (t tool) textLines(text string) []any {
	if t.passing != nil {
		text = t.passing.ReplaceAllString(text, "$1")
	}
	var lines []any
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if t.ordered {
			l = fmt.Sprintf("%3d %s", len(lines)+1, l)
		}
		lines = append(lines, l)
	}
	return lines
}

// feed runs a command in a namespace with an input, and returns its output.
func feed(path, input string, command ...string) (string, error) {
	cmd := exec.Command(command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	err := netns.Start(path, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		said := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		err = fmt.Errorf("run %q: %w: %s", command, err, strings.Join(said[max(0, len(said)-2):], "\n"))
	}
	return stdout.String(), err
}

// dump is what a host has, a line for each property, by namespace and section.
type dump map[string][]string

// difference says which lines are not in both.
func (d dump) difference(o dump) error {
	keys := maps.Clone(d)
	maps.Copy(keys, o)
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		lines = append(lines, missing("- ", key, d[key], o[key])...)
		lines = append(lines, missing("+ ", key, o[key], d[key])...)
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New("\n" + strings.Join(lines, "\n"))
}

func missing(sign, key string, lines, from []string) []string {
	there := map[string]int{}
	for _, l := range from {
		there[l]++
	}
	var out []string
	for _, l := range lines {
		if there[l]--; there[l] < 0 {
			out = append(out, sign+key+": "+l)
		}
	}
	return out
}

// dump reads a host with all tools, and leaves out what is exempt.
func (h *oracleHost) dump(exempt exemptions) dump {
	h.t.Helper()
	d, err := newDumper(h, exempt)
	if err != nil {
		h.t.Fatal(err)
	}
	all := dump{}
	for _, t := range allTools {
		part, err := d.dump(t)
		if err != nil {
			h.t.Fatal(err)
		}
		maps.Copy(all, part)
	}
	return all
}

// dump is what a tool shows of the host.
func (d *dumper) dump(t tool) (dump, error) {
	out := dump{}
	for space, path := range d.spaces() {
		asks := t.questions(d.linksIn(space))
		sections, err := t.ask(path, asks)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", space, err)
		}
		for _, q := range asks {
			out[space+" "+q.section] = d.lines(space, q.section, sections[q.section])
		}
	}
	return out, nil
}
