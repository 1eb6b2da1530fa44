#include "shim/bind9/rpz_capture.h"

#include <strings.h>

static bool
trigger_of(dns_rpz_type_t type, uint8_t *trigger) {
	switch (type) {
	case DNS_RPZ_TYPE_CLIENT_IP:
		*trigger = BINDCAST_TRIGGER_CLIENT_IP;
		return true;
	case DNS_RPZ_TYPE_QNAME:
		*trigger = BINDCAST_TRIGGER_QNAME;
		return true;
	case DNS_RPZ_TYPE_IP:
		*trigger = BINDCAST_TRIGGER_IP;
		return true;
	case DNS_RPZ_TYPE_NSDNAME:
		*trigger = BINDCAST_TRIGGER_NSDNAME;
		return true;
	case DNS_RPZ_TYPE_NSIP:
		*trigger = BINDCAST_TRIGGER_NSIP;
		return true;
	default:
		return false;
	}
}

/* Does `owner` match the name that the policy record's owner stands for, "<name>.<policy zone>" or a wildcard? */
static bool
owner_triggers(const dns_name_t *owner, const dns_rpz_st_t *st) {
	const unsigned int origin_length = st->m.rpz->origin.length;
	if (st->p_name->length <= origin_length) {
		return false;
	}
	const unsigned char *trigger = st->p_name->ndata;
	unsigned int length = st->p_name->length - origin_length; /* without the root label */
	const unsigned char *name = owner->ndata;
	unsigned int name_length = owner->length - 1;
	if (length >= 2 && trigger[0] == 1 && trigger[1] == '*') {
		trigger += 2;
		length -= 2;
		if (name_length <= length) {
			return false;
		}
		name += name_length - length;
		name_length = length;
	}
	/* Label lengths are below 'A', so a comparison without case leaves them alone. */
	return name_length == length && strncasecmp((const char *)name, (const char *)trigger, length) == 0;
}

/*
 * "Given" local data: did a CNAME of the policy send the client elsewhere? The policy's own rdataset is in other hands by
 * now, so the answer section is asked.
 */
static bool
sent_elsewhere(const ns_client_t *client, const dns_rpz_st_t *st) {
	if (client->query.restarts == 0 || st->m.type != DNS_RPZ_TYPE_QNAME) {
		return client->query.restarts != 0;
	}
	const dns_namelist_t *answers = &client->message->sections[DNS_SECTION_ANSWER];
	for (const dns_name_t *owner = ISC_LIST_HEAD(*answers); owner != NULL; owner = ISC_LIST_NEXT(owner, link)) {
		const dns_rdataset_t *rdataset = ISC_LIST_HEAD(owner->list);
		if (rdataset != NULL && rdataset->type == dns_rdatatype_cname && owner_triggers(owner, st)) {
			return true;
		}
	}
	return false;
}

static bool
action_of(const ns_client_t *client, const dns_rpz_st_t *st, uint8_t *action) {
	switch (st->m.policy) {
	case DNS_RPZ_POLICY_PASSTHRU:
		*action = BINDCAST_ACTION_PASSTHRU;
		return true;
	case DNS_RPZ_POLICY_DROP:
		*action = BINDCAST_ACTION_DROP;
		return true;
	case DNS_RPZ_POLICY_TCP_ONLY:
		*action = BINDCAST_ACTION_TCP_ONLY;
		return true;
	case DNS_RPZ_POLICY_NXDOMAIN:
		*action = BINDCAST_ACTION_NXDOMAIN;
		return true;
	case DNS_RPZ_POLICY_NODATA:
		*action = BINDCAST_ACTION_NODATA;
		return true;
	case DNS_RPZ_POLICY_CNAME:
	case DNS_RPZ_POLICY_WILDCNAME:
		*action = BINDCAST_ACTION_CNAME;
		return true;
	case DNS_RPZ_POLICY_RECORD:
	case DNS_RPZ_POLICY_DNS64:
		*action = sent_elsewhere(client, st) ? BINDCAST_ACTION_CNAME : BINDCAST_ACTION_LOCAL_DATA;
		return true;
	default:
		return false;
	}
}

bool
rpz_capture(const ns_client_t *client, struct bindcast_rpz *out) {
	const dns_rpz_st_t *st = client->query.rpz_st;
	if (st == NULL || (st->state & DNS_RPZ_REWRITTEN) == 0 || st->m.rpz == NULL ||
	    !trigger_of(st->m.type, &out->trigger) || !action_of(client, st, &out->action))
	{
		return false;
	}
	out->policy_zone = st->m.rpz->origin.ndata;
	out->policy_zone_length = (uint8_t)st->m.rpz->origin.length;
	if (st->p_name != NULL && st->p_name->length != 0) {
		out->rule = st->p_name->ndata;
		out->rule_length = (uint8_t)st->p_name->length;
	}
	/* The policy zone's version is gone by now; its serial is known from the zone's own events. */
	return true;
}
