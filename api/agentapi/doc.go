// Package agentapi is what a node's agent does for root on that node: attach and
// detach, and tell what is there. It goes as JSON over HTTP on a unix socket
// that only root can open, so nothing in here asks who is there.
//
// The agent implements Service and serves it through Handler; Client is the same
// Service on the other side. Errors are those of package api.
package agentapi
