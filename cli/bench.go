package cli

import (
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"weft/internal/netns"
	"weft/overlay"
)

func newBench(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench COMMAND",
		Short: "Measure the way between two endpoints",
		Long: `Measure how fast packets get from one endpoint to another: start "weft bench serve"
for one, on its host, and "weft bench run" for the other, on its own. Both send and
receive inside the endpoints' namespaces, as what runs there would.`,
		Example: `  weft bench serve blue/db
  weft bench run blue/web 10.7.0.5`,
	}
	cmd.AddCommand(newBenchServe(a), newBenchRun(a))
	return cmd
}

// benchEnds explains what the commands take.
const benchEnds = `ENDPOINT is NETWORK/NAME, an endpoint in a network namespace of this host, or
netns:NAME|PATH|PID, any namespace; in a virtual machine, for one, that is
netns:/proc/self/ns/net.`

// benchEnd is where one side of a measurement works.
type benchEnd struct {
	name      string
	namespace string
	// addresses are the endpoint's; none for any namespace.
	addresses []netip.Addr
}

// benchEnd finds an endpoint on this host, by NETWORK/NAME or netns:NAMESPACE.
func (a *app) benchEnd(cmd *cobra.Command, text string) (benchEnd, error) {
	if err := rootFor(cmd.CommandPath(), "enters network namespaces"); err != nil {
		return benchEnd{}, err
	}
	if name, ok := strings.CutPrefix(text, "netns:"); ok {
		path, err := netns.Resolve(name)
		if err != nil {
			return benchEnd{}, withCode(exitNotFound, "%w", err)
		}
		return benchEnd{name: text, namespace: path}, nil
	}
	keys, err := endpointKeys(cmd, []string{text})
	if err != nil {
		return benchEnd{}, err
	}
	server, err := a.server(cmd.Context())
	if err != nil {
		return benchEnd{}, err
	}
	r, err := server.Get(cmd.Context(), keys[0])
	if err != nil {
		return benchEnd{}, err
	}
	return endOf(r.(*overlay.Endpoint))
}

// endOf is an endpoint whose namespace is on this host.
func endOf(e *overlay.Endpoint) (benchEnd, error) {
	name := string(e.Network) + "/" + e.Name
	if e.Spec.Attach.Type != overlay.AttachNetns {
		return benchEnd{}, withCode(exitUsage, "endpoint %s is attached to %s; run this where its addresses are, with netns:NAME|PATH|PID", name, attachText(e))
	}
	id, err := netns.ID(e.Spec.Attach.Target)
	if err != nil || id.String() != e.Spec.Attach.Identity {
		return benchEnd{}, withCode(exitNotFound, "endpoint %s: its namespace %s is not on this host; it is on node %s", name, e.Spec.Attach.Target, e.Spec.Node)
	}
	return benchEnd{name, e.Spec.Attach.Target, e.Spec.Addresses}, nil
}

// completeBenchEnd completes the first argument with the endpoints of this host.
func (a *app) completeBenchEnd(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return a.completeLocalEndpoint(cmd, args, toComplete)
}
