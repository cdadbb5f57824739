package articles

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// heading is where the lines after it are from.
	heading = regexp.MustCompile(`(?m)^-- \S+\.txt, lines \d+-\d+ --\n`)
	// prompt stands before what was typed.
	prompt = regexp.MustCompile(`(?m)^(\$|\[root@\S+ ~\]#) +`)
)

// typed is what a block of an article has somebody type.
func typed(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !heading.Match(text) {
		t.Fatalf("testdata/%s.txt does not say where it is from", name)
	}
	return prompt.ReplaceAllString(string(heading.ReplaceAll(text, nil)), "")
}

// there reports whether there is a block of this name.
func there(name string) bool {
	_, err := os.Stat(filepath.Join("testdata", name+".txt"))
	return err == nil
}

// vyos has what a VyOS router does with each line of its configuration that is about the
// tunnel (1.2.8, as the article's ip -d link and ip route show it there): its VXLAN is on the
// kernel's own port with TTL 16, and its static routes have metric 20.
var vyos = []struct {
	line     *regexp.Regexp
	commands string
}{
	{regexp.MustCompile(`^set interfaces vxlan (\S+) address '(\S+)'$`), "ip link set dev $1 up\nip address add $2 dev $1"},
	{regexp.MustCompile(`^set interfaces vxlan (\S+) remote '(\S+)'$`), "remote $2"},
	{regexp.MustCompile(`^set interfaces vxlan (\S+) vni '(\S+)'$`), "ip link add $1 type vxlan id $2 dstport 8472 ttl 16"},
	{regexp.MustCompile(`^set protocols static route (\S+) next-hop (\S+)$`), "ip route add $1 via $2 dev vxlan0 proto static metric 20"},
}

// committed is a VyOS configuration as commands, in the order in which they work.
func committed(config string) string {
	var link, remote string
	var rest []string
	for line := range strings.Lines(config) {
		line = strings.TrimSpace(line)
		for _, v := range vyos {
			if !v.line.MatchString(line) {
				continue
			}
			switch commands := v.line.ReplaceAllString(line, v.commands); {
			case strings.HasPrefix(commands, "remote"):
				remote = commands
			case strings.HasPrefix(commands, "ip link add"):
				link = commands
			default:
				rest = append(rest, commands)
			}
		}
	}
	return strings.Join(append([]string{link + " " + remote}, rest...), "\n")
}

// Where the articles are on this machine, the blocks are theirs to the letter, but for the
// indentation.
func TestVerbatim(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("WEFT_ARTICLES")
	if folder == "" {
		t.Log("WEFT_ARTICLES names no folder with the articles: the form of the blocks is all that is tested")
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d blocks: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		heads := heading.FindAllSubmatchIndex(text, -1)
		if len(heads) == 0 || heads[0][0] != 0 {
			t.Errorf("%s does not begin with where it is from", file)
		}
		for i, h := range heads {
			end := len(text)
			if i+1 < len(heads) {
				end = heads[i+1][0]
			}
			if folder != "" {
				compare(t, folder, string(text[h[0]:h[1]]), string(text[h[1]:end]))
			}
		}
	}
}

// compare compares lines with those of an article.
func compare(t *testing.T, folder, head, got string) {
	t.Helper()
	var name string
	var first, last int
	if _, err := fmt.Sscanf(strings.ReplaceAll(head, ",", " ,"), "-- %s , lines %d-%d --", &name, &first, &last); err != nil {
		t.Fatal(head, err)
	}
	article, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(article, []byte("\n"))[first-1 : last]
	for i, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if want := string(lines[i]); strings.TrimLeft(line, " ") != strings.TrimLeft(strings.TrimRight(want, "\r"), " ") {
			t.Errorf("%s has in line %d %q, and the block %q", name, first+i, want, line)
		}
	}
}
