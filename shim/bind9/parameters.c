#include "shim/bind9/parameters.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blanks and named.conf's three kinds of comments. */
static const char *
skip_blanks(const char *at) {
	for (;;) {
		while (isspace((unsigned char)*at)) {
			++at;
		}
		if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
			at += strcspn(at, "\n");
		} else if (at[0] == '/' && at[1] == '*') {
			const char *end = strstr(at + 2, "*/");
			at = end == NULL ? at + strlen(at) : end + 2;
		} else {
			return at;
		}
	}
}

/* The beginning of `at` for a log: one line, and ASCII wherever it is cut. */
static void
quote(char *out, size_t room, const char *at) {
	size_t length = 0;
	for (; length + 1 < room && at[length] != '\0'; ++length) {
		const unsigned char byte = (unsigned char)at[length];
		out[length] = byte < 0x20 || byte >= 0x7f ? '?' : (char)byte;
	}
	out[length] = '\0';
}

static bool
refuse(const struct bindcast_host *host, const char *file, unsigned long line, const char *at, const char *expected) {
	char message[512], quoted[41];
	quote(quoted, sizeof(quoted), at);
	snprintf(message, sizeof(message), "%s:%lu: plugin parameters: expected %s at \"%s\"; allowed is: config \"file\";",
		 file == NULL ? "named.conf" : file, line, expected, quoted);
	host->log(host->log_closure, BINDCAST_LOG_ERROR, message);
	return false;
}

/* A quoted or bare word; its end goes to *end. NULL: there is none. */
static char *
read_word(const char *at, const char **end) {
	if (*at == '"') {
		const char *close = strchr(at + 1, '"');
		if (close == NULL) {
			return NULL;
		}
		*end = close + 1;
		return strndup(at + 1, (size_t)(close - at - 1));
	}
	const size_t length = strcspn(at, " \t\r\n;\"{}");
	if (length == 0) {
		return NULL;
	}
	*end = at + length;
	return strndup(at, length);
}

bool
parameters_read(const char *parameters, const char *file, unsigned long line, const struct bindcast_host *host,
		char **config_path) {
	*config_path = NULL;
	if (parameters == NULL) {
		return true;
	}
	const char *at = skip_blanks(parameters);
	while (*at != '\0') {
		static const char keyword[] = "config";
		const char *start = at;
		if (strncmp(at, keyword, sizeof(keyword) - 1) != 0 || isalnum((unsigned char)at[sizeof(keyword) - 1])) {
			free(*config_path);
			*config_path = NULL;
			return refuse(host, file, line, start, "the word config");
		}
		at = skip_blanks(at + sizeof(keyword) - 1);
		char *path = read_word(at, &at);
		if (path == NULL || *path == '\0' || *config_path != NULL) {
			const bool twice = *config_path != NULL;
			free(path);
			free(*config_path);
			*config_path = NULL;
			return refuse(host, file, line, start, twice ? "config only once" : "a file name");
		}
		*config_path = path;
		at = skip_blanks(at);
		if (*at != ';') {
			free(*config_path);
			*config_path = NULL;
			return refuse(host, file, line, at, "a semicolon");
		}
		at = skip_blanks(at + 1);
	}
	return true;
}
