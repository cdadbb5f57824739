/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Outer headers. */
#pragma once

#include "resolve.h"

#define AF_INET 2
#define AF_INET6 10
#define OUTER_TTL 64

/* ECN, the lower bits of TOS (RFC 3168 section 5). */
#define ECN 3
#define ECN_NONE 0
#define ECN_ECT1 1
#define ECN_ECT0 2
#define ECN_CE 3

/* RFC 7348 section 5. */
struct vxlan {
	__be32 flags, vni;
};

#define VXLAN_HAS_VNI 0x08000000

/* RFC 8926 section 3.4, without options. */
struct geneve {
	__u8 version_and_length; /* of the options, in units of 4 bytes */
	__u8 flags;
	__be16 protocol;
	__be32 vni;
};

#define GENEVE_VERSION 0xc0
#define GENEVE_LENGTH 0x3f
#define GENEVE_CONTROL 0x80

/* RFC 2890 section 2, with a key. */
struct gre {
	__be16 flags, protocol;
	__be32 key;
};

#define GRE_CHECKSUM 0x8000 /* RFC 2784 section 2.1 */
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000

#define ETH_P_TEB_BE bpf_htons(0x6558) /* an Ethernet frame */

/* tag is the rest of a VLAN tag, behind its TPID. */
struct tag {
	__be16 tci, type;
};

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1;
	return hash ^ hash >> 15;
}

/* entropy is a hash of the flow inside, by which routers may spread tunnel packets. Fragments
 * have no ports, so none count for those. */
static __always_inline __u32 entropy(struct __sk_buff *skb, const struct frame *f)
{
	__u32 hash = 0x77656674, ports = 0, i;
	const struct packet *p = &f->ip;

	if (f->is_ip) {
		for (i = 0; i < 3 && p->version == 6; i++)
			hash = mix(mix(hash, p->src.word[i]), p->dst.word[i]);
		hash = mix(mix(hash, p->src.word[3]), p->dst.word[3]);
		if (!p->fragment && (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP))
			load(skb, ETH_HLEN + p->header, &ports, sizeof(ports));
		hash = mix(mix(hash, p->protocol), ports);
	} else {
		for (i = 0; i < 6; i++)
			hash = mix(hash, f->src.byte[i] << 8 | f->dst.byte[i]);
	}
	return hash;
}

/* source_port is one of the dynamic ports (RFC 7348 section 5). */
static __always_inline __be16 source_port(__u32 entropy)
{
	return bpf_htons(49152 + entropy % 16384);
}

/* flow_label: RFC 6438 section 3. Of GRE and IP packets it is all that there is to tell
 * flows by. */
static __always_inline __u32 flow_label(__u32 entropy)
{
	return entropy >> 12;
}

/* ECN of the packet inside goes outside; a mark that is there already stays inside
 * (RFC 3168 section 9.1.1). */
static __always_inline __u8 outer_tos(const struct frame *f)
{
	__u8 ecn = f->is_ip ? f->ip.tos & ECN : 0;

	return ecn == ECN_CE ? ECN_ECT0 : ecn;
}

static __always_inline __u32 put_v4(__u8 *at, const struct address *src, const struct address *dst, __u8 tos, __u32 len,
				    __u8 protocol)
{
	struct iphdr *ip = (struct iphdr *)at;

	ip->version = 4;
	ip->ihl = 5;
	ip->tos = tos;
	ip->tot_len = bpf_htons(len);
	ip->id = bpf_get_prandom_u32();
	ip->frag_off = 0;
	ip->ttl = OUTER_TTL;
	ip->protocol = protocol;
	ip->saddr = src->word[3];
	ip->daddr = dst->word[3];
	ip->check = fold((__u64)bpf_htons(0x4500 | tos) + ip->tot_len + ip->id + bpf_htons(OUTER_TTL << 8 | protocol) +
			 ip->saddr + ip->daddr);
	return sizeof(*ip);
}

