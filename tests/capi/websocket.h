/* The least WebSocket client (RFC 6455) that a test needs: blocking, text frames, one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct websocket {
	int fd;
	char *text; /* the last message received */
	size_t room;
};

/* Connects to 127.0.0.1:port and upgrades `path`; `token` (may be NULL) goes into the Authorization header. */
bool
websocket_open(struct websocket *socket, int port, const char *path, const char *token);

bool
websocket_send(struct websocket *socket, const char *text);

/* Waits up to `timeout_ms` for the next text message that contains `part`; others are passed over. NULL: none came. */
const char *
websocket_wait(struct websocket *socket, const char *part, int timeout_ms);

void
websocket_close(struct websocket *socket);
