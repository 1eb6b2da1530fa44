/*
 * A host process that is not BIND: delivers every kind of happening through bindcast.h, and a WebSocket client sees the
 * native events.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those first */
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shim/bindcast.h"
#include "websocket.h"

static char state_dir[] = "/tmp/bindcast-capi-XXXXXX";
static char config_path[64];

/* What the log said: the address that was bound, and the last line of each level. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_changed = PTHREAD_COND_INITIALIZER;
static int port;
static char last_error[512];

static void
on_log(void *closure, enum bindcast_log_level level, const char *line) {
	(void)closure;
	pthread_mutex_lock(&log_lock);
	const char *bound = strstr(line, "listening on 127.0.0.1:");
	if (bound != NULL) {
		port = atoi(bound + strlen("listening on 127.0.0.1:"));
	}
	if (level == BINDCAST_LOG_ERROR) {
		snprintf(last_error, sizeof(last_error), "%s", line);
	}
	pthread_cond_broadcast(&log_changed);
	pthread_mutex_unlock(&log_lock);
}

/* What start() gives the runtime as the host's counters, with &answered; NULL: it has none. */
static void (*counters_wanted)(void *closure);
static uint64_t answered;

static struct bindcast_host
make_host(void) {
	struct bindcast_host host = BINDCAST_INIT(host);
	host.name = "testhost";
	host.version = "1.2.3";
	host.state_dir = state_dir;
	host.log = on_log;
	host.counters_wanted = counters_wanted;
	host.counters_closure = &answered;
	return host;
}

static void
write_config(const char *text) {
	FILE *file = fopen(config_path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
make_state_dir(void **state) {
	(void)state;
	if (mkdtemp(state_dir) == NULL) {
		return -1;
	}
	snprintf(config_path, sizeof(config_path), "%s/bindcast.yaml", state_dir);
	return 0;
}

static int
remove_state_dir(void **state) {
	(void)state;
	const char *files[] = { "bindcast.yaml", "bindcast.token", "bindcast.state", "bindcast.db" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); ++i) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", state_dir, files[i]);
		unlink(path);
	}
	return rmdir(state_dir);
}

/* A running runtime and a client that is subscribed to everything. */
struct session {
	bindcast_runtime *runtime;
	struct websocket client;
};

static struct session
start(void) {
	struct session session;
	const struct bindcast_host host = make_host();
	pthread_mutex_lock(&log_lock);
	port = 0;
	pthread_mutex_unlock(&log_lock);
	session.runtime = bindcast_start(&host, config_path);
	assert_non_null(session.runtime);

	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 10;
	pthread_mutex_lock(&log_lock);
	while (port == 0 && pthread_cond_timedwait(&log_changed, &log_lock, &deadline) == 0) {
	}
	const int bound = port;
	pthread_mutex_unlock(&log_lock);
	assert_int_not_equal(bound, 0);

	char path[128], token[128] = "";
	snprintf(path, sizeof(path), "%s/bindcast.token", state_dir);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(token, sizeof(token), file));
	fclose(file);
	token[strcspn(token, "\r\n")] = '\0';

	assert_true(websocket_open(&session.client, bound, "/ws", token));
	assert_non_null(websocket_wait(&session.client, "\"connection_established\"", 5000));
	assert_true(websocket_send(&session.client, "{\"type\":\"subscribe\",\"data\":{\"categories\":[\"dns\","
						    "\"security\",\"custom\",\"system\",\"bulk_operation\",\"health\"]}}"));
	assert_non_null(websocket_wait(&session.client, "\"subscription_updated\"", 5000));
	return session;
}

static void
stop(struct session *session) {
	bindcast_stop(session->runtime);
	websocket_close(&session->client);
}

static uint64_t
now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const uint8_t www_example[] = "\3www\7example\4test";
static const uint8_t policy_zone[] = "\3rpz\4test";
static const uint8_t policy_rule[] = "\3www\7example\4test\3rpz\4test";

static struct bindcast_query
make_query(void) {
	struct bindcast_query query = BINDCAST_INIT(query);
	query.client = (struct bindcast_address){ .family = 4, .bytes = { 192, 0, 2, 1 }, .port = 5300 };
	query.qname = www_example;
	query.qname_length = sizeof(www_example);
	query.qtype = 28;
	query.qclass = 1;
	query.flags = 0x8580;
	query.ended_ns = now_ns();
	query.started_ns = query.ended_ns - 1234000;
	query.view = "inside";
	query.edns_version = -1;
	return query;
}

