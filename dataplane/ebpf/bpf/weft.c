/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The programs of the eBPF plane: one where frames come in from ports, one where the
 * network's own host speaks, two where members do, and two for peers that
 * Weft does not manage. */
#include <stddef.h>

#include "filter.h"
#include "learn.h"
#include "arrive.h"

char __license[] SEC("license") = "Dual BSD/GPL";

static __always_inline struct network *find_network(__u32 vni)
{
	return bpf_map_lookup_elem(&networks, &vni);
}

static __always_inline struct port *find_port(__u32 ifindex)
{
	return bpf_map_lookup_elem(&ports, &ifindex);
}

/* from_port: what a workload, a virtual machine or a station sends. */
SEC("tc")
int from_port(struct __sk_buff *skb)
{
	struct port *p = find_port(skb->ifindex);
	struct network *n = p ? find_network(p->vni) : 0;
	struct scratch *s = find_scratch();
	int why;

	if (!n || !s)
		return drop(skb, 0, DROP_UNKNOWN_VNI);
	count_from(p->counter, skb->len);
	s->counter = p->counter;
	if (!parse(skb, &s->frame))
		return drop(skb, p->vni, DROP_MALFORMED);
	if (p->flags & PORT_SEGMENT) {
		if (!learn(skb, p->vni, n, p, &s->frame))
			return drop(skb, p->vni, DROP_SPOOFED_MAC);
	} else {
		why = forged(skb, p, &s->frame);
		if (why)
			return drop(skb, p->vni, why);
	}
	if (n->flags & NETWORK_ROUTED)
		return route_from_port(skb, s, p->vni, n);
	return switch_frame(skb, s, p->vni, n, FROM_PORT);
}

/* send_wrapped goes on with a tunnel packet that came in again. */
static __always_inline int send_wrapped(struct __sk_buff *skb, __u32 vni, const struct network *n)
{
	struct packet ip = {};
	__be16 from = 0;

	if (!parse_ip(skb, skb->protocol, &ip) || (is_udp(n) && load(skb, ETH_HLEN + ip.header, &from, sizeof(from))))
		return drop(skb, vni, DROP_MALFORMED);
	return send(skb, vni, n, &ip.dst, from);
}

/* is_redirect: the network's own host tells senders of a better first hop when it
 * sends a packet back to where it came from. There is none. */
static __always_inline int is_redirect(struct __sk_buff *skb, const struct frame *f)
{
	__u8 type;

	return f->is_ip && f->ip.protocol == IPPROTO_ICMPV6 &&
	       !load(skb, ETH_HLEN + sizeof(struct ipv6hdr), &type, 1) && type == NDISC_REDIRECT;
}

/* from_gateway: what the network's own host sends. */
SEC("tc")
int from_gateway(struct __sk_buff *skb)
{
	struct neighbor *known;
	struct port *p = find_port(skb->ifindex);
	struct network *n = p ? find_network(p->vni) : 0;
	struct scratch *s = find_scratch();

	if (!n || !s)
		return drop(skb, 0, DROP_UNKNOWN_VNI);
	if (skb->mark == MARK_WRAPPED)
		return send_wrapped(skb, p->vni, n);
	count_from(p->counter, skb->len);
	s->counter = p->counter;
	if (!parse(skb, &s->frame) || is_redirect(skb, &s->frame))
		return TC_ACT_SHOT;
	known = solicited(skb, p->vni, s);
	if (known)
		return answer(skb, s, p->vni, &known->mac, 0);
	if (n->flags & NETWORK_ROUTED)
		return route_from_gateway(skb, s, p->vni, n);
	return switch_frame(skb, s, p->vni, n, FROM_GATEWAY);
}

/* from_underlay: what comes in from other nodes, and from everybody else. */
SEC("tc")
int from_underlay(struct __sk_buff *skb)
{
	return receive(skb);
}

/* from_tunnel: what the kernel's tunnel device has unwrapped. */
SEC("tc")
int from_tunnel(struct __sk_buff *skb)
{
	struct port *p = find_port(skb->ifindex);
	struct network *n = p ? find_network(p->vni) : 0;
	struct scratch *s = find_scratch();

	if (p && p->vni & OWNER_END)
		return arrive_unwrapped(skb, p->vni);
	if (!n || !s)
		return drop(skb, 0, DROP_UNKNOWN_VNI);
	if (skb->mark != MARK_MEMBER)
		return drop(skb, p->vni, DROP_NOT_MEMBER);
	if (!parse(skb, &s->frame))
		return drop(skb, p->vni, DROP_MALFORMED);
	if (n->flags & NETWORK_ROUTED)
		return route_from_member(skb, s, p->vni, n);
	return switch_frame(skb, s, p->vni, n, FROM_MEMBER);
}

/* from_peer: what comes in at the underlay from peers that Weft does not manage. It stands
 * before from_underlay. */
SEC("tc")
int from_peer(struct __sk_buff *skb)
{
	struct scratch *s = find_scratch();

	return s ? arrive(skb, s) : TC_ACT_SHOT;
}

/* from_end: what is sent into a tunnel to a peer that Weft does not manage. */
SEC("tc")
int from_end(struct __sk_buff *skb)
{
	struct end *e = find_end(skb->ifindex);
	struct scratch *s = find_scratch();

	if (!e || !s)
		return drop(skb, OWNER_END | skb->ifindex, DROP_NO_ROUTE);
	if (skb->mark == MARK_WRAPPED)
		return depart_wrapped(skb, e);
	if (!parse(skb, &s->frame))
		return drop(skb, e->owner, DROP_MALFORMED);
	return depart(skb, s, e);
}

/* Types that no map has would not reach user space. */
const struct sighting *unused_sighting __attribute__((unused));
const struct dropped *unused_dropped __attribute__((unused));