static __always_inline __u32 put_v6(__u8 *at, const struct address *src, const struct address *dst, __u8 tos, __u32 len,
				    __u8 protocol, __u32 label)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)at;

	ip->version = 6;
	ip->priority = tos >> 4;
	ip->flow_lbl[0] = tos << 4 | label >> 16;
	ip->flow_lbl[1] = label >> 8;
	ip->flow_lbl[2] = label;
	ip->payload_len = bpf_htons(len - sizeof(*ip));
	ip->nexthdr = protocol;
	ip->hop_limit = OUTER_TTL;
	__builtin_memcpy(&ip->saddr, src, sizeof(*src));
	__builtin_memcpy(&ip->daddr, dst, sizeof(*dst));
	return sizeof(*ip);
}

static __always_inline __u32 put_udp(__u8 *at, __be16 from, __be16 to, __u32 len)
{
	struct udphdr *udp = (struct udphdr *)at;

	udp->source = from;
	udp->dest = to;
	udp->len = bpf_htons(len);
	udp->check = 0; /* none: RFC 7348 section 5, RFC 6935 */
	return sizeof(*udp);
}

static __always_inline __u32 put_vxlan(__u8 *at, __u32 vni)
{
	struct vxlan *vxlan = (struct vxlan *)at;

	vxlan->flags = bpf_htonl(VXLAN_HAS_VNI);
	vxlan->vni = bpf_htonl(vni << 8);
	return sizeof(*vxlan);
}

static __always_inline __u32 put_geneve(__u8 *at, __u32 vni)
{
	struct geneve *geneve = (struct geneve *)at;

	geneve->version_and_length = geneve->flags = 0;
	geneve->protocol = ETH_P_TEB_BE;
	geneve->vni = bpf_htonl(vni << 8);
	return sizeof(*geneve);
}

static __always_inline __u32 put_gre(__u8 *at, __u32 vni, __be16 protocol)
{
	struct gre *gre = (struct gre *)at;

	gre->flags = bpf_htons(GRE_KEY);
	gre->protocol = protocol;
	gre->key = bpf_htonl(vni);
	return sizeof(*gre);
}

static __always_inline __u32 put_eth(__u8 *at, const struct mac *dst, const struct mac *src, __be16 type)
{
	struct ethhdr *eth = (struct ethhdr *)at;

	__builtin_memcpy(eth->h_dest, dst, ETH_ALEN);
	__builtin_memcpy(eth->h_source, src, ETH_ALEN);
	eth->h_proto = type;
	return sizeof(*eth);
}

static __always_inline __u32 put_tag(__u8 *at, __be16 tci, __be16 type)
{
	struct tag *tag = (struct tag *)at;

	tag->tci = tci;
	tag->type = type;
	return sizeof(*tag);
}

/* carries_frames: there is an Ethernet frame in the tunnel packets, not a bare packet. */
static __always_inline int carries_frames(const struct network *n)
{
	return n->encapsulation == ENCAP_VXLAN || n->encapsulation == ENCAP_GENEVE ||
	       (n->encapsulation == ENCAP_GRE && !(n->flags & NETWORK_ROUTED));
}

static __always_inline int is_udp(const struct network *n)
{
	return n->encapsulation == ENCAP_VXLAN || n->encapsulation == ENCAP_GENEVE;
}

/* shim_len is the length of what stands between the outer IP header and what is inside. */
static __always_inline __u32 shim_len(const struct network *n)
{
	if (is_udp(n))
		return sizeof(struct udphdr) + sizeof(struct vxlan); /* Geneve's is as long */
	return n->encapsulation == ENCAP_GRE ? sizeof(struct gre) : 0;
}

