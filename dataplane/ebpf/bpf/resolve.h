/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ARP and ND: what the registry knows is answered on the spot (RFC 7432 section
 * 10, RFC 9161). */
#pragma once

#include "verdict.h"

struct arp {
	__be16 hardware, protocol;
	__u8 hardware_len, protocol_len;
	__be16 op;
	struct mac sender;
	__be32 sender_ip;
	struct mac target;
	__be32 target_ip;
} __attribute__((packed));

#define ARP_REQUEST 1
#define ARP_REPLY 2

/* names_ipv4: the addresses are of IPv4 over Ethernet. */
static __always_inline int names_ipv4(const struct arp *a)
{
	return a->hardware == bpf_htons(1) && a->protocol == bpf_htons(ETH_P_IP) && a->hardware_len == 6 &&
	       a->protocol_len == 4;
}

static __always_inline int parse_arp(struct __sk_buff *skb, struct arp *a)
{
	return !load(skb, ETH_HLEN, a, sizeof(*a)) && names_ipv4(a);
}

/* nd is the fixed part of a neighbour solicitation or advertisement (RFC 4861
 * sections 4.3 and 4.4). */
struct nd {
	__u8 type, code;
	__sum16 checksum;
	__be32 flags;
	struct in6_addr target;
};

#define NDISC_SOLICITATION 135
#define NDISC_ADVERTISEMENT 136
#define NDISC_REDIRECT 137
#define ND_ROUTER 0x80000000
#define ND_SOLICITED 0x40000000
#define ND_OVERRIDE 0x20000000

/* nd_option is a link-layer address (RFC 4861 section 4.6.1). */
struct nd_option {
	__u8 type, len;
	struct mac mac;
};

#define ND_SOURCE 1
#define ND_TARGET 2

/* question is an ARP or ND message that asks all who has an address. */
struct question {
	struct address target;
	struct address asker_ip;
	struct mac asker;
	__u8 announces; /* it tells, or looks for a duplicate of, the sender's own address */
};

/* advertisement is an answer to a solicitation. */
struct advertisement {
	struct ipv6hdr ip;
	struct nd nd;
	struct nd_option option;
};

/* outer is what goes in front of a frame's payload, at most: with a tag, and a sham one
 * (see forget_tag). */
struct outer {
	__u8 byte[ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + 8 + ETH_HLEN + 4 + 4];
};

