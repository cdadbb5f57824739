package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"weft/internal/netns"
	"weft/internal/testenv"
	"weft/lab"
	"weft/lab/demo"
	"weft/overlay"
)

// TestDemoTellsWhatIs: the demonstration, of networks with names, VNIs and subnets
// that nobody could guess, prints what ip, bridge and tshark say too.
func TestDemoTellsWhatIs(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "ping", "iptables", "ip6tables", "tcpdump", "tshark")
	d := &demonstration{t: t, lab: testenv.Name(t, "demo"), networks: randomNetworks()}
	t.Cleanup(d.clean)
	err := demo.Run(t.Context(), demo.Options{Bin: bin, Out: d, Keep: true, Lab: d.lab, Networks: d.networks})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.story.String())
	}
	d.tellsTheWorkloads()
	d.tellsTheTunnel()
	d.tellsTheFDB()
	d.tellsTheNeighbours()
	d.tellsTheRoutes()
	d.tellsThePacket()
	d.tellsWhatWorks()
}

// randomNetworks are of the demonstration's shape: the third has the first one's
// subnets.
func randomNetworks() [3]demo.Network {
	n := rand.Perm(200)
	subnets := func(i, bits4, bits6 int) []netip.Prefix {
		return []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n[i])}), bits4),
			netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, byte(n[i])}), bits6),
		}
	}
	name := func() string { return fmt.Sprintf("n%x", rand.Uint32()) }
	vni := func(i int) overlay.VNI { return overlay.VNI(1 + 1000*i + rand.IntN(1000)) }
	return [3]demo.Network{
		{Name: name(), Kind: overlay.Bridged, VNI: vni(1), Subnets: subnets(0, 24, 64)},
		{Name: name(), Kind: overlay.Routed, VNI: vni(2), Subnets: subnets(1, 16, 48)},
		{Name: name(), Kind: overlay.Bridged, VNI: vni(3), Subnets: subnets(0, 24, 64)},
	}
}

// demonstration is one that goes on, and its audience: it reads what is told, and
// captures what host a sends from the moment that there is one.
type demonstration struct {
	t        *testing.T
	lab      string
	networks [3]demo.Network
	story    bytes.Buffer
	tcpdump  *exec.Cmd
}

// Write implements io.Writer: it hears the story.
func (d *demonstration) Write(p []byte) (int, error) {
	d.story.Write(p)
	if d.tcpdump == nil && strings.Contains(d.story.String(), "three hosts: a and b on one segment") {
		d.startCapture()
	}
	return len(p), nil
}

func (d *demonstration) pcap() string { return filepath.Join(lab.Root, d.lab, "e2e.pcap") }

// host is the path of a host's or workload's namespace.
func (d *demonstration) host(name ...string) string {
	return netns.Named("weftlab." + d.lab + "." + strings.Join(name, "."))
}

// domain is the path of a network's namespace on host a.
func (d *demonstration) domain(n demo.Network) string {
	return filepath.Join(lab.Root, d.lab, "a", "run", "netns", "weft-"+n.Name)
}

// startCapture returns when tcpdump listens.
func (d *demonstration) startCapture() {
	d.tcpdump = exec.Command("tcpdump", "--immediate-mode", "-U", "-Z", "root", "-ni", "eth0", "-w", d.pcap(), "udp")
	said, err := d.tcpdump.StderrPipe()
	if err == nil {
		err = netns.Start(d.host("a"), d.tcpdump)
	}
	if err == nil {
		_, err = said.Read(make([]byte, 1)) // its first words are that it listens
	}
	if err != nil {
		d.t.Fatalf("start tcpdump: %v", err)
	}
}

// clean removes what was kept, as the demonstration says one should.
func (d *demonstration) clean() {
	weft := exec.Command(filepath.Join(bin, "weft"), "lab", "clean", d.lab)
	if out, err := weft.CombinedOutput(); err != nil {
		d.t.Errorf("weft lab clean: %v: %s", err, out)
	}
	if d.tcpdump != nil {
		// It lived in the lab. What it says of its end nobody waits for.
		_ = d.tcpdump.Wait()
	}
	nothingLeft(d.t, d.lab)
}

// nothingLeft fails the test if a lab has left a namespace, a process or a file.
func nothingLeft(t *testing.T, name string) {
	t.Helper()
	left, err := filepath.Glob(netns.Named("weftlab." + name + "*"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(lab.Root, name)); err == nil {
		left = append(left, filepath.Join(lab.Root, name))
	}
	processes, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		// One that has just ended is not left.
		if environ, err := os.ReadFile(p); err == nil && bytes.Contains(environ, []byte(filepath.Join(lab.Root, name))) {
			left = append(left, filepath.Dir(p))
		}
	}
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestDemoIsInterrupted at any of its steps, as by Ctrl-C, and leaves nothing.
func TestDemoIsInterrupted(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "ping", "iptables", "ip6tables")
	for _, after := range []string{"three hosts:", "host a: weftd", "weft endpoint attach", "all 18 pairs"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			name := testenv.Name(t, "demo")
			weft := exec.Command(filepath.Join(bin, "weft"), "lab", "demo", "--name", name)
			out, err := weft.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			weft.Stderr = &stderr
			if err := weft.Start(); err != nil {
				t.Fatal(err)
			}
			told := until(out, after)
			if err := weft.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			told += until(out, "")
			err = weft.Wait()
			if weft.ProcessState.ExitCode() != 1 || !strings.HasPrefix(stderr.String(), "weft: interrupted: ") || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("%v, %q after\n%s", err, stderr.String(), told)
			}
			nothingLeft(t, name)
		})
	}
}

// until reads up to a text, or to the end.
func until(r interface{ Read([]byte) (int, error) }, text string) string {
	var told strings.Builder
	buf := make([]byte, 1024)
	for text == "" || !strings.Contains(told.String(), text) {
		n, err := r.Read(buf)
		told.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return told.String()
}

// TestDemoFails when a program does, says which and why, and leaves nothing.
func TestDemoFails(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "ping", "iptables", "ip6tables")
	for _, step := range []string{"token create", "network create green", "endpoint attach red", "fdb"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			name := testenv.Name(t, "demo")
			var story bytes.Buffer
			err := demo.Run(context.Background(), demo.Options{Bin: failing(t, step), Out: &story, Keep: true, Lab: name})
			if err == nil || !strings.Contains(err.Error(), "weft "+step) || !strings.Contains(err.Error(), "out of luck") {
				t.Errorf("%v\n%s", err, story.String())
			}
			nothingLeft(t, name)
		})
	}
}

// failing is a folder of programs of which weft fails at one command.
func failing(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in %q*) echo weft: out of luck >&2; exit 1;; esac\nexec %s/weft \"$@\"\n", command, bin)
	if err := os.WriteFile(filepath.Join(dir, "weft"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(bin, "weftd"), filepath.Join(dir, "weftd")); err != nil {
		t.Fatal(err)
	}
	return dir
}
