package kernel

import (
	"fmt"
	"hash/fnv"
	"path"
	"strconv"
	"strings"

	"weft/overlay"
)

// addNamespace makes a namespace of Weft's.
type addNamespace struct{ NS NS }

func (o addNamespace) String() string {
	dir, name := path.Split(string(o.NS))
	if path.Clean(dir) != namedDir {
		// The namespace is mounted on a file, which has to be there.
		return line("mkdir", "-p", path.Clean(dir)) + " && " + line("touch", string(o.NS)) + " && " +
			line("unshare", "--net="+string(o.NS), "true")
	}
	return line("ip", "netns", "add", name)
}

// deleteNamespace removes one that has no links any more.
type deleteNamespace struct{ NS NS }

func (o deleteNamespace) String() string {
	if path.Dir(string(o.NS)) != namedDir {
		return line("umount", string(o.NS)) + " && " + line("rm", string(o.NS))
	}
	return line("ip", "netns", "delete", path.Base(string(o.NS)))
}

// addLink makes a link, of a veth both ends. It is made where it belongs at
// once: only like this does a vxlan link in another namespace keep its
// underlay socket on the host, and nothing is left on the host by a kill. Kinds that
// take the namespace for their underlay's are made on the host, and moved.
type addLink struct {
	ID   LinkID
	Link Link
	// Peer is the other end of a veth.
	Peer Link
}

func (o addLink) String() string {
	switch o.Link.Kind {
	case KindTap:
		return o.ID.NS.command("ip", "tuntap", "add", "dev", o.ID.Name, "mode", "tap")
	case KindTun:
		return o.ID.NS.command("ip", "tuntap", "add", "dev", o.ID.Name, "mode", "tun", "multi_queue")
	}
	made, from := o.madeAs(), o.Link.madeFrom(o.ID)
	words := append([]string{"link", "add"}, o.Link.identity(made, from)...)
	words = append(words, "type", string(o.Link.Kind))
	switch o.Link.Kind {
	case KindBridge:
		words = append(words, "mcast_snooping", "0")
		if a := o.Link.Bridge.Ageing; a != defaultAgeing {
			words = append(words, ageingWords(a)...)
		}
	case KindVeth:
		words = append(words, "peer")
		words = append(words, o.Peer.identity(o.Link.Peer, Host)...)
	}
	words = append(words, tunnelKinds[o.Link.Kind].words(o.Link.Outer, nil)...)
	command := from.command("ip", words...)
	if made != o.ID {
		command += " && " + Host.command("ip", "link", "set", made.Name, "netns", o.ID.NS.reference(), "name", o.ID.Name)
	}
	return command
}

// madeAs is where a link is made, and its name there.
func (o addLink) madeAs() LinkID {
	if o.ID.NS == Host || !tunnelKinds[o.Link.Kind].inNamespace {
		return o.ID
	}
	h := fnv.New32a()
	h.Write([]byte(string(o.ID.NS) + "/" + o.ID.Name)) // never fails (hash.Hash)
	return LinkID{Host, fmt.Sprintf("wfnew%08x", h.Sum32())}
}

// madeFrom is the namespace in which the link is asked for, which is a tunnel's underlay.
func (l Link) madeFrom(id LinkID) NS {
	if l.Inside {
		return id.NS
	}
	return Host
}

// identity is the words with which a link is made from namespace at.
func (l Link) identity(id LinkID, at NS) []string {
	words := []string{"name", id.Name}
	if id.NS != at {
		words = append(words, "netns", id.NS.reference())
	}
	if !l.MAC.IsZero() {
		words = append(words, "address", l.MAC.String())
	}
	if l.MTU != 0 {
		words = append(words, "mtu", strconv.Itoa(l.MTU))
	}
	return words
}

// deleteLink removes a link, of a veth both ends.
type deleteLink struct{ ID LinkID }

func (o deleteLink) String() string {
	return o.ID.NS.command("ip", "link", "delete", o.ID.Name)
}

// setLink changes those attributes of a link in which Want differs from Have.
type setLink struct {
	ID         LinkID
	Have, Want Link
}

