package course

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weft/bench"
	"weft/bench/probe"
	"weft/internal/testenv"
	"weft/lab"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// programs builds Weft's, and wireguard-go.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	if err := testenv.BuildPrograms(bin); err != nil {
		t.Fatal(err)
	}
	wireguard := exec.Command("go", "build", "-modfile=../../tools/go.mod", "-o", filepath.Join(bin, "wireguard-go"), "golang.zx2c4.com/wireguard")
	if out, err := wireguard.CombinedOutput(); err != nil {
		t.Fatalf("build wireguard-go: %v\n%s", err, out)
	}
	return bin
}

// short is a comparison that takes a moment, and says nothing of speed.
func short(t *testing.T) Options {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ip", "bridge", "sysctl", "ethtool", "ovs-vswitchd", "ovs-vsctl")
	return Options{
		Lab: testenv.Name(t, "course"), Command: "a test", Congestion: "cubic", Progress: t.Output(),
		Rounds: 1, Span: 10 * time.Millisecond, Many: 500, Peers: []int{2, 5},
	}
}

// Every way is there, in every part, and has all its figures. One setting stands for the
// others, which TestSettings has.
func TestCompare(t *testing.T) {
	t.Parallel()
	o := short(t)
	o.Bin, o.Parts = programs(t), []string{"on", partNode, partScale, partFlood}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.LeftOut) > 0 || r.Machine.CPUs < 2 || !strings.HasPrefix(r.Machine.Kernel, "Linux ") {
		t.Errorf("left out: %v; machine: %+v", r.LeftOut, r.Machine)
	}
	for name, ways := range map[string]int{
		"offloads on": 13, "one host": 3, "many endpoints": 2, "broadcast": 4,
	} {
		at := slices.IndexFunc(r.Parts, func(p bench.Part) bool { return p.Name == name })
		if at < 0 || len(r.Parts[at].Series) != ways {
			t.Errorf("%s: not measured, or not with %d ways", name, ways)
			continue
		}
		complete(t, r.Parts[at])
	}
	judged := slices.DeleteFunc(r.Verdicts(), func(v bench.Verdict) bool { return isCost(v.Measure.ID) })
	held := slices.DeleteFunc(slices.Clone(targets), func(t bench.Target) bool { return isCost(t.Measure) })
	// Of the other parts there are: the bridge, loading and updating.
	if got, want := len(judged), len(held)+3; got != want {
		t.Errorf("%d targets were judged, want %d", got, want)
	}
}

// isCost: CPU time is counted in steps longer than these measurements take, and there is no
// ratio to none.
func isCost(measure string) bool {
	return measure == probe.TCPCost || measure == probe.UDPCost || measure == "cost"
}

// complete holds that a part has figures of all its ways and measures.
func complete(t *testing.T, p bench.Part) {
	t.Helper()
	for _, s := range p.Series {
		for _, m := range p.Measures {
			values := s.Values[m.ID]
			if len(values) != 1 {
				t.Errorf("%s: %s: %s: %d figures of one round", p.Name, s.Way, m.ID, len(values))
			}
			if !isCost(m.ID) && slices.ContainsFunc(values, func(v float64) bool { return v <= 0 }) {
				t.Errorf("%s: %s: %s: %v", p.Name, s.Way, m.ID, values)
			}
		}
	}
}

