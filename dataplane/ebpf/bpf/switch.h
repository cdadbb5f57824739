/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A bridged network: an Ethernet switch (IEEE 802.1Q clause 8.6) whose filtering
 * database is the registry, with the ports here, the gateway and the members' VTEPs
 * as its ports. */
#pragma once

#include "encap.h"
#include "storm.h"

enum origin {
	FROM_PORT,
	FROM_MEMBER,
	FROM_GATEWAY,
};

/* to_vtep sends a frame to another node. */
static __always_inline int to_vtep(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n,
				   const struct address *vtep, __u32 counter, const struct mac *dst, const struct mac *src)
{
	const __u32 flow = entropy(skb, &s->frame), len = skb->len;
	struct way w = {};

	if (s->frame.is_ip && !find_way(skb, n, vtep, source_port(flow), &w))
		return drop(skb, vni, DROP_NO_ROUTE);
	if (wrap(skb, s, vni, n, vtep, dst, src, flow, &w))
		return drop(skb, vni, DROP_MALFORMED);
	count_to(counter, len);
	if (s->frame.is_ip)
		return leave(skb, n, &w);
	/* The kernel still takes the packet for what is inside. Coming in again makes it
	 * what it is. */
	skb->mark = MARK_WRAPPED;
	return bpf_redirect(n->gateway, BPF_F_INGRESS);
}

/* flooding is what each copy of a frame needs to know. */
struct flooding {
	struct __sk_buff *skb;
	__u32 vni, origin, gateway;
	__u32 len; /* of the frame as it is inside */
	int v6;
};

static long flood_port(__u32 index, struct flooding *c)
{
	struct flood_key key = {.vni = c->vni, .kind = FLOOD_PORT, .index = index};
	struct flood *to = bpf_map_lookup_elem(&floods, &key);

	if (to && to->port != c->origin) {
		count_to(to->counter, c->len);
		bpf_clone_redirect(c->skb, to->port, 0);
	}
	return 0;
}

/* flood_peer addresses the packet, which is wrapped, to the next member. */
static long flood_peer(__u32 index, struct flooding *c)
{
	struct flood_key key = {.vni = c->vni, .kind = FLOOD_PEER, .index = index};
	struct flood *to = bpf_map_lookup_elem(&floods, &key);
	struct iphdr ip;

	if (!to)
		return 0;
	if (!c->v6) {
		if (load(c->skb, ETH_HLEN, &ip, sizeof(ip)))
			return 1;
		ip.daddr = to->vtep.word[3];
		ip.check = 0;
		ip.check = fold(bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0));
		if (bpf_skb_store_bytes(c->skb, ETH_HLEN, &ip, sizeof(ip), 0))
			return 1;
	} else if (bpf_skb_store_bytes(c->skb, ETH_HLEN + offsetof(struct ipv6hdr, daddr), &to->vtep, sizeof(to->vtep), 0)) {
		return 1;
	}
	count_to(to->counter, c->len);
	bpf_clone_redirect(c->skb, c->gateway, BPF_F_INGRESS);
	return 0;
}

/* flood: broadcast and multicast go to everybody but where they came from; to the
 * members one by one (head-end replication), and not from one member to another
 * (split horizon). */
static __always_inline int flood(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n,
				 enum origin from)
{
	struct flooding c = {.skb = skb, .vni = vni, .gateway = n->gateway, .len = skb->len, .v6 = !is_v4(&n->local)};
	const struct question *q = &s->question;
	const struct frame *f = &s->frame;
	const struct way unknown = {};
	struct station_key key = {.vni = vni};
	struct neighbor *known;
	struct station *owner;
	int stays = 0;

	skb->mark = 0;
	if (from != FROM_MEMBER && parse_question(skb, s)) {
		stays = q->announces;
		known = stays ? 0 : find_neighbor(vni, &q->target);
		if (known && known->flags & NEIGHBOR_GATEWAY && from == FROM_PORT)
			return call(skb, n); /* which answers */
		if (known) {
			key.mac = known->mac;
			owner = bpf_map_lookup_elem(&stations, &key);
			if (owner && !owner->port)
				return answer(skb, s, vni, &known->mac, 0);
			stays = owner != 0;
		}
	}
	if (from != FROM_GATEWAY) {
		count_to(n->gateway_counter, c.len);
		bpf_clone_redirect(skb, n->gateway, 0);
	}
	c.origin = from == FROM_PORT ? skb->ifindex : 0;
	bpf_loop(n->ports, flood_port, &c, 0);
	if (from == FROM_MEMBER || stays || !n->peers)
		return TC_ACT_SHOT;
	if (n->flags & NETWORK_BUM_NONE) /* the gateway's own are none that anybody misses */
		return from == FROM_GATEWAY ? TC_ACT_SHOT : drop(skb, vni, DROP_BUM);
	if (from == FROM_PORT && !may_flood(skb->ifindex))
		return drop(skb, vni, DROP_STORM);
	if (wrap(skb, s, vni, n, &n->local, &f->dst, &f->src, entropy(skb, f), &unknown))
		return drop(skb, vni, DROP_MALFORMED);
	skb->mark = MARK_WRAPPED;
	bpf_loop(n->peers, flood_peer, &c, 0);
	return TC_ACT_SHOT;
}

/* to_gateway: the gateway of a bridged network forwards no IP packets. */
static __always_inline int to_gateway(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n)
{
	struct neighbor *to;

	if (s->frame.is_ip) {
		to = find_neighbor(vni, &s->frame.ip.dst);
		if (!to || !(to->flags & NEIGHBOR_GATEWAY))
			return drop(skb, vni, DROP_NO_ROUTE);
	}
	return give(skb, &s->frame, n);
}

/* too_large has the network's own host tell the sender: it routes the packet into the
 * same network again, where it does not fit. */
static __always_inline int too_large(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n)
{
	note(skb, vni, DROP_TOO_BIG);
	if (write_eth(skb, &n->gateway_mac, &s->frame.src))
		return TC_ACT_SHOT;
	return give(skb, &s->frame, n);
}

/* switch_frame: to the one port that has the destination, and to nobody otherwise. */
static __always_inline int switch_frame(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n,
					enum origin from)
{
	const struct frame *f = &s->frame;
	struct station_key key = {.vni = vni, .mac = f->dst};
	struct station *to;

	if (is_group(&f->dst))
		return flood(skb, s, vni, n, from);
	if (same_mac(&f->dst, &n->gateway_mac))
		return to_gateway(skb, s, vni, n);
	to = bpf_map_lookup_elem(&stations, &key);
	if (!to)
		return drop(skb, vni, from == FROM_MEMBER ? DROP_NO_PORT : DROP_UNKNOWN_UNICAST);
	if (to->port) {
		if (to->port == skb->ifindex)
			return drop(skb, vni, DROP_NO_PORT); /* its receiver has got it already */
		return deliver(skb, &s->frame, to->port, to->port_flags, to->counter);
	}
	if (from == FROM_MEMBER)
		return drop(skb, vni, DROP_LOOP);
	if (f->is_ip && largest(skb, &f->ip) > n->mtu)
		return too_large(skb, s, vni, n);
	return to_vtep(skb, s, vni, n, &to->vtep, to->counter, &f->dst, &f->src);
}