static void
a_query_becomes_a_native_event(void **state) {
	(void)state;
	struct session session = start();
	bindcast_producer *producer = bindcast_producer_create(session.runtime);
	assert_non_null(producer);
	/* The subscription is in force by now, so the host is told that queries are wanted. */
	while ((bindcast_interest(session.runtime) & BINDCAST_WANTS_QUERIES) == 0) {
		websocket_send(&session.client, "{\"type\":\"ping\"}");
		assert_non_null(websocket_wait(&session.client, "\"pong\"", 5000));
	}
	struct bindcast_query query = make_query();
	assert_true(bindcast_query_done(producer, &query));
	const char *event = websocket_wait(&session.client, "\"dns_query_log\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"qname\":\"www.example.test\""));
	assert_non_null(strstr(event, "\"qtype\":\"AAAA\""));
	assert_non_null(strstr(event, "\"latency_us\":1234"));
	assert_non_null(strstr(event, "\"flags\":[\"qr\",\"aa\",\"rd\",\"ra\"]"));
	assert_non_null(strstr(event, "\"source_service\":\"testhost\""));
	stop(&session);
}

static void
a_policy_hit_becomes_a_native_event_of_its_feed(void **state) {
	(void)state;
	struct session session = start();
	bindcast_producer *producer = bindcast_producer_create(session.runtime);
	struct bindcast_query query = make_query();
	struct bindcast_rpz rpz = BINDCAST_INIT(rpz);
	rpz.policy_zone = policy_zone;
	rpz.policy_zone_length = sizeof(policy_zone);
	rpz.policy_serial = 42;
	rpz.rule = policy_rule;
	rpz.rule_length = sizeof(policy_rule);
	rpz.trigger = BINDCAST_TRIGGER_QNAME;
	rpz.action = BINDCAST_ACTION_NXDOMAIN;
	query.rpz = &rpz;
	assert_true(bindcast_rpz_hit(producer, &query));
	const char *event = websocket_wait(&session.client, "\"malware_blocked\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"policy_zone\":\"rpz.test\""));
	assert_non_null(strstr(event, "\"policy_serial\":42"));
	assert_non_null(strstr(event, "\"rule\":\"www.example.test.rpz.test\""));
	assert_non_null(strstr(event, "\"action\":\"nxdomain\""));
	query.rpz = NULL;
	assert_false(bindcast_rpz_hit(producer, &query));
	stop(&session);
}

static void
zones_records_reloads_and_configuration(void **state) {
	(void)state;
	struct session session = start();
	struct bindcast_zone zone = BINDCAST_INIT(zone);
	zone.zone = "example.test";
	zone.view = "inside";
	zone.zone_type = "primary";
	zone.cause = "addzone";
	zone.has_serial = true;
	zone.serial = 9;
	bindcast_zone_happened(session.runtime, BINDCAST_ZONE_CREATED, &zone);
	const char *event = websocket_wait(&session.client, "\"zone_created\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"serial\":{\"to\":9}"));

	char correlation[27];
	bindcast_new_correlation(session.runtime, correlation);
	assert_int_equal(strlen(correlation), 26);
	const char *before[] = { "192.0.2.1" };
	const char *after[] = { "192.0.2.2" };
	struct bindcast_record record = BINDCAST_INIT(record);
	record.name = "www.example.test";
	record.rtype = "A";
	record.before = (struct bindcast_rrset){ .ttl = 60, .count = 1, .rdata = before };
	record.after = (struct bindcast_rrset){ .ttl = 60, .count = 1, .rdata = after };
	zone.cause = "update";
	bindcast_change *abandoned = bindcast_change_begin(session.runtime, &zone, 1, 2, NULL);
	bindcast_change_record(abandoned, &record);
	bindcast_change_abandon(abandoned);
	bindcast_change *change = bindcast_change_begin(session.runtime, &zone, 9, 10, correlation);
	assert_non_null(change);
	bindcast_change_record(change, &record);
	bindcast_change_commit(change);
	event = websocket_wait(&session.client, "\"record_updated\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"before\":{\"ttl\":60,\"rdata\":[\"192.0.2.1\"]}"));
	assert_non_null(strstr(event, correlation));
	assert_non_null(strstr(event, "\"serial\":{\"from\":9,\"to\":10}"));
	event = websocket_wait(&session.client, "\"zone_updated\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, correlation));

	struct bindcast_reload reload = BINDCAST_INIT(reload);
	reload.outcome = BINDCAST_RELOAD_FAILED;
	reload.reason = "no such file";
	bindcast_reloaded(session.runtime, &reload);
	event = websocket_wait(&session.client, "\"bind_reload\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"outcome\":\"failed\""));

	const char first[] = "options { recursion yes; };";
	const char second[] = "options { recursion no; };";
	bindcast_configuration(session.runtime, first, strlen(first), NULL);
	bindcast_configuration(session.runtime, second, strlen(second), correlation);
	event = websocket_wait(&session.client, "\"bind_config_change\"", 5000);
	assert_non_null(event);
	assert_non_null(
		strstr(event, "{\"path\":\"options.recursion\",\"before\":\"yes\",\"after\":\"no\"}"));
	stop(&session);
}

