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

// tunnelHolder finds the vxlan device that has what ours needs, in words: by name, and
// where it is. Its socket is in the host's namespace, and the device may have been
// moved to any other. Empty: it is not to be seen from here.
func (h *hand) tunnelHolder(ours LinkID, holds func(VXLAN) bool) (device, remove string) {
	for _, at := range h.everywhere(path.Dir(string(ours.NS))) {
		name := h.tunnelIn(at, ours, holds)
		switch {
		case name == "":
		case at.ns == Host:
			return "vxlan device " + name, line("ip", "link", "delete", name)
		default:
			return "vxlan device " + name + " in " + at.words, at.ns.command("ip", "link", "delete", name)
		}
	}
	return "", ""
}

// tunnelIn is the vxlan link in a namespace whose socket is on the host, and that holds
// what ours needs.
func (h *hand) tunnelIn(at place, ours LinkID, holds func(VXLAN) bool) string {
	s, err := openSpace(at.ns, h.path(at.ns))
	if err != nil {
		return "" // gone meanwhile
	}
	defer s.Close()
	host, found := ownNamespace, map[string]int{}
	_ = s.links(func(l hostLink) { // what was read of a host that changes will do
		if l.link.Kind == KindVXLAN && (LinkID{at.ns, l.name}) != ours && holds(l.link.VXLAN) {
			found[l.name] = l.netnsid
		}
	})
	if at.ns != Host && len(found) > 0 {
		if host, err = s.numberOf(h.path(Host)); err != nil {
			return ""
		}
	}
	for name, namespace := range found {
		if namespace == host {
			return name
		}
	}
	return ""
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

// portTaken says what holds a port that a tunnel needs.
func (v VXLAN) portTaken(h *hand, ours LinkID) string {
	const advice = "give the network another port"
	port := "UDP port " + strconv.Itoa(int(v.Port)) + " of this host is held by "
	if process := h.portHolder(v.Port); process != "" {
		return port + process + ": stop it, or " + advice
	}
	other, remove := h.tunnelHolder(ours, func(w VXLAN) bool { return w.Port == v.Port && !w.sharesSocket(v) })
	if other == "" {
		return port + "something else: stop what uses it, or " + advice
	}
	return port + other + ", whose settings do not go with Weft's: remove it (" + remove + "), or " + advice
}

// sharesSocket reports whether two vxlan links on a port have one socket: they must
// treat what they receive alike (drivers/net/vxlan/vxlan_core.c, vxlan_find_sock).
func (v VXLAN) sharesSocket(w VXLAN) bool {
	return !v.Odd && !w.Odd && v.ZeroChecksum6 == w.ZeroChecksum6
}

// taken says what holds a VNI that a tunnel needs.
func (v VXLAN) taken(h *hand, ours LinkID) string {
	what := fmt.Sprintf(" has VNI %s on port %d already", v.VNI, v.Port)
	other, remove := h.tunnelHolder(ours, func(w VXLAN) bool { return w.VNI == v.VNI && w.Port == v.Port })
	if other == "" {
		return "another vxlan device of this host" + what + ": remove it, or give the network another VNI or port"
	}
	return other + what + ": remove it (" + remove + "), or give the network another VNI or port"
}
