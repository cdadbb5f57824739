// Package demo shows Weft at work on one machine: three hosts in network
// namespaces, three networks on them, who reaches whom, and what the kernel has
// been told to make it so.
//
// It is a script over package lab that runs the programs weft and weftd as a
// user would, and prints what they and the system answer; it knows nothing that it was
// not told by them. Do not add anything here that a user could not type.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weft/lab"
	"weft/overlay"
)

// Options of a demonstration. The zero value of each but Bin and Out means the default.
type Options struct {
	// Bin is the folder of the programs weft and weftd. Required.
	Bin string
	// Out is where the story is told. Required.
	Out io.Writer
	// Keep leaves everything running at the end.
	Keep bool
	// Sudo has the commands that are told to go on with begin with sudo.
	Sudo bool
	// Lab is the lab's name ["demo"].
	Lab string
	// Networks are a bridged one, a routed one, and a second tenant with the
	// subnets of the first [blue, green and red]. The first two are on the kernel plane,
	// whose tables ip and bridge show as well; the last is on each host's best.
	Networks [3]Network
}

// Network is one of the demonstration's networks.
type Network struct {
	Name    string
	Kind    overlay.NetworkKind
	VNI     overlay.VNI
	Subnets []netip.Prefix
}

// Networks are the default ones.
func Networks() [3]Network {
	p := netip.MustParsePrefix
	return [3]Network{
		{Name: "blue", Kind: overlay.Bridged, VNI: 7001, Subnets: []netip.Prefix{p("10.7.0.0/24"), p("fd00:7::/64")}},
		{Name: "green", Kind: overlay.Routed, VNI: 7002, Subnets: []netip.Prefix{p("10.8.0.0/16"), p("fd00:8::/48")}},
		{Name: "red", Kind: overlay.Bridged, VNI: 7003, Subnets: []netip.Prefix{p("10.7.0.0/24"), p("fd00:7::/64")}},
	}
}

// shown is of how many networks the host's tables are shown.
const shown = 2

// demo is one run.
type demo struct {
	Options
	began time.Time
	lab   *lab.Lab
	weft  *lab.Weft
	// first is the host of the server, whose tables are shown.
	first     *lab.Host
	workloads []*workload
}

// Run tells the story. Everything is removed at its end, also after a failure
// or when ctx ended, unless it came to the end and was to be kept.
func Run(ctx context.Context, o Options) (err error) {
	if o.Lab == "" {
		o.Lab = "demo"
	}
	if o.Networks[0].Name == "" {
		o.Networks = Networks()
	}
	d := &demo{Options: o, began: time.Now()}
	defer func() {
		if d.lab != nil && (!o.Keep || err != nil) {
			err = errors.Join(err, d.clean(context.WithoutCancel(ctx)))
		}
	}()
	return d.run(ctx)
}

func (d *demo) run(ctx context.Context) error {
	d.title("Weft: one network over several hosts")
	for _, act := range []func(context.Context) error{
		d.buildHosts, d.startWeft, d.createNetworks, d.attachWorkloads,
		d.showReach, d.showTables, d.showPacket, d.showCommands,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return d.showNext()
}

// buildHosts makes three hosts, two on a segment and one behind a router.
func (d *demo) buildHosts(ctx context.Context) error {
	l, err := lab.Build(ctx, lab.Demo(d.Lab))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("lab %s is there already, kept or left by a demo that was killed; remove it with: %s", d.Lab, d.cleaning())
	}
	if err != nil {
		return err
	}
	d.lab = l
	d.weft = l.Weft(d.Bin)
	d.first = l.Hosts()[0]
	d.step("three hosts: a and b on one segment, c behind router r")
	for _, h := range l.Hosts() {
		var addresses []string
		for _, a := range h.Machine().NICs[0].Addresses {
			addresses = append(addresses, a.String())
		}
		d.note("%s  %s  (namespace %s)", h.Name(), strings.Join(addresses, "  "), netnsName(h.Path()))
	}
	return d.buildFirewalls(ctx)
}

// buildFirewalls gives the hosts what Docker would. A machine without br_netfilter, as
// one without Docker may be, can filter no bridges, and is shown the rest.
func (d *demo) buildFirewalls(ctx context.Context) error {
	bridges := "bridges filtered, "
	for _, h := range d.lab.Hosts() {
		err := h.LikeDocker(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			bridges, err = "", nil
		}
		if err != nil {
			return err
		}
	}
	d.step("a firewall like Docker's on each: FORWARD policy DROP, %sall that leaves masqueraded", bridges)
	return nil
}

// startWeft starts the server and an agent on the first host, and agents on the others.
func (d *demo) startWeft(ctx context.Context) error {
	if _, err := d.weft.StartServer(ctx, d.first); err != nil {
		return err
	}
	d.step("host a: weftd   (the server with its store, and a's agent)")
	for _, h := range d.lab.Hosts()[1:] {
		token, err := d.weft.Token(ctx, d.first)
		if err != nil {
			return err
		}
		if _, err := d.weft.StartAgent(ctx, h, token); err != nil {
			return err
		}
		d.step("host %s: weftd agent --join %.18s…   (TLS both ways from here on)", h.Name(), token)
	}
	return nil
}

func (d *demo) createNetworks(ctx context.Context) error {
	for i, n := range d.Networks {
		args := []string{"network", "create", n.Name, "--kind", string(n.Kind), "--vni", strconv.Itoa(int(n.VNI))}
		if i < shown {
			args = append(args, "--plane", string(overlay.PlaneKernel))
		}
		for _, s := range n.Subnets {
			flag := "--subnet"
			if overlay.FamilyOf(s.Addr()) == overlay.V6 {
				flag = "--subnet6"
			}
			args = append(args, flag, s.String())
		}
		if err := d.command(ctx, d.first, args...); err != nil {
			return err
		}
	}
	return nil
}

// clean removes the lab, Weft's own traces first, as weft down would.
func (d *demo) clean(ctx context.Context) error {
	if err := d.lab.Close(ctx); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	d.step("cleaned up: hosts, networks, processes")
	return nil
}