func (o setLink) String() string {
	words := []string{"link", "set", o.ID.Name}
	if mac, ok := o.mac(); ok {
		words = append(words, "address", mac.String())
	}
	if mtu, ok := o.mtu(); ok {
		words = append(words, "mtu", strconv.Itoa(mtu))
	}
	if o.Have.Alias != o.Want.Alias {
		words = append(words, "alias", o.Want.Alias)
	}
	if mode, ok := o.addrGenMode(); ok {
		words = append(words, "addrgenmode", mode)
	}
	if o.Have.NoARP != o.Want.NoARP {
		words = append(words, "arp", onOff(!o.Want.NoARP))
	}
	switch {
	case o.Have.Master == o.Want.Master:
	case o.Want.Master == "":
		words = append(words, "nomaster")
	default:
		words = append(words, "master", o.Want.Master)
	}
	return o.ID.NS.command("ip", words...)
}

// empty: nothing that setLink changes is different.
func (o setLink) empty() bool {
	_, mac := o.mac()
	_, mtu := o.mtu()
	_, mode := o.addrGenMode()
	return !mac && !mtu && !mode && o.Have.NoARP == o.Want.NoARP && o.Have.Alias == o.Want.Alias && o.Have.Master == o.Want.Master
}

func (o setLink) mac() (overlay.MAC, bool) {
	return o.Want.MAC, !o.Want.MAC.IsZero() && o.Want.MAC != o.Have.MAC
}

func (o setLink) mtu() (int, bool) {
	return o.Want.MTU, o.Want.MTU != 0 && o.Want.MTU != o.Have.MTU
}

func (o setLink) addrGenMode() (string, bool) {
	if o.Want.NoLinkLocal == o.Have.NoLinkLocal {
		return "", false
	}
	if o.Want.NoLinkLocal {
		return "none", true
	}
	return "eui64", true
}

// setBridgePort sets the flags of a bridge's port.
type setBridgePort struct {
	ID          LinkID
	Have, Flags BridgePort
}

func (o setBridgePort) String() string {
	f := o.Flags
	words := []string{
		"link", "set", "dev", o.ID.Name, "learning", onOff(f.Learning), "flood", onOff(f.Flood),
		"mcast_flood", onOff(f.Broadcast), "bcast_flood", onOff(f.Broadcast), "neigh_suppress", onOff(f.Suppress),
	}
	if f.Isolated || o.Have.Isolated {
		words = append(words, "isolated", onOff(f.Isolated))
	}
	return o.ID.NS.command("bridge", words...)
}

// resetBridgePort takes from a port what Weft's never have.
type resetBridgePort struct{ ID LinkID }

func (o resetBridgePort) String() string {
	return o.ID.NS.command("bridge", "link", "set", "dev", o.ID.Name, "state", "forwarding",
		"hairpin", "off", "guard", "off", "root_block", "off", "locked", "off")
}

// resetBridge takes from a bridge what Weft's never have, and sets how long it remembers.
type resetBridge struct {
	ID         LinkID
	Have, Want BridgeMode
}

// ageingWords are ip link's, which counts in 1/100 s here (ip-link(8) says seconds).
func ageingWords(seconds int) []string { return []string{"ageing_time", strconv.Itoa(100 * seconds)} }

func (o resetBridge) String() string {
	words := []string{"link", "set", o.ID.Name, "type", "bridge"}
	if o.Have.STP {
		words = append(words, "stp_state", "0")
	}
	if o.Have.VLANs {
		words = append(words, "vlan_filtering", "0")
	}
	if o.Have.Snooping {
		words = append(words, "mcast_snooping", "0")
	}
	if o.Have.Ageing != o.Want.Ageing {
		words = append(words, ageingWords(o.Want.Ageing)...)
	}
	return o.ID.NS.command("ip", words...)
}

// setUp sets a link up or down.
type setUp struct {
	ID LinkID
	Up bool
	// Link is as it is to be: some kinds need their UDP port now.
	Link Link
}

func (o setUp) String() string {
	state := "down"
	if o.Up {
		state = "up"
	}
	return o.ID.NS.command("ip", "link", "set", o.ID.Name, state)
}

// setSysctl writes a setting.
type setSysctl struct {
	ID    SysctlID
	Value string
}

func (o setSysctl) String() string {
	name := o.ID.Name
	if !strings.Contains(name, ".") {
		name = strings.ReplaceAll(name, "/", ".")
	}
	command := o.ID.NS.enter("sysctl", "-qw", name+"="+o.Value)
	if o.ID == forwarding6 {
		return keepListeningCommand + " && " + command
	}
	return command
}

// keepListeningCommand is keepListening, which comes before the host forwards IPv6.
const keepListeningCommand = `for f in /proc/sys/net/ipv6/conf/*/accept_ra; do ! grep -qx 1 "$f" || echo 2 > "$f"; done`