static void
any_other_event_as_fields_or_json(void **state) {
	(void)state;
	struct session session = start();
	char error[128] = "";
	const struct bindcast_field fields[] = {
		{ .name = "text", .kind = BINDCAST_TEXT, .text = "a \"quoted\" word" },
		{ .name = "count", .kind = BINDCAST_INTEGER, .integer = 7 },
		{ .name = "yes", .kind = BINDCAST_BOOLEAN, .integer = 1 },
	};
	assert_true(bindcast_emit_fields(session.runtime, "custom.greeting", fields, 3, error, sizeof(error)));
	const char *event = websocket_wait(&session.client, "\"custom.greeting\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"text\":\"a \\\"quoted\\\" word\",\"count\":7,\"yes\":true"));

	static const char json[] = "{\"file\":\"x.db\",\"nested\":{\"list\":[1,2]}}";
	assert_true(bindcast_emit_json(session.runtime, "zone_imported", json, strlen(json), error, sizeof(error)));
	event = websocket_wait(&session.client, "\"zone_imported\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"nested\":{\"list\":[1,2]}"));

	assert_false(bindcast_emit_json(session.runtime, "no_such_type", "{}", 2, error, sizeof(error)));
	assert_non_null(strstr(error, "unknown event type"));
	assert_false(bindcast_emit_json(session.runtime, "zone_imported", "[]", 2, error, sizeof(error)));
	assert_non_null(strstr(error, "not a JSON object"));
	char deep[200];
	memset(deep, 0, sizeof(deep));
	for (int i = 0; i < 20; ++i) {
		strcat(deep, "{\"a\":");
	}
	strcat(deep, "1");
	for (int i = 0; i < 20; ++i) {
		strcat(deep, "}");
	}
	assert_false(bindcast_emit_json(session.runtime, "zone_imported", deep, strlen(deep), error, sizeof(error)));
	assert_non_null(strstr(error, "nested deeper"));
	assert_false(bindcast_emit_json(session.runtime, "custom.UPPER", "{}", 2, NULL, 0));
	stop(&session);
}

static void
whole_events_in_somebodys_name(void **state) {
	(void)state;
	struct session session = start();
	char error[200] = "";
	static const char started[] = "{\"type\":\"import_started\",\"data\":{\"total\":10},"
				      "\"metadata\":{\"correlation_id\":\"c-1\",\"tags\":[\"night\"]}}";
	static const char done[] = "{\"type\":\"import_completed\",\"data\":{\"done\":10},"
				   "\"metadata\":{\"correlation_id\":\"c-1\"}}";
	assert_true(bindcast_publish(session.runtime, "loader", started, strlen(started), error, sizeof(error)));
	const char *event = websocket_wait(&session.client, "\"import_started\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"source_user_id\":\"loader\""));
	assert_non_null(strstr(event, "\"tags\":[\"night\"]"));
	assert_true(bindcast_publish(session.runtime, "loader", done, strlen(done), error, sizeof(error)));
	event = websocket_wait(&session.client, "\"import_completed\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"percent\":100"));
	assert_non_null(strstr(event, "\"duration_seconds\":"));

	static const char unknown[] = "{\"type\":\"zone_imported\",\"zone\":\"x\"}";
	assert_false(bindcast_publish(session.runtime, NULL, unknown, strlen(unknown), error, sizeof(error)));
	assert_string_equal(error, "zone: is not known");
	stop(&session);
}

/* The host's counters as they stand; the loop's thread reads what the test's has written. */
static pthread_mutex_t counters_lock = PTHREAD_MUTEX_INITIALIZER;
static bindcast_runtime *counted_runtime;
static uint64_t inside_hits;

static void
on_counters_wanted(void *closure) {
	pthread_mutex_lock(&counters_lock);
	uint64_t *answered_so_far = closure;
	const struct bindcast_counter counters[] = {
		{ .group = BINDCAST_RESPONSES, .code = 3, .value = *answered_so_far },
		{ .group = BINDCAST_QUERIES, .code = 28, .value = *answered_so_far },
		{ .group = BINDCAST_QUOTAS, .name = "tcp_clients", .value = 2, .limit = 10 },
		{ .group = BINDCAST_CACHE, .view = "inside", .name = "query_hits", .value = inside_hits },
		{ .group = BINDCAST_CACHE, .name = "of_no_view", .value = 1 },
		{ .group = 250, .name = "of_a_later_version", .value = 1 },
	};
	struct bindcast_counters all = BINDCAST_INIT(all);
	all.uptime_seconds = 77;
	all.counters = counters;
	all.count = sizeof(counters) / sizeof(counters[0]);
	bindcast_counted(counted_runtime, &all);
	++*answered_so_far;
	inside_hits += 2;
	pthread_mutex_unlock(&counters_lock);
}