/* scratch is what does not fit on the stack: a program's own for as long as it runs. */
struct scratch {
	struct frame frame;
	struct question question;
	__u32 counter; /* that of the port that the frame came from */
	union {
		struct arp arp;
		struct advertisement advertisement;
		struct outer outer;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *find_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

static __always_inline int ask_arp(struct __sk_buff *skb, struct question *q)
{
	struct arp arp;

	if (!parse_arp(skb, &arp))
		return 0;
	q->target = from_v4(arp.target_ip);
	q->asker_ip = from_v4(arp.sender_ip);
	q->asker = arp.sender;
	q->announces = !arp.sender_ip || arp.sender_ip == arp.target_ip;
	return arp.op == bpf_htons(ARP_REQUEST) || q->announces;
}

static __always_inline int ask_nd(struct __sk_buff *skb, const struct frame *f, struct question *q)
{
	struct nd_option option;
	struct nd nd;

	if (!f->is_ip || f->ip.protocol != IPPROTO_ICMPV6 || f->ip.ttl != 255 ||
	    f->ip.len < sizeof(struct ipv6hdr) + sizeof(nd) ||
	    load(skb, ETH_HLEN + sizeof(struct ipv6hdr), &nd, sizeof(nd)) || nd.code)
		return 0;
	q->target = from_v6(&nd.target);
	q->asker_ip = f->ip.src;
	q->asker = f->src;
	if (f->ip.len >= sizeof(struct ipv6hdr) + sizeof(nd) + sizeof(option) &&
	    !load(skb, ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(nd), &option, sizeof(option)) &&
	    option.type == ND_SOURCE && option.len == 1)
		q->asker = option.mac;
	q->announces = is_unspecified(&f->ip.src);
	if (nd.type == NDISC_ADVERTISEMENT)
		return q->announces = !(nd.flags & bpf_htonl(ND_SOLICITED));
	return nd.type == NDISC_SOLICITATION;
}

static __always_inline int parse_question(struct __sk_buff *skb, struct scratch *s)
{
	const struct frame *f = &s->frame;
	struct question *q = &s->question;

	__builtin_memset(q, 0, sizeof(*q));
	if (f->tagged)
		return 0;
	if (f->type == bpf_htons(ETH_P_ARP))
		return ask_arp(skb, q);
	return f->type == bpf_htons(ETH_P_IPV6) && ask_nd(skb, f, q);
}

static __always_inline struct neighbor *find_neighbor(__u32 vni, const struct address *ip)
{
	struct address_key key = {.vni = vni, .ip = *ip};

	return bpf_map_lookup_elem(&neighbors, &key);
}

/* solicited is whom a frame asks for, of all or to see that an answer is still right
 * (RFC 4861 section 7.3); 0 for who is not known. */
static __always_inline struct neighbor *solicited(struct __sk_buff *skb, __u32 vni, struct scratch *s)
{
	if (!parse_question(skb, s) || s->question.announces)
		return 0;
	return find_neighbor(vni, &s->question.target);
}

static __always_inline int write_eth(struct __sk_buff *skb, const struct mac *dst, const struct mac *src)
{
	struct {
		struct mac dst, src;
	} macs = {.dst = *dst, .src = *src};

	return store(skb, 0, &macs, sizeof(macs));
}

static __always_inline int answer_arp(struct __sk_buff *skb, struct scratch *s, const struct mac *mac)
{
	const struct question *q = &s->question;
	struct arp *reply = &s->arp;

	reply->hardware = bpf_htons(1);
	reply->protocol = bpf_htons(ETH_P_IP);
	reply->hardware_len = 6;
	reply->protocol_len = 4;
	reply->op = bpf_htons(ARP_REPLY);
	reply->sender = *mac;
	reply->sender_ip = q->target.word[3];
	reply->target = q->asker;
	reply->target_ip = q->asker_ip.word[3];
	/* A request may be padded; an answer need not be. */
	return bpf_skb_change_tail(skb, ETH_HLEN + sizeof(*reply), 0) || write_eth(skb, &q->asker, mac) ||
	       bpf_skb_store_bytes(skb, ETH_HLEN, reply, sizeof(*reply), 0);
}

static __always_inline __sum16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* answer_nd: RFC 4861 section 7.2.4. Who has no address yet is told as one of all. */
static __always_inline int answer_nd(struct __sk_buff *skb, struct scratch *s, const struct mac *mac, int router)
{
	const struct question *q = &s->question;
	struct advertisement *reply = &s->advertisement;
	const __u32 len = sizeof(reply->nd) + sizeof(reply->option);
	__be32 pseudo[2] = {bpf_htonl(len), bpf_htonl(IPPROTO_ICMPV6)};
	__u32 flags = ND_OVERRIDE | (router ? ND_ROUTER : 0);
	struct mac to = q->asker;
	__s64 sum;

	__builtin_memset(reply, 0, sizeof(*reply));
	reply->ip.version = 6;
	reply->ip.payload_len = bpf_htons(len);
	reply->ip.nexthdr = IPPROTO_ICMPV6;
	reply->ip.hop_limit = 255;
	reply->nd.type = NDISC_ADVERTISEMENT;
	reply->option.type = ND_TARGET;
	reply->option.len = 1;
	reply->option.mac = *mac;
	__builtin_memcpy(&reply->ip.saddr, &q->target, sizeof(q->target));
	__builtin_memcpy(&reply->nd.target, &q->target, sizeof(q->target));
	__builtin_memcpy(&reply->ip.daddr, &q->asker_ip, sizeof(q->asker_ip));
	if (is_unspecified(&q->asker_ip)) {
		struct mac everybody = {{0x33, 0x33, 0, 0, 0, 1}};

		reply->ip.daddr.in6_u.u6_addr32[0] = bpf_htonl(0xff020000); /* ff02::1 */
		reply->ip.daddr.in6_u.u6_addr32[3] = bpf_htonl(1);
		to = everybody;
	} else {
		flags |= ND_SOLICITED;
	}
	reply->nd.flags = bpf_htonl(flags);
	sum = bpf_csum_diff(0, 0, (__be32 *)&reply->ip.saddr, 32 + len, 0);
	sum = bpf_csum_diff(0, 0, pseudo, sizeof(pseudo), sum);
	reply->nd.checksum = fold(sum);
	return bpf_skb_change_tail(skb, ETH_HLEN + sizeof(*reply), 0) || write_eth(skb, &to, mac) ||
	       bpf_skb_store_bytes(skb, ETH_HLEN, reply, sizeof(*reply), 0);
}

/* answer turns a question into its answer, and sends it back. */
static __always_inline int answer(struct __sk_buff *skb, struct scratch *s, __u32 vni, const struct mac *mac, int router)
{
	int err;

	if (s->frame.type == bpf_htons(ETH_P_ARP))
		err = answer_arp(skb, s, mac);
	else
		err = answer_nd(skb, s, mac, router);
	if (err)
		return drop(skb, vni, DROP_MALFORMED);
	count_to(s->counter, skb->len);
	return bpf_redirect(skb->ifindex, 0);
}