static __always_inline __u8 outer_protocol(const struct network *n, const struct frame *f)
{
	if (is_udp(n))
		return IPPROTO_UDP;
	if (n->encapsulation == ENCAP_GRE)
		return IPPROTO_GRE;
	return f->ip.version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

/* make_room puts so many bytes in front of a frame, inner of them for an Ethernet header
 * inside. Of an IP packet the kernel has to know what they are, to cut large ones; of
 * others it would not hear of it. */
static __always_inline int make_room(struct __sk_buff *skb, const struct frame *f, const struct network *n, int v6,
				     __u32 room, __u64 inner)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	if (!f->is_ip)
		return bpf_skb_change_head(skb, room, 0);
	flags |= v6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	if (is_udp(n))
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (n->encapsulation == ENCAP_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (inner)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L2(inner) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
	return bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, flags);
}

/* way is how the host reaches a VTEP. */
struct way {
	long found; /* what bpf_fib_lookup has said */
	__u32 ifindex;
	struct mac dst, src;
	struct bpf_redir_neigh next; /* whose MAC is not known */
};

/* known_way is one that the kernel has told in the same tick (of CONFIG_HZ, a few
 * milliseconds) for a flow: before a busy flow's next packet nothing will have changed. */
struct known_way {
	__u64 tick;
	struct address vtep;
	__u32 gateway;
	__u32 ifindex;
	struct mac dst, src;
	__be16 from;
	__u8 pad[2];
};

#define KNOWN_WAYS 256

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KNOWN_WAYS);
	__type(key, __u32);
	__type(value, struct known_way);
} known_ways SEC(".maps");

/* ask_way asks the kernel's routes, which answer for a device that it forwards for: the
 * gateway's, unless somebody has changed that just now (net.ipv4.ip_forward is for all
 * devices at once). */
static __always_inline void ask_way(struct __sk_buff *skb, const struct network *n, const struct address *vtep,
				    __be16 from, struct way *w)
{
	struct bpf_fib_lookup to = {
		.family = is_v4(vtep) ? AF_INET : AF_INET6,
		.ifindex = n->gateway,
	};

	if (is_udp(n)) {
		to.l4_protocol = IPPROTO_UDP;
		to.sport = from;
		to.dport = n->udp_port;
	}
	if (is_v4(vtep)) {
		to.ipv4_src = n->local.word[3];
		to.ipv4_dst = vtep->word[3];
	} else {
		__builtin_memcpy(to.ipv6_src, &n->local, sizeof(n->local));
		__builtin_memcpy(to.ipv6_dst, vtep, sizeof(*vtep));
	}
	w->found = bpf_fib_lookup(skb, &to, sizeof(to), 0);
	w->ifindex = to.ifindex;
	__builtin_memcpy(&w->dst, to.dmac, ETH_ALEN);
	__builtin_memcpy(&w->src, to.smac, ETH_ALEN);
	w->next.nh_family = to.family;
	__builtin_memcpy(w->next.ipv6_nh, to.ipv6_dst, sizeof(w->next.ipv6_nh));
}

