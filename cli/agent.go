package cli

import (
	"weft/api/agentapi"
)

// agent is this host's agent.
func (a *app) agent() *agentapi.Client {
	return agentapi.NewClient(agentapi.Socket(a.runPath()))
}
