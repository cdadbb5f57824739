package kernel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/testenv"
)

func none(string) bool { return false }

func newJournal(t *testing.T) journal {
	t.Helper()
	testenv.NeedRoot(t)
	return journal{file: filepath.Join(t.TempDir(), "sysctls.json"), host: testenv.Namespace(t)}
}

func value(t *testing.T, j journal, name string) string {
	t.Helper()
	v, err := j.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	forward4 = "net/ipv4/ip_forward"
	forward6 = "net/ipv6/conf/all/forwarding"
)

func TestJournalRestores(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for range 2 { // the second write must not forget what was before the first
		if err := j.set(forward4, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if v := value(t, j, forward4); v != "1" {
		t.Fatalf("%s is %s", forward4, v)
	}
	restored, err := j.restore(none)
	if err != nil || !slices.Equal(restored, []string{forward4}) {
		t.Errorf("restored %v, %v", restored, err)
	}
	if v := value(t, j, forward4); v != "0" {
		t.Errorf("%s is %s after its restoration", forward4, v)
	}
	if _, err := os.Stat(j.file); !os.IsNotExist(err) {
		t.Errorf("the empty journal is still there: %v", err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("again: %v, %v", restored, err)
	}
}

// TestJournalLeavesOthersAlone: what somebody else has changed since is theirs.
func TestJournalLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if err := j.write(forward4, "1"); err != nil { // the administrator's own
		t.Fatal(err)
	}
	for name, v := range map[string]string{forward4: "1", forward6: "1"} {
		if err := j.set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.write(forward6, "0"); err != nil { // changed since
		t.Fatal(err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("restored %v, %v: want nothing", restored, err)
	}
	if v := value(t, j, forward4); v != "1" {
		t.Errorf("%s was on before Weft and is %s", forward4, v)
	}
}

func TestJournalKeeps(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for _, name := range []string{forward4, forward6} {
		if err := j.set(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	restored, err := j.restore(func(name string) bool { return name == forward4 })
	if err != nil || !slices.Equal(restored, []string{forward6}) {
		t.Errorf("restored %v, %v", restored, err)
	}
	if restored, err = j.restore(none); err != nil || !slices.Equal(restored, []string{forward4}) {
		t.Errorf("restored %v, %v: want what was kept before", restored, err)
	}
}

// TestJournalOfAnEarlierBoot: a reboot has reset everything; nothing is put back.
func TestJournalOfAnEarlierBoot(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if err := j.set(forward4, "1"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(j.file)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	old := strings.ReplaceAll(string(text), boot, "another-boot")
	if err := os.WriteFile(j.file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("restored %v, %v: want nothing", restored, err)
	}
}

func TestJournalThatIsBroken(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if err := os.WriteFile(j.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.set(forward4, "1"); err == nil || !strings.Contains(err.Error(), j.file) {
		t.Errorf("%v: want the file named", err)
	}
	if v := value(t, j, forward4); v != "0" {
		t.Error("a setting was written without having been journalled")
	}
}
