package kernel

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"weft/internal/netns"
)

// tunnelHolder finds the tunnel device that has what ours needs, in words: by name, and
// where it is. Its socket is in the host's namespace, and the device may have been
// moved to any other. Empty: it is not to be seen from here.
func (h *hand) tunnelHolder(ours LinkID, holds func(Link) bool) (device, remove string) {
	for _, at := range h.everywhere(path.Dir(string(ours.NS))) {
		name, kind := h.tunnelIn(at, ours, holds)
		switch {
		case name == "":
		case at.ns == Host:
			return kind + " device " + name, line("ip", "link", "delete", name)
		default:
			return kind + " device " + name + " in " + at.words, at.ns.command("ip", "link", "delete", name)
		}
	}
	return "", ""
}

// networkHolding is the network of Weft's whose tunnel link has what ours needs; false if none is.
func (h *hand) networkHolding(ours LinkID, holds func(Link) bool) (string, bool) {
	for _, at := range h.everywhere(path.Dir(string(ours.NS))) {
		network, isDomain := strings.CutPrefix(path.Base(string(at.ns)), domainPrefix)
		if device, _ := h.tunnelIn(at, ours, holds); isDomain && device != "" {
			return network, true
		}
	}
	return "", false
}

// tunnelIn is the tunnel link in a namespace whose underlay is the host, and that holds what
// ours needs.
func (h *hand) tunnelIn(at place, ours LinkID, holds func(Link) bool) (name, kind string) {
	s, err := openSpace(at.ns, h.path(at.ns))
	if err != nil {
		return "", "" // gone meanwhile
	}
	defer s.Close()
	host, found := ownNamespace, map[string]hostLink{}
	_ = s.links(func(l hostLink) { // what was read of a host that changes will do
		if l.link.Kind.isTunnel() && (LinkID{at.ns, l.name}) != ours && holds(l.link) {
			found[l.name] = l
		}
	})
	if at.ns != Host && len(found) > 0 {
		if host, err = s.numberOf(h.path(Host)); err != nil {
			return "", ""
		}
	}
	for name, l := range found {
		if l.netnsid == host {
			return name, string(l.link.Kind)
		}
	}
	return "", ""
}

// place is a namespace, and what a user knows it by.
type place struct {
	ns    NS
	words string
}

