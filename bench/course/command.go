package course

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weft/bench"
	"weft/bench/probe"
)

// Command runs a comparison as its arguments have it (without the program's name), and
// returns the exit code.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := Options{Lab: "bench-" + strings.ToLower(rand.Text()[:8]), Command: "make bench", Progress: stderr}
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Bin, "bin", "bin", "`folder` of weft, weftd and wireguard-go")
	parts := flags.String("parts", strings.Join(Parts(), ","), "what to measure")
	ways := flags.String("ways", "", "parts of `names` of ways between hosts, with commas between them; none: all")
	flags.IntVar(&o.Rounds, "rounds", 7, "how often")
	flags.DurationVar(&o.Span, "span", 300*time.Millisecond, "for how long each measurement sends")
	flags.StringVar(&o.Congestion, "congestion", probe.DefaultCongestion, "congestion control of TCP")
	flags.IntVar(&o.Many, "many", 100_000, "remote endpoints of the larger network in part scale")
	peers := flags.String("peers", "2,16,64,256", "peers that broadcasts go to in part flood")
	write := flags.String("write", "", "`folder` of documents: write performance.json and performance.svg there, and the tables into performance.md")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if len(args) > 0 {
		o.Command += fmt.Sprintf(" ARGS=%q", strings.Join(args, " "))
	}
	o.Parts, o.Ways = list(*parts), list(*ways)
	for _, text := range list(*peers) {
		n, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintf(stderr, "compare: -peers %q: want numbers with commas between them\n", *peers)
			return 2
		}
		o.Peers = append(o.Peers, n)
	}
	if err := o.tell(ctx, stdout, *write); ctx.Err() != nil {
		fmt.Fprintln(stderr, "compare: interrupted:", err)
		return 1
	} else if err != nil {
		fmt.Fprintln(stderr, "compare:", err)
		return 1
	}
	return 0
}

// tell makes the comparison and says what came of it.
func (o Options) tell(ctx context.Context, stdout io.Writer, folder string) error {
	r, err := Run(ctx, o)
	if err != nil {
		return err
	}
	if err := r.Text(stdout); err != nil {
		return err
	}
	if folder == "" {
		return nil
	}
	return writeReport(r, folder)
}

// plotted are the measures that the plot shows.
var plotted = []string{probe.TCP, probe.TCPCost, probe.UDP, probe.Requests}

// writeReport writes the report into the documents.
func writeReport(r *bench.Report, folder string) error {
	document := filepath.Join(folder, "performance.md")
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	text, err := bench.Replace(string(old), r.Markdown("performance.svg"))
	if err != nil {
		return fmt.Errorf("write %s: %w", document, err)
	}
	var data bytes.Buffer
	if err := r.JSON(&data); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"performance.md": text, "performance.json": data.String(), "performance.svg": bench.Plot(r.Parts, plotted, nameRouted),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// list splits what has commas between it.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}
