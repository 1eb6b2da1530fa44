/*
 * A server that nobody asks anything, and that has no dyndb line, never shows its views to a plugin. So the plugin asks
 * it one harmless question itself, over loopback; the hook that sees it leads to the server's views.
 */
#pragma once

/*
 * Sends one question, without recursion, to each local address that this process listens on by UDP (at most four of
 * them), and awaits no answer. Any thread but named's own.
 */
void
view_probe_send(void);
