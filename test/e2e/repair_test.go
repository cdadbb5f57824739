package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft/internal/testenv"
	"weft/overlay"
)

// TestRepair: whatever somebody does to what Weft made, within a second it is as it was,
// by ip and bridge, and weft status says so. It runs by itself, for the sake of
// that second.
func TestRepair(t *testing.T) {
	s := begin(t)
	s.a.weft("network create blue --plane kernel --subnet 10.7.0.0/24 --subnet6 fd00:7::/64")
	s.a.weft("network create green --plane kernel --kind routed --subnet 10.8.0.0/16 --subnet6 fd00:8::/48")
	blue, green := s.attachEverywhere("blue"), s.attachEverywhere("green")
	s.settled()
	h := &damaged{host: s.b, workloads: map[string]*workload{"web": blue[1], "db": green[1]}, far: blue[0].Endpoint.Spec.MAC}
	h.before = h.look(t)
	for _, damage := range slices.Concat(h.damages(), inside()) {
		t.Run(damage, func(t *testing.T) { h.repairs(t, damage) })
	}
	t.Run("inside, while there is no agent", func(t *testing.T) {
		h.kill()
		for _, damage := range inside() {
			h.does(t, damage)
		}
		h.restart()
		h.becomes(t, patience)
	})
	s.settled()
	for _, all := range [][]*workload{blue, green} {
		n := network{T: t, all: all}
		n.reachesAll()
	}
}

// damaged is a host to which things are done.
type damaged struct {
	*host
	workloads map[string]*workload
	// far is the MAC of blue's workload on another host.
	far    overlay.MAC
	before picture
}

// damages are shell commands. In a network's namespace $port is the device of the
// workload's port, and $mac the MAC of the one on host a.
func (h *damaged) damages() []string {
	return []string{
		"in blue: ip link delete vx0",
		"in blue: ip link set vx0 down",
		"in blue: ip link set vx0 nomaster",
		"in blue: bridge link set dev vx0 learning on flood on",
		"in blue: bridge link set dev vx0 neigh_suppress off",
		"in blue: ip link delete br0",
		"in blue: ip link set br0 down",
		"in blue: ip link set br0 down; ip link set br0 up",
		"in blue: ip link set br0 mtu 1400",
		"in blue: ip address flush dev br0",
		"in blue: ip link delete $port",
		"in blue: ip link set $port nomaster",
		"in blue: ip link set $port down",
		"in blue: bridge fdb delete $mac dev vx0 self",
		"in blue: bridge fdb delete $mac dev vx0 master",
		"in blue: bridge fdb replace $mac dev vx0 dst 192.0.2.99",
		"in blue: bridge fdb delete 00:00:00:00:00:00 dev vx0 dst 192.0.2.11",
		"in blue: bridge fdb add 02:00:00:00:00:99 dev vx0 dst 192.0.2.99",
		"in blue: bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.99",
		"in blue: bridge fdb flush dev vx0 master nopermanent",
		"in blue: bridge fdb add 02:00:00:00:00:99 dev vx0 master static",
		"in blue: ip neigh flush nud permanent dev br0",
		"in blue: ip neigh replace 10.7.0.2 lladdr 02:00:00:00:00:99 nud permanent dev br0",
		"in blue: ip neigh add 10.7.0.99 lladdr 02:00:00:00:00:99 nud permanent dev br0",
		"in green: ip link delete vx0",
		"in green: ip link set vx0 down; ip link set vx0 up",
		"in green: ip link set $port down; ip link set $port up",
		"in green: ip neigh flush nud permanent dev vx0",
		"in green: ip neigh flush nud permanent dev $port",
		"in green: ip route flush proto 119",
		"in green: ip -6 route flush proto 119",
		"in green: ip route add 10.99.0.0/16 dev vx0",
		"in green: ip address flush dev $port",
		"in web: ip link delete eth0",
		"in db: ip link delete eth0",
		"in blue: ip link add foreign type bridge",
		"in green: ip link add foreign type veth peer foreign2",
		"in the host: umount $blue; rm $blue",
	}
}

// inside are damages inside workloads, which nothing of Weft is in to see.
func inside() []string {
	return []string{
		"in web: ip link set eth0 down; ip link set eth0 up",
		"in web: ip link set eth0 mtu 1400",
		"in web: ip link set eth0 address 02:00:00:00:00:99",
		"in web: ip -4 address flush dev eth0",
		"in db: ip route flush default",
		"in db: ip -6 route flush default",
		"in db: ip address flush dev eth0",
	}
}

// places are the namespaces by what damages call them.
func (h *damaged) places() map[string]string {
	dir := filepath.Join(h.Dir(), "run", "netns")
	return map[string]string{
		"the host": h.Path(), "blue": filepath.Join(dir, "weft-blue"), "green": filepath.Join(dir, "weft-green"),
		"web": h.workloads["web"].Path(), "db": h.workloads["db"].Path(),
	}
}

// repairs does the damage while the agent is frozen, sees that there is some, and
// waits for the repair.
func (h *damaged) repairs(t *testing.T, damage string) {
	h.freeze(t)
	h.does(t, damage)
	h.thaw(t)
	h.becomes(t, time.Second)
}

// does the damage, and sees it.
func (h *damaged) does(t *testing.T, damage string) {
	t.Helper()
	place, command, _ := strings.Cut(strings.TrimPrefix(damage, "in "), ": ")
	testenv.Run(t, h.places()[place], "sh", "-ec", fmt.Sprintf(preamble, h.places()["blue"], h.far)+command)
	if h.before.differs(h.look(t)) == nil {
		t.Errorf("no damage: %s", damage)
	}
}

// becomes waits until the host looks as before, and weft finds nothing wrong.
func (h *damaged) becomes(t *testing.T, within time.Duration) {
	t.Helper()
	testenv.Eventually(t, within, func() error { return h.before.differs(h.look(t)) }, "repair")
	if err := h.differs(); err != nil {
		t.Error(err)
	}
}

// preamble sets what damages speak of.
const preamble = `
blue=%s
mac=%s
port=$(ip -o link | sed -n 's/^[0-9]*: \(w[^@:]*\).*/\1/p' | head -n1)
`

// freeze stops the agent without its knowing.
func (h *damaged) freeze(t *testing.T) {
	t.Helper()
	if err := h.daemon.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.thaw(t) })
}

func (h *damaged) thaw(t *testing.T) {
	t.Helper()
	if err := h.daemon.Signal(syscall.SIGCONT); err != nil {
		t.Error(err)
	}
}

// look is the picture of all places, without what differs from one device to another
// that is made in its place: index and MAC, unless Weft has chosen the MAC.
func (h *damaged) look(t *testing.T) picture {
	t.Helper()
	var lines []string
	for place, path := range h.places() {
		more, err := h.lines(place, path)
		if err != nil {
			more = []string{place + ": " + err.Error()}
		}
		lines = append(lines, anonymous(more)...)
	}
	slices.Sort(lines)
	return lines
}

var (
	index  = regexp.MustCompile(`@[^:\s]+|: \d+: |link-netnsid \d+`)
	device = regexp.MustCompile(`: \d+: (w\w+|vx0)[@:].* link/ether (\S+)`)
)

func anonymous(lines []string) []string {
	var names []string
	for _, line := range lines {
		if d := device.FindStringSubmatch(line); d != nil {
			names = append(names, d[2], "MAC-OF-"+d[1])
		}
	}
	replacer := strings.NewReplacer(names...)
	for i, line := range lines {
		lines[i] = index.ReplaceAllString(replacer.Replace(line), " ")
	}
	return lines
}
