package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"weft/internal/testenv"
)

// table returns what the story prints after a weft command on host a: a row for each
// line, each of them by the columns' titles.
func (d *demonstration) table(command string) []map[string]string {
	d.t.Helper()
	_, after, found := strings.Cut(d.story.String(), "\na$ weft "+command+"\n")
	text, _, _ := strings.Cut(after, "\n\n")
	lines := strings.Split(text, "\n")
	if !found || len(lines) < 2 {
		d.t.Fatalf("weft %s: no table in\n%s", command, d.story.String())
	}
	titles := columns.Split(lines[0], -1)
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range columns.Split(line, -1) {
			row[titles[i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// columns are two blanks apart, or more.
var columns = regexp.MustCompile(`  +`)

// same fails the test unless the story and the system say the same, in any order.
func (d *demonstration) same(what string, told, is []string) {
	d.t.Helper()
	slices.Sort(told)
	slices.Sort(is)
	if diff := cmp.Diff(is, told); diff != "" || len(told) == 0 {
		d.t.Errorf("%s: is (-), told (+)\n%s", what, diff)
	}
}

// parsed runs a command that prints JSON, and takes it in.
func parsed[T any](d *demonstration, ns string, argv ...string) (v T) {
	d.t.Helper()
	text := testenv.Output(d.t, ns, argv...)
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		d.t.Fatalf("%q: %v in %s", argv, err, text)
	}
	return v
}

// tellsTheWorkloads: MAC and addresses of each workload.
func (d *demonstration) tellsTheWorkloads() {
	for _, host := range []string{"a", "b", "c"} {
		for _, n := range d.networks {
			step := fmt.Sprintf("%s$ weft endpoint attach %s --netns weftlab.%s.%s.%s ", host, n.Name, d.lab, host, n.Name)
			_, after, _ := strings.Cut(d.story.String(), step)
			lines := append(strings.SplitN(after, "\n", 3), "", "")
			links := parsed[[]struct {
				Address   string
				Addresses []struct{ Local, Scope string } `json:"addr_info"`
			}](d, d.host(host, n.Name), "ip", "-j", "address", "show", "dev", "eth0")
			is := []string{links[0].Address}
			for _, a := range links[0].Addresses {
				if a.Scope == "global" {
					is = append(is, a.Local)
				}
			}
			d.same(step, strings.Fields(lines[1]), is)
		}
	}
}

// tellsTheTunnel: VNI, addresses, port and MTU.
func (d *demonstration) tellsTheTunnel() {
	n := d.networks[0]
	links := parsed[[]struct {
		MTU  int
		Info struct {
			Data struct {
				ID    int
				Local string
				Port  int
			} `json:"info_data"`
		} `json:"linkinfo"`
	}](d, d.domain(n), "ip", "-j", "-d", "link", "show", "type", "vxlan")
	link := links[0]
	is := []string{fmt.Sprintf("%d %s %d %d", link.Info.Data.ID, link.Info.Data.Local, link.Info.Data.Port, link.MTU)}
	var told []string
	for _, row := range d.table("link " + n.Name) {
		if row["TYPE"] == "vxlan" {
			told = append(told, row["VNI"]+" "+row["LOCAL"]+" "+row["PORT"]+" "+row["MTU"])
		}
	}
	d.same("tunnel", told, is)
	if link.Info.Data.ID != int(n.VNI) {
		d.t.Errorf("VNI %d, want %d", link.Info.Data.ID, n.VNI)
	}
}

// tellsTheFDB: the VTEP behind which a remote MAC is, the device of a local one. Of a
// remote MAC there is an entry in the bridge too, which says no more.
func (d *demonstration) tellsTheFDB() {
	n := d.networks[0]
	var told, is []string
	for _, row := range d.table("fdb " + n.Name) {
		if row["VTEP"] != "-" {
			told = append(told, row["MAC"]+" "+row["VTEP"])
		} else {
			told = append(told, row["MAC"]+" "+row["DEVICE"])
		}
	}
	for _, e := range parsed[[]struct {
		MAC, Dst, State string
		Device          string `json:"ifname"`
	}](d, d.domain(n), "bridge", "-j", "fdb") {
		switch {
		case e.Dst != "":
			is = append(is, e.MAC+" "+e.Dst)
		case e.State == "static" && e.Device != "vx0":
			is = append(is, e.MAC+" "+e.Device)
		}
	}
	d.same("FDB", told, is)
}

// tellsTheNeighbours: each address with its MAC.
func (d *demonstration) tellsTheNeighbours() {
	n := d.networks[0]
	var told, is []string
	for _, row := range d.table("neigh " + n.Name) {
		told = append(told, row["ADDRESS"]+" "+row["MAC"])
	}
	for _, e := range parsed[[]struct{ Dst, LLAddr string }](d, d.domain(n), "ip", "-j", "neigh", "show", "nud", "permanent") {
		is = append(is, e.Dst+" "+e.LLAddr)
	}
	d.same("neighbours", told, is)
}

// tellsTheRoutes: where the routed network's blocks are.
func (d *demonstration) tellsTheRoutes() {
	n := d.networks[1]
	var told, is []string
	for _, row := range d.table("route " + n.Name) {
		told = append(told, row["PREFIX"]+" "+row["TYPE"]+" "+row["VIA"]+" "+row["DEVICE"])
	}
	for family, host := range map[string]string{"-4": "/32", "-6": "/128"} {
		for _, r := range parsed[[]route](d, d.domain(n), "ip", "-j", family, "route", "show", "proto", "119") {
			is = append(is, r.text(host))
		}
	}
	d.same("routes", told, is)
}

// route is one as ip -j shows it.
type route struct{ Type, Dst, Gateway, Dev string }

// text is the route as weft route shows it. A destination without a prefix length is
// a host; IPv6 has unreachable routes on a device.
func (r route) text(host string) string {
	if r.Type == "" {
		r.Type = "unicast"
	} else {
		r.Dev = ""
	}
	if !strings.Contains(r.Dst, "/") {
		r.Dst += host
	}
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return r.Dst + " " + r.Type + " " + dash(r.Gateway) + " " + dash(r.Dev)
}

// tellsThePacket: the packet that the story takes apart, as tshark reads it in what
// tcpdump captured. It is known by the ping's identifier.
func (d *demonstration) tellsThePacket() {
	_, told, _ := strings.Cut(d.story.String(), "On the wire between host a and host b")
	told, _, _ = strings.Cut(told, "\n\n")
	id := pingID.FindStringSubmatch(told)
	if id == nil {
		d.t.Fatalf("no ping in %q", told)
	}
	fields := []string{
		"eth.src", "eth.dst", "ip.src", "ip.dst", "ip.ttl", "ip.len", "udp.srcport", "udp.dstport", "udp.length", "vxlan.vni", "icmp.seq",
	}
	argv := []string{"tshark", "-r", d.pcap(), "-Y", "vxlan && icmp.type == 8 && icmp.ident == " + id[1], "-T", "fields", "-E", "separator=;"}
	for _, f := range fields {
		argv = append(argv, "-e", f)
	}
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	values := strings.Split(strings.TrimSpace(string(out)), ";")
	if err != nil || len(values) != len(fields) {
		d.t.Fatalf("%q: %v, %q", argv, err, out)
	}
	// at is the nth value of a field: the outer header's, or the inner one's.
	at := func(field string, n int) string {
		all := strings.Split(values[slices.Index(fields, field)], ",")
		if n >= len(all) {
			return "none"
		}
		return all[n]
	}
	is := fmt.Sprintf("Ethernet    %s → %s, IPv4\nIPv4        %s → %s, UDP, ttl %s, length %s\n",
		at("eth.src", 0), at("eth.dst", 0), at("ip.src", 0), at("ip.dst", 0), at("ip.ttl", 0), at("ip.len", 0)) +
		fmt.Sprintf("UDP         %s → %s, length %s\nVXLAN       vni %s\n", at("udp.srcport", 0), at("udp.dstport", 0), at("udp.length", 0), at("vxlan.vni", 0)) +
		fmt.Sprintf("  Ethernet  %s → %s, IPv4\n  IPv4      %s → %s, ICMP, ttl %s, length %s, DF\n",
			at("eth.src", 1), at("eth.dst", 1), at("ip.src", 1), at("ip.dst", 1), at("ip.ttl", 1), at("ip.len", 1)) +
		fmt.Sprintf("  ICMP      echo request, id %s, seq %s\n", id[1], at("icmp.seq", 0))
	if !strings.Contains(told, is) {
		d.t.Errorf("tshark reads\n%s\nand the story is\n%s", is, told)
	}
	if vni := d.networks[0].VNI.String(); at("vxlan.vni", 0) != vni {
		d.t.Errorf("VNI %s, want %s", at("vxlan.vni", 0), vni)
	}
}

var pingID = regexp.MustCompile(`echo request, id (0x[0-9a-f]+)`)

// tellsWhatWorks: each command with which to go on, as it is pasted.
func (d *demonstration) tellsWhatWorks() {
	_, hints, _ := strings.Cut(d.story.String(), "\nIt keeps running\n")
	tried := 0
	for line := range strings.Lines(hints) {
		command, pasted := strings.CutPrefix(line, "  ")
		if !pasted || strings.Contains(command, "lab clean") { // which comes at the end
			continue
		}
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			d.t.Errorf("%s%v: %s", command, err, out)
		}
		tried++
	}
	if clean := filepath.Join(bin, "weft") + " lab clean " + d.lab + "\n"; tried != 4 || !strings.HasSuffix(hints, clean) {
		d.t.Errorf("want 4 commands that work, and %q at last; tried %d of\n%s", clean, tried, hints)
	}
}
