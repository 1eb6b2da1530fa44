#include "shim/bind9/configuration_text.h"

#include <stdlib.h>
#include <string.h>

#include "shim/bind9/compat.h"

struct text {
	char *bytes;
	size_t length, room;
	bool failed;
};

static void
append(void *closure, const char *part, int part_length) {
	struct text *text = closure;
	const size_t more = (size_t)part_length;
	if (text->failed) {
		return;
	}
	if (text->length + more > text->room) {
		size_t room = text->room == 0 ? 65536 : text->room;
		while (room < text->length + more) {
			room *= 2;
		}
		char *grown = realloc(text->bytes, room);
		if (grown == NULL) {
			text->failed = true;
			return;
		}
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->length, part, more);
	text->length += more;
}

char *
configuration_text(const void *cfg, size_t *length) {
	struct text text = { 0 };
	cfg_printx(cfg, CFG_PRINTER_XKEY | CFG_PRINTER_ONELINE, append, &text);
	if (text.failed) {
		free(text.bytes);
		return NULL;
	}
	*length = text.length;
	return text.bytes;
}