// everywhere lists the namespaces that can be found: the host's, those with names, and those
// of processes.
func (h *hand) everywhere(domains string) []place {
	places := []place{{Host, "this host"}}
	seen := map[[2]uint64]bool{}
	isNew := func(path string) bool {
		info, err := os.Stat(path)
		if err != nil {
			return false
		}
		st := info.Sys().(*syscall.Stat_t)
		id := [2]uint64{st.Dev, st.Ino}
		defer func() { seen[id] = true }()
		return !seen[id]
	}
	isNew(h.host)
	for _, dir := range []string{netns.Dir, domains, "/run/docker/netns"} {
		names, _ := netns.List(dir) // a folder that cannot be read has no names to tell
		for _, name := range names {
			if p := filepath.Join(dir, name); isNew(p) {
				places = append(places, place{NS(p), "namespace " + NS(p).reference()})
			}
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/ns/net") // fails for a bad pattern only
	for _, p := range processes {
		if isNew(p) {
			pid := strings.Split(p, "/")[2]
			places = append(places, place{NS(p), "the namespace of process " + pid + commandOf(pid)})
		}
	}
	return places
}

// commandOf is the name of a process, in brackets.
func commandOf(pid string) string {
	b, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return ""
	}
	return " (" + strings.TrimSpace(string(b)) + ")"
}

// portHolder finds the process that has a UDP port of the host open, in words. Empty:
// none has, or it is not to be seen from here.
func (h *hand) portHolder(port uint16) string {
	sockets := map[string]bool{}
	_ = netns.Do(h.host, func() error { // without it nobody can be named
		for _, file := range []string{"udp", "udp6"} {
			for _, inode := range socketsOn("/proc/thread-self/net/"+file, port) {
				sockets["socket:["+inode+"]"] = true
			}
		}
		return nil
	})
	if len(sockets) == 0 {
		return ""
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // fails for a bad pattern only
	for _, f := range files {
		if target, err := os.Readlink(f); err == nil && sockets[target] {
			pid := strings.Split(f, "/")[2]
			return "process " + pid + commandOf(pid)
		}
	}
	return ""
}

// socketsOn are the inodes of the sockets on a UDP port (proc(5), /proc/net/udp). The
// kernel's own, as a tunnel's, have some too, which no process has open.
func socketsOn(file string, port uint16) (inodes []string) {
	f, err := os.Open(file)
	if err != nil {
		return nil // no IPv6 here
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		const local, inode = 1, 9
		fields := strings.Fields(lines.Text())
		if len(fields) > inode && strings.HasSuffix(fields[local], suffix) {
			inodes = append(inodes, fields[inode])
		}
	}
	return inodes
}

// portTaken says what holds a port that a tunnel link needs.
func (l Link) portTaken(h *hand, ours LinkID) string {
	advice := "give the " + ours.owner() + " another port"
	port := "UDP port " + strconv.Itoa(int(l.Outer.Port)) + " of this host is held by "
	if process := h.portHolder(l.Outer.Port); process != "" {
		return port + process + ": stop it, or " + advice
	}
	other, remove := h.tunnelHolder(ours, func(o Link) bool { return o.Outer.Port == l.Outer.Port && !l.sharesSocket(o) })
	if other == "" {
		return port + "something else: stop what uses it, or " + advice
	}
	return port + other + ", whose settings do not go with Weft's: remove it (" + remove + "), or " + advice
}

// owner is what a tunnel link is a part of: one on the host stands alone.
func (id LinkID) owner() string {
	if id.NS == Host {
		return "tunnel"
	}
	return "network"
}

// sharesSocket reports whether two links on a port have one socket: they must treat what
// they receive alike (drivers/net/vxlan/vxlan_core.c, vxlan_find_sock).
func (l Link) sharesSocket(o Link) bool {
	return l.Kind == o.Kind && !l.Outer.Odd && !o.Outer.Odd && l.Outer.ZeroChecksum6 == o.Outer.ZeroChecksum6
}

// taken says what there is that a tunnel link cannot be there beside.
func (l Link) taken(h *hand, ours LinkID) string {
	what, advice := l.slot(ours)
	if name, ok := h.networkHolding(ours, l.excludes); ok && l.Kind == KindIP6Tunnel {
		// IPIP and SIT over IPv6 are one kind (net/ipv6/ip6_tunnel.c, ip6_tnl_locate).
		return fmt.Sprintf("network %s has an ip6tnl device from %s to %s already, and the kernel has one between two addresses, whatever is inside: have one of the two networks on plane ebpf (weft node migrate-plane NODE %[1]s --to ebpf), or over IPv4",
			name, l.Outer.Local, l.Outer.Remote)
	}
	other, remove := h.tunnelHolder(ours, l.excludes)
	if other == "" {
		return "another " + string(l.Kind) + " device of this host" + what + ": remove it, or " + advice
	}
	return other + what + ": remove it (" + remove + "), or " + advice
}

// slot is what two tunnel links cannot both have, and what to do.
func (l Link) slot(ours LinkID) (what, advice string) {
	switch o := l.Outer; l.Kind {
	case KindVXLAN:
		return fmt.Sprintf(" has VNI %s on port %d already", o.VNI, o.Port), "give the " + ours.owner() + " another VNI or port"
	case KindGeneve:
		return fmt.Sprintf(" has VNI %s to %s on port %d already", o.VNI, o.Remote, o.Port), "give the " + ours.owner() + " another VNI or port"
	case KindGRE, KindGRETAP, KindIP6GRE, KindIP6GRETAP:
		return fmt.Sprintf(" goes from %s to %s with the same key already", o.Local, o.Remote), "give the tunnel another key"
	default:
		return fmt.Sprintf(" goes from %s to %s already", o.Local, o.Remote), "give the tunnel another local address"
	}
}