// A setting decides how large packets on the cable are, of every way between two hosts, and
// whether the receiver puts them together.
func TestSettings(t *testing.T) {
	t.Parallel()
	o := short(t)
	o.Bin = programs(t)
	if err := on(t.Context(), o, func(g *ground) (err error) {
		if err := g.start(t.Context()); err != nil {
			return err
		}
		all := slices.DeleteFunc(waysBetween(), func(n named) bool { return n.name == nameOpenVSwitch || n.name == nameWireGuard })
		ways, err := makeWays(t.Context(), g, o, &bench.Report{}, all)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeAll(ways)) }()
		for _, s := range settings {
			if err := s.apply(t.Context(), g); err != nil {
				return err
			}
			for _, w := range ways {
				onCable, inside, err := frameSizes(w, g.Host(receiver(w.name)))
				if err != nil {
					return err
				}
				if whole := onCable > 1514; whole != (s.segments == "on") {
					t.Errorf("%s: %s: frames of %.0f bytes on the cable", s.name, w.name, onCable)
				}
				// A vxlan device puts together what comes out of it, whatever the setting.
				if whole := inside > 1514; w.name == nameRouted && whole != (s.id != "off") {
					t.Errorf("%s: %s: frames of %.0f bytes arrive", s.name, w.name, inside)
				}
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// receiver is the host that a way between two leads to.
func receiver(way string) string {
	if way == nameBridgedByHand || way == nameRoutedByHand {
		return "kb"
	}
	return "b"
}

// frameSizes are the mean sizes of what comes to host and receiver while a way carries a
// stream.
func frameSizes(w *measured, host *lab.Host) (onCable, inside float64, err error) {
	places := []*lab.Namespace{&host.Namespace, w.to}
	count := func() (all [2]netlink.LinkStatistics, err error) {
		for i, at := range places {
			if err := at.Do(func() error {
				link, err := netlink.LinkByName("eth0")
				if err == nil {
					all[i] = *link.Attrs().Statistics
				}
				return err
			}); err != nil {
				return all, err
			}
		}
		return all, nil
	}
	before, err := count()
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.Streams(1); err != nil {
		return 0, 0, err
	}
	after, err := count()
	size := func(i int) float64 {
		return float64(after[i].RxBytes-before[i].RxBytes) / float64(after[i].RxPackets-before[i].RxPackets)
	}
	return size(0), size(1), err
}

// A way that is cut is found to be.
func TestACutWay(t *testing.T) {
	t.Parallel()
	o := short(t)
	if err := on(t.Context(), o, func(g *ground) error {
		w, err := bridgedByHand(t.Context(), g, o)
		if err != nil {
			return err
		}
		m, err := w.open(t.Context(), o)
		if err != nil {
			return err
		}
		if err := m.Close(); err != nil {
			return err
		}
		if _, err := g.Host("kb").Run(t.Context(), "ip", "link", "set", "hand-vx", "down"); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		m, err = w.open(ctx, o)
		if err == nil {
			t.Error("a way that is cut was opened")
			return m.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestCommandRefuses(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-rounds 0":            "0 rounds: want at least 1",
		"-span 2m":             "measure for 2m0s: want up to 1m0s",
		"-parts on,of":         `there is no part "of"; want some of on, off, nic, node, scale, flood`,
		"-many 3":              "3 remote endpoints: want 11 to",
		"-peers 2,many":        `-peers "2,many": want numbers`,
		"-peers 2,100000":      "want 1 to 1000",
		"-no-such":             "flag provided but not defined",
		"-ways carrier-pigeon": "no way is called carrier-pigeon",
	} {
		var stdout, stderr bytes.Buffer
		if code := Command(t.Context(), strings.Fields(args), &stdout, &stderr); code == 0 || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, %s, want %s", args, code, stderr.String(), want)
		}
	}
}

// A way that fails while it is measured is left out, and the others are not.
func TestAWayFails(t *testing.T) {
	t.Parallel()
	o := short(t)
	if err := on(t.Context(), o, func(g *ground) (err error) {
		r := &bench.Report{LeftOut: map[string]string{}}
		ways, err := makeWays(t.Context(), g, o, r, waysBetween()[:2])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeAll(ways)) }()
		c := newContest("a part", "", []probe.Task{probe.TaskRequests()}, ways)
		if err := c.round(t.Context(), 0); err != nil {
			return err
		}
		ways[1].Congestion = "no-such"
		if err := c.round(t.Context(), 1); err != nil {
			return err
		}
		c.report(r)
		if got := r.LeftOut["a part, "+nameBridgedByHand]; !strings.HasPrefix(got, "a measurement failed: ") || !strings.Contains(got, "no-such") {
			t.Errorf("left out: %v", r.LeftOut)
		}
		if all := r.Parts[0].Series; len(all) != 1 || len(all[0].Values[probe.Requests]) != 2 {
			t.Errorf("measured: %+v", all)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// What is written into Weft's document is what the next run replaces.
func TestWriteReport(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	document, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "performance.md"), document, 0o644); err != nil {
		t.Fatal(err)
	}
	r := &bench.Report{Command: "make bench", Parts: []bench.Part{{Name: "some part"}}}
	for range 2 {
		if err := writeReport(r, folder); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"performance.md", "performance.json", "performance.svg"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "performance.svg" && strings.Count(string(text), "some part") != 1 {
			t.Errorf("%s: %s", name, text)
		}
	}
	if err := writeReport(r, t.TempDir()); err == nil {
		t.Error("a folder without the document is written into")
	}
}