/* find_way is false if there is no way. */
static __always_inline int find_way(struct __sk_buff *skb, const struct network *n, const struct address *vtep,
				    __be16 from, struct way *w)
{
	__u32 slot = bpf_ntohs(from) % KNOWN_WAYS;
	struct known_way *k = bpf_map_lookup_elem(&known_ways, &slot);
	const __u64 tick = bpf_jiffies64();

	if (k && k->tick == tick && k->from == from && k->gateway == n->gateway && same_address(&k->vtep, vtep)) {
		w->found = BPF_FIB_LKUP_RET_SUCCESS;
		w->ifindex = k->ifindex;
		w->dst = k->dst;
		w->src = k->src;
		return 1;
	}
	ask_way(skb, n, vtep, from, w);
	if (k && w->found == BPF_FIB_LKUP_RET_SUCCESS) {
		k->tick = tick;
		k->vtep = *vtep;
		k->gateway = n->gateway;
		k->ifindex = w->ifindex;
		k->dst = w->dst;
		k->src = w->src;
		k->from = from;
	}
	return w->found == BPF_FIB_LKUP_RET_SUCCESS || w->found == BPF_FIB_LKUP_RET_FWD_DISABLED ||
	       w->found == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* leave sends a tunnel packet its way. It has the next hop's addresses if the kernel knew
 * them; if not, the kernel looks for them and puts them there. */
static __always_inline int leave(struct __sk_buff *skb, const struct network *n, struct way *w)
{
	skb->mark = 0;
	if (w->found == BPF_FIB_LKUP_RET_SUCCESS)
		return bpf_redirect(w->ifindex, 0);
	if (w->found == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return bpf_redirect_neigh(n->underlay, 0, 0, 0);
	return bpf_redirect_neigh(w->ifindex, &w->next, sizeof(w->next), 0);
}

/* is_tag reports whether a type is that of a VLAN tag. */
static __always_inline int is_tag(__be16 type)
{
	return type == ETH_P_8021Q_BE || type == ETH_P_8021AD_BE;
}

/* forget_tag has the kernel forget the VLAN tag that it has taken out of a frame. Where another
 * one stood behind it, the kernel takes that out next, from where it would be by now
 * (net/core/skbuff.c, skb_vlan_pop): a sham one is there, which is forgotten like the first. */
static __always_inline int forget_tag(struct __sk_buff *skb, int nested)
{
	return bpf_skb_vlan_pop(skb) || (nested && bpf_skb_vlan_pop(skb));
}

/* wrap makes a frame of a flow a tunnel packet to a VTEP. dst and src are the frame's inside,
 * if there is one; w is the packet's way, or empty as long as nobody has looked for it. */
static __always_inline int wrap(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct network *n,
				const struct address *vtep, const struct mac *dst, const struct mac *src, __u32 flow,
				const struct way *w)
{
	const struct frame *f = &s->frame;
	const int v6 = !is_v4(&n->local);
	const __u32 l3 = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const __u32 tag = skb->vlan_present ? sizeof(struct tag) : 0;
	const __u32 inner = carries_frames(n) ? ETH_HLEN + tag : 0;
	const __be16 tpid = skb->vlan_proto, tci = bpf_htons(skb->vlan_tci);
	const int nested = tag && is_tag(f->type);
	const __u32 sham = nested ? sizeof(struct tag) : 0;
	const __u32 room = sham + l3 + shim_len(n) + inner;
	const __u8 protocol = outer_protocol(n, f);
	const __be16 type = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	__u8 *out = s->outer.byte;
	__u32 len;

	if (!inner && (tag || !f->is_ip))
		return -1;
	if (make_room(skb, f, n, v6, room, inner))
		return -1;
	len = skb->len - ETH_HLEN - sham;
	out += put_eth(out, &w->dst, &w->src, nested ? ETH_P_8021Q_BE : type);
	if (nested)
		out += put_tag(out, 0, type);
	out += v6 ? put_v6(out, &n->local, vtep, outer_tos(f), len, protocol, flow_label(flow)) :
		    put_v4(out, &n->local, vtep, outer_tos(f), len, protocol);
	if (is_udp(n)) {
		out += put_udp(out, source_port(flow), n->udp_port, len - l3);
		out += n->encapsulation == ENCAP_VXLAN ? put_vxlan(out, vni) : put_geneve(out, vni);
	} else if (n->encapsulation == ENCAP_GRE) {
		out += put_gre(out, vni, inner ? ETH_P_TEB_BE : f->type);
	}
	if (inner) {
		out += put_eth(out, dst, src, tag ? tpid : f->type);
		if (tag)
			put_tag(out, tci, f->type);
	}
	if (bpf_skb_store_bytes(skb, 0, s->outer.byte, ETH_HLEN + room, 0))
		return -1;
	return tag ? forget_tag(skb, nested) : 0;
}

/* send finds the way of a tunnel packet that was made without. */
static __always_inline int send(struct __sk_buff *skb, __u32 vni, const struct network *n, const struct address *vtep,
				__be16 from)
{
	struct way w;

	if (!find_way(skb, n, vtep, from, &w))
		return drop(skb, vni, DROP_NO_ROUTE);
	if (write_eth(skb, &w.dst, &w.src))
		return drop(skb, vni, DROP_MALFORMED);
	return leave(skb, n, &w);
}