static void
counters_become_events_when_they_are_wanted(void **state) {
	(void)state;
	write_config("server: {listen: \"127.0.0.1:0\"}\nsources: {named: {interval: 1s}}\n");
	/* Nobody asks before the runtime is known here. */
	pthread_mutex_lock(&counters_lock);
	counters_wanted = on_counters_wanted;
	struct session session = start();
	counters_wanted = NULL;
	counted_runtime = session.runtime;
	answered = 5;
	pthread_mutex_unlock(&counters_lock);
	const char *event = websocket_wait(&session.client, "\"bind_status_update\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"version\":\"1.2.3\",\"uptime_seconds\":77"));
	assert_non_null(strstr(event, "\"by_rcode\":{\"NXDOMAIN\":5},\"by_type\":{\"AAAA\":5}"));
	assert_non_null(strstr(event, "\"tcp_clients\":{\"used\":2,\"limit\":10}"));
	assert_non_null(strstr(event, "\"left_out\":2"));
	event = websocket_wait(&session.client, "\"dns_query_stats\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"queries\":1,\"responses\":1"));
	assert_non_null(strstr(event, "\"views\":[{\"view\":\"inside\",\"cache\":{\"query_hits\":2}"));
	stop(&session);
	write_config("server: {listen: \"127.0.0.1:0\"}\nevents: {rpz: {feeds: {\"rpz.test\": malware}}}\n");
}

static void
a_prepared_configuration_is_announced_when_applied(void **state) {
	(void)state;
	struct session session = start();
	write_config("server: {listen: \"127.0.0.1:0\"}\n"
		     "events: {rpz: {feeds: {\"rpz.test\": malware}, repeat_window: 5s}}\n");
	assert_true(bindcast_prepare(session.runtime, config_path));
	bindcast_apply(session.runtime);
	const char *event = websocket_wait(&session.client, "\"config_change\"", 5000);
	assert_non_null(event);
	assert_non_null(strstr(event, "\"path\":\"events.rpz.repeat_window\""));

	write_config("events: {zones: {sweep: never}}\n");
	assert_false(bindcast_prepare(session.runtime, config_path));
	assert_non_null(strstr(last_error, "events.zones.sweep"));
	write_config("server: {listen: \"127.0.0.1:0\"}\nevents: {rpz: {feeds: {\"rpz.test\": malware}}}\n");
	stop(&session);
}

static void
references_are_counted_and_a_stop_is_announced(void **state) {
	(void)state;
	struct session session = start();
	const struct bindcast_host host = make_host();
	assert_ptr_equal(bindcast_start(&host, NULL), session.runtime);
	bindcast_stop(session.runtime);
	assert_true(websocket_send(&session.client, "{\"type\":\"ping\"}"));
	assert_non_null(websocket_wait(&session.client, "\"pong\"", 5000));
	bindcast_stop(session.runtime);
	assert_non_null(websocket_wait(&session.client, "\"service_stopped\"", 5000));
	websocket_close(&session.client);
}

static void
a_faulty_file_is_no_start(void **state) {
	(void)state;
	const struct bindcast_host host = make_host();
	assert_int_equal(bindcast_abi_version(), BINDCAST_ABI_VERSION);
	assert_true(bindcast_check(&host, config_path));
	assert_false(bindcast_check(&host, "/nonexistent/bindcast.yaml"));
	assert_null(bindcast_start(&host, "/nonexistent/bindcast.yaml"));
	assert_non_null(strstr(last_error, "/nonexistent/bindcast.yaml"));
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_becomes_a_native_event),
		cmocka_unit_test(a_policy_hit_becomes_a_native_event_of_its_feed),
		cmocka_unit_test(zones_records_reloads_and_configuration),
		cmocka_unit_test(any_other_event_as_fields_or_json),
		cmocka_unit_test(whole_events_in_somebodys_name),
		cmocka_unit_test(counters_become_events_when_they_are_wanted),
		cmocka_unit_test(a_prepared_configuration_is_announced_when_applied),
		cmocka_unit_test(references_are_counted_and_a_stop_is_announced),
		cmocka_unit_test(a_faulty_file_is_no_start),
	};
	if (make_state_dir(NULL) != 0) {
		return 1;
	}
	write_config("server: {listen: \"127.0.0.1:0\"}\nevents: {rpz: {feeds: {\"rpz.test\": malware}}}\n");
	const int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_state_dir(NULL);
	return failed;
}
