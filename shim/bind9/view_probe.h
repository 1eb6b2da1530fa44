/*
 * A server that nobody asks anything, and that has no dyndb line, never shows its views to a plugin. So the plugin asks
 * it one harmless question itself, over loopback; the hook that sees it leads to the server's views.
 */
#pragma once

/*
 * Sends one question, without recursion, to each UDP socket that this process listens on at a local address (at most
 * four), and awaits no answer. Any thread but named's own.
 */
void
view_probe_send(void);
