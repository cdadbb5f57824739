package cli

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"weft/internal/testenv"
)

// worldKey is where a script's world is kept.
type worldKey struct{}

// TestScripts runs testdata/script/*.txtar: what people type, what they read, and
// how it ends. Each script has a world of its own, and these commands beside
// testscript's:
//
//	tamper [OP...]   what "weft plan" says from now on
//	stop server      the server ends
//	stop agent       the agent ends
//	restore          the store is restored, and the server notices
//	foreign          foreign.json has credentials of another cluster
//	code N CMD...    the command ends with exit code N
//	tidy FILE        writes FILE (or stdout, stderr) to FILE.tidy, with what
//	                 differs from run to run replaced, and two spaces for more
//
// With -update the expected outputs in the scripts are rewritten.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setup(t),
		UpdateScripts:       testenv.Updating(),
		RequireUniqueNames:  true,
		RequireExplicitExec: false,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tamper":  func(ts *testscript.TestScript, _ bool, args []string) { worldOf(ts).agent.tamper(args) },
			"stop":    stop,
			"foreign": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).foreign()) },
			"restore": func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(worldOf(ts).restore(t.Context())) },
			"code":    code,
			"tidy":    tidy,
		},
	})
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// setup gives a script a world, and the environment that leads there.
func setup(t *testing.T) func(*testscript.Env) error {
	return func(env *testscript.Env) error {
		w, err := newWorld(t.Context())
		if err != nil {
			return err
		}
		env.Values[worldKey{}] = w
		env.Defer(func() {
			if err := w.close(); err != nil {
				t.Error(err)
			}
		})
		env.Setenv("WEFT_STATE_DIR", w.dir)
		env.Setenv("WEFT_RUN_DIR", w.dir)
		env.Setenv("SERVER", w.address)
		return nil
	}
}

func stop(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	switch strings.Join(args, " ") {
	case "server":
		ts.Check(w.stopServer())
		w.stopServer = nothing
	case "agent":
		ts.Check(w.stopAgent())
		w.stopAgent = nothing
	default:
		ts.Fatalf("usage: stop server|agent")
	}
}

// code runs a command that has to end with the given exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("it ended with %d, not %s", got, args[0])
	}
}

// unsteady is what differs from run to run.
var unsteady = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "SERVER"},
	{regexp.MustCompile(`weft1\.[a-z0-9-]+\.[^.\s]+\.[^.\s]+\.`), "weft1.NAME.SECRET.PIN."},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`(?i)(uid:?"?:? +"?)[\w-]+`), "${1}UID"},
	{regexp.MustCompile(`(?i)(revision:?"?:? +"?)\d+`), "${1}N"},
	{regexp.MustCompile(`\b\d+(s|m|h|m\d+s|h\d+m)\b`), "AGE"},
	{regexp.MustCompile(`\b(node|admin|reader)-[a-z0-9]{6}\b`), "$1-CHOSEN"},
	{regexp.MustCompile(`fe80::[0-9a-f:]+`), "LINK-LOCAL"},
	{regexp.MustCompile(`  +`), "  "},
}

// chosenMAC is one that the server made up; those of the scripts and of
// gateways and VTEPs begin otherwise.
var chosenMAC = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)

func tidy(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tidy FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), worldOf(ts).dir, "DIR")
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "WORK")
	for _, u := range unsteady {
		text = u.what.ReplaceAllString(text, u.as)
	}
	text = chosenMAC.ReplaceAllStringFunc(text, func(mac string) string {
		if strings.HasPrefix(mac, "02:00:") || strings.HasPrefix(mac, "02:77:") {
			return mac
		}
		return "MAC"
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".tidy"), []byte(text), 0o644))
}
