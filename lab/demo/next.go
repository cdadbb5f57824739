package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weft/lab"
)

// showNext says how to go on. Each line that is set in is a command to be pasted.
func (d *demo) showNext() error {
	if d.Keep {
		return d.showKept()
	}
	d.title("Where to go next")
	d.text("make demo KEEP=1   the same, left running to look around\n")
	d.text("README.md          the same on your own hosts: weftd on the first, weftd agent --join on the others\n")
	d.text("examples/          networks and endpoints as YAML, for weft apply -f\n")
	d.text("docs/              architecture, command reference, exit codes, performance\n")
	return nil
}

func (d *demo) showKept() error {
	for _, h := range d.lab.Hosts() {
		if err := d.writeEntrance(h); err != nil {
			return err
		}
	}
	bridged := d.Networks[0].Name
	enter := d.sudo() + entrance(d.first)
	d.title("It keeps running")
	d.text("A shell on host a, and likewise on b and c:\n  %s\n", enter)
	d.text("Or one command there:\n  %s weft status\n  %s weft fdb %s\n", enter, enter, bridged)
	d.text("Ping from one workload to another:\n  %sip netns exec %s ping -c 3 %s\n",
		d.sudo(), netnsName(d.workloads[0].ns.Path()), d.onHost("b", bridged).addresses[0])
	d.text("Remove it all:\n  %s\n", d.cleaning())
	return nil
}

// cleaning is the command that removes the lab.
func (d *demo) cleaning() string {
	return fmt.Sprintf("%s%s lab clean %s", d.sudo(), filepath.Join(d.Bin, "weft"), d.Lab)
}

func (d *demo) sudo() string {
	if d.Sudo {
		return "sudo "
	}
	return ""
}

// entrance is the path of a script that runs a command on a host.
func entrance(h *lab.Host) string { return filepath.Join(h.Dir(), "enter") }

func (d *demo) writeEntrance(h *lab.Host) error {
	var settings []string
	for _, s := range append(d.weft.Environment(h), "PATH="+d.Bin) {
		settings = append(settings, "'"+strings.ReplaceAll(s, "'", `'\''`)+"'")
	}
	script := fmt.Sprintf("#!/bin/sh\n# Runs a command on host %s, or a shell.\n[ $# -gt 0 ] || set -- bash\nexec nsenter --net=%s env %s:\"$PATH\" \"$@\"\n",
		h.Name(), h.Path(), strings.Join(settings, " "))
	return os.WriteFile(entrance(h), []byte(script), 0o755)
}
