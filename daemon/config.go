package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"weft/api/identity"
	"weft/overlay"
)

// config is what weftd's flags say. Every flag has an environment variable,
// so that units and labs need no command line.
type config struct {
	stateDir, runDir, netnsDir string
	node                       string
	underlay                   []string
	listen                     string
	advertise                  []string
	join                       string
	acceptStore                bool
	lifetime                   time.Duration
	logLevel                   string
	etcd                       etcdConfig
}

type etcdConfig struct {
	endpoints     []string
	ca, cert, key string
	prefix        string
}

const (
	defaultStateDir = "/var/lib/weft"
	defaultRunDir   = "/run/weft"
	defaultListen   = ":7411"
)

// minLifetime leaves time to renew a certificate.
const minLifetime = 3 * time.Second

// variables maps flags to environment variables.
var variables = map[string]string{
	"state-dir": "WEFT_STATE_DIR", "run-dir": "WEFT_RUN_DIR", "netns-dir": "WEFT_NETNS_DIR",
	"node": "WEFT_NODE", "underlay": "WEFT_UNDERLAY", "listen": "WEFT_LISTEN", "advertise": "WEFT_ADVERTISE",
	"certificate-lifetime": "WEFT_CERTIFICATE_LIFETIME",
	"join":                 "WEFT_JOIN", "log-level": "WEFT_LOG_LEVEL",
	"etcd-endpoints": "WEFT_ETCD_ENDPOINTS", "etcd-ca": "WEFT_ETCD_CA", "etcd-cert": "WEFT_ETCD_CERT",
	"etcd-key": "WEFT_ETCD_KEY", "etcd-prefix": "WEFT_ETCD_PREFIX",
}

func (c *config) hostFlags(f *pflag.FlagSet) {
	f.StringVar(&c.stateDir, "state-dir", defaultStateDir, "what must survive a reboot: keys, the store, the journal of changed sysctls")
	f.StringVar(&c.runDir, "run-dir", defaultRunDir, "what need not survive a reboot: the agent's socket")
	f.StringVar(&c.netnsDir, "netns-dir", "", "where the networks' namespaces are named (default /run/netns, or netns in another --run-dir than the default)")
	f.StringVar(&c.logLevel, "log-level", "info", "debug, info, warn or error")
}

func (c *config) agentFlags(f *pflag.FlagSet) {
	f.StringVar(&c.node, "node", "", "this node's name (default: the host's)")
	f.StringSliceVar(&c.underlay, "underlay", nil, "this node's underlay address, or one of each family (default: the default routes' source addresses)")
	f.StringVar(&c.join, "join", "", "the token to join with, from 'weft token create'; needed the first time")
	f.BoolVar(&c.acceptStore, "accept-store", false, "follow a store that was restored or replaced since this node's last run; what it lacks is removed here")
}

func (c *config) serverFlags(f *pflag.FlagSet) {
	f.StringVar(&c.listen, "listen", defaultListen, "address and port of the API (TLS only)")
	f.StringSliceVar(&c.advertise, "advertise", nil, "addresses under which others reach this server, for tokens and its certificate (default: the underlay addresses)")
	c.lifetime = identity.DefaultLifetime
	f.Var((*duration)(&c.lifetime), "certificate-lifetime", "how long the certificates live that this server issues; holders renew them after two thirds")
	f.StringSliceVar(&c.etcd.endpoints, "etcd-endpoints", nil, "an existing etcd cluster to use instead of the embedded one")
	f.StringVar(&c.etcd.ca, "etcd-ca", "", "the cluster's CA certificates (PEM file)")
	f.StringVar(&c.etcd.cert, "etcd-cert", "", "the client certificate for the cluster (PEM file)")
	f.StringVar(&c.etcd.key, "etcd-key", "", "the client certificate's key (PEM file)")
	f.StringVar(&c.etcd.prefix, "etcd-prefix", "/weft", "the key prefix in the store")
}

// duration is a flag's value; its errors say what is wanted.
type duration time.Duration

// String returns what was given.
func (d *duration) String() string { return time.Duration(*d).String() }

// Type names the value in help texts.
func (d *duration) Type() string { return "duration" }

// Set reads the text.
func (d *duration) Set(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("want a length of time such as 90s, 30m or 720h")
	}
	*d = duration(v)
	return nil
}

// environment fills in flags that were not given from their variables.
func environment(f *pflag.FlagSet) error {
	var err error
	f.VisitAll(func(flag *pflag.Flag) {
		value, set := os.LookupEnv(variables[flag.Name])
		if err != nil || flag.Changed || !set || value == "" {
			return
		}
		if e := f.Set(flag.Name, value); e != nil {
			err = fmt.Errorf("%s=%q: %w", variables[flag.Name], value, reason(e))
		}
	})
	return err
}

// complete derives what was not given and checks the rest.
func (c *config) complete() error {
	if c.netnsDir == "" {
		c.netnsDir = filepath.Join(c.runDir, "netns")
		if c.runDir == defaultRunDir {
			c.netnsDir = "/run/netns"
		}
	}
	if c.node == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("this host's name: %w; give one with --node", err)
		}
		c.node, _, _ = strings.Cut(strings.ToLower(host), ".")
	}
	if err := overlay.CheckName("--node", c.node); err != nil {
		return err
	}
	for _, dir := range []string{c.stateDir, c.runDir, c.netnsDir} {
		if !filepath.IsAbs(dir) {
			return fmt.Errorf("folder %q: want an absolute path", dir)
		}
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if c.lifetime != 0 && c.lifetime < minLifetime {
		return fmt.Errorf("--certificate-lifetime %s: want %s or more", c.lifetime, minLifetime)
	}
	if (c.etcd.cert == "") != (c.etcd.key == "") {
		return fmt.Errorf("--etcd-cert and --etcd-key go together")
	}
	if len(c.etcd.endpoints) == 0 && c.etcd.ca+c.etcd.cert != "" {
		return fmt.Errorf("--etcd-ca and --etcd-cert are for --etcd-endpoints, which is missing")
	}
	return nil
}

// hostName is a DNS name (RFC 1123 section 2.1), as far as letters go.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// checkAddresses checks what the server listens on and goes by, as far as it can
// be told without looking at the host.
func (c *config) checkAddresses() error {
	if _, port, err := net.SplitHostPort(c.listen); err != nil || !isPort(port, 0) {
		return fmt.Errorf("--listen %q: want an address and a port, or a port alone, such as 192.0.2.11:7411 or :7411", c.listen)
	}
	for _, a := range c.advertise {
		host := a
		if _, err := netip.ParseAddr(a); err == nil {
			continue
		}
		if h, port, err := net.SplitHostPort(a); err == nil && isPort(port, 1) {
			host = h
		}
		if _, err := netip.ParseAddr(host); err != nil && !hostName.MatchString(host) {
			return fmt.Errorf("--advertise %q: want an address or a name, with a port or without, such as 192.0.2.11 or weft.example.net:7411", a)
		}
	}
	return nil
}

func isPort(s string, low int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= low && n <= 65535
}

func (c *config) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.logLevel)); err != nil {
		return 0, fmt.Errorf("--log-level %q: want debug, info, warn or error", c.logLevel)
	}
	return l, nil
}
