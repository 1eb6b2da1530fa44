#include "websocket.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static bool
send_all(int fd, const void *bytes, size_t size) {
	const char *at = bytes;
	while (size > 0) {
		const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
		if (sent <= 0) {
			return false;
		}
		at += sent;
		size -= (size_t)sent;
	}
	return true;
}

static int64_t
now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
receive_all(int fd, void *bytes, size_t size, int64_t deadline_ms) {
	char *at = bytes;
	while (size > 0) {
		const int64_t left = deadline_ms - now_ms();
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		if (left <= 0 || poll(&wait, 1, (int)left) <= 0) {
			return false;
		}
		const ssize_t got = recv(fd, at, size, 0);
		if (got <= 0) {
			return false;
		}
		at += got;
		size -= (size_t)got;
	}
	return true;
}

bool
websocket_open(struct websocket *ws, int port, const char *path, const char *token) {
	memset(ws, 0, sizeof(*ws));
	ws->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (ws->fd < 0 || connect(ws->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		return false;
	}
	char request[1024];
	const int size = snprintf(request, sizeof(request),
				  "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
				  "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
				  "Sec-WebSocket-Version: 13\r\n%s%s%s\r\n",
				  path, port, token == NULL ? "" : "Authorization: Bearer ",
				  token == NULL ? "" : token, token == NULL ? "" : "\r\n");
	if (!send_all(ws->fd, request, (size_t)size)) {
		return false;
	}
	char answer[2048];
	size_t length = 0;
	const int64_t deadline = now_ms() + 10000;
	while (length < sizeof(answer) - 1 && receive_all(ws->fd, answer + length, 1, deadline)) {
		answer[++length] = '\0';
		if (length >= 4 && strcmp(answer + length - 4, "\r\n\r\n") == 0) {
			return strncmp(answer, "HTTP/1.1 101", 12) == 0;
		}
	}
	return false;
}

bool
websocket_send(struct websocket *ws, const char *text) {
	const size_t size = strlen(text);
	uint8_t header[8] = { 0x81, (uint8_t)(0x80 | (size < 126 ? size : 126)) };
	size_t header_size = 2;
	if (size >= 126) {
		header[2] = (uint8_t)(size >> 8);
		header[3] = (uint8_t)size;
		header_size = 4;
	}
	/* A mask of zeroes is a mask. */
	header_size += 4;
	return send_all(ws->fd, header, header_size) && send_all(ws->fd, text, size);
}

static bool
receive_message(struct websocket *ws, int64_t deadline_ms) {
	uint8_t header[2];
	if (!receive_all(ws->fd, header, 2, deadline_ms)) {
		return false;
	}
	uint64_t size = header[1] & 0x7f;
	uint8_t extended[8];
	const size_t extended_size = size == 126 ? 2 : size == 127 ? 8 : 0;
	if (!receive_all(ws->fd, extended, extended_size, deadline_ms)) {
		return false;
	}
	if (extended_size != 0) {
		size = 0;
		for (size_t i = 0; i < extended_size; ++i) {
			size = size << 8 | extended[i];
		}
	}
	if (size + 1 > ws->room) {
		ws->room = size + 1;
		ws->text = realloc(ws->text, ws->room);
	}
	if (ws->text == NULL || !receive_all(ws->fd, ws->text, size, deadline_ms)) {
		return false;
	}
	ws->text[size] = '\0';
	return true;
}

const char *
websocket_wait(struct websocket *ws, const char *part, int timeout_ms) {
	const int64_t deadline = now_ms() + timeout_ms;
	while (receive_message(ws, deadline)) {
		if (strstr(ws->text, part) != NULL) {
			return ws->text;
		}
	}
	return NULL;
}

void
websocket_close(struct websocket *ws) {
	if (ws->fd >= 0) {
		close(ws->fd);
	}
	free(ws->text);
	ws->text = NULL;
}
