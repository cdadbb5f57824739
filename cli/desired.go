package cli

import (
	"net/netip"
	"reflect"
	"slices"

	"weft/overlay"
)

// desired is what the store would have of a declared resource once it is
// applied: what the manifest leaves out has its default, but for what a server
// chose when it made the resource, which stays. current is nil when there is none.
func desired(declared, current overlay.Resource) overlay.Resource {
	switch d := declared.(type) {
	case *overlay.Network:
		was, _ := current.(*overlay.Network)
		return desiredNetwork(*d, was)
	case *overlay.Endpoint:
		was, _ := current.(*overlay.Endpoint)
		return desiredEndpoint(*d, was)
	case *overlay.Tunnel:
		t := *d
		t.Spec = t.Spec.Complete(overlay.TunnelName(t.Name))
		return &t
	}
	return declared
}

func desiredNetwork(n overlay.Network, was *overlay.Network) *overlay.Network {
	if was != nil {
		n.Spec.VNI = either(n.Spec.VNI, was.Spec.VNI)
		n.Spec.Kind = either(n.Spec.Kind, was.Spec.Kind)
		n.Spec.BlockBits4 = either(n.Spec.BlockBits4, was.Spec.BlockBits4)
		n.Spec.BlockBits6 = either(n.Spec.BlockBits6, was.Spec.BlockBits6)
		if len(n.Spec.Gateways) == 0 {
			n.Spec.Gateways = gatewaysOf(n.Spec, was.Spec)
		}
	}
	n.Spec = n.Spec.Complete()
	return &n
}

// gatewaysOf keeps the gateways that are in the subnets still, and takes the first
// address of the other subnets.
func gatewaysOf(spec, was overlay.NetworkSpec) []netip.Addr {
	var gateways []netip.Addr
	for _, p := range spec.Subnets {
		i := slices.IndexFunc(was.Gateways, func(g netip.Addr) bool {
			return p.Contains(g)
		})
		if i >= 0 {
			gateways = append(gateways, was.Gateways[i])
		} else {
			gateways = append(gateways, p.Masked().Addr().Next())
		}
	}
	return gateways
}

func desiredEndpoint(e overlay.Endpoint, was *overlay.Endpoint) *overlay.Endpoint {
	s := &e.Spec
	netns := s.Attach.Type == overlay.AttachNetns
	if s.Port == "" {
		s.Port = overlay.PortSingle
		if s.Attach.Type == overlay.AttachBridge {
			s.Port = overlay.PortSegment
		}
	}
	if netns {
		s.Attach.Interface = either(s.Attach.Interface, "eth0")
		s.Lifetime = either(s.Lifetime, overlay.Bound)
	}
	s.Blocks = nil
	if was == nil {
		return &e
	}
	if s.Port == overlay.PortSingle {
		s.MAC = either(s.MAC, was.Spec.MAC)
		if len(s.Addresses) == 0 {
			s.Addresses = was.Spec.Addresses
		}
	}
	if slices.Equal(s.Addresses, was.Spec.Addresses) {
		s.Blocks = was.Spec.Blocks
	}
	// The agent found out which namespace it is; another target is another one.
	if at := was.Spec.Attach; netns && at.Type == s.Attach.Type && at.Target == s.Attach.Target {
		s.Attach.Identity = either(s.Attach.Identity, at.Identity)
	}
	return &e
}

// sameSpec reports whether two resources of one kind declare the same.
func sameSpec(a, b overlay.Resource) bool {
	return reflect.DeepEqual(specOf(a), specOf(b))
}

func specOf(r overlay.Resource) any {
	return reflect.ValueOf(r).Elem().FieldByName("Spec").Interface()
}

func either[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
