"""A page of somebody else's in a real browser whose user is logged in: it gets nothing, and nothing happens in his name.

The page is served from another port of the same host, which is the worst case: browsers send a cookie to all ports of
its host, SameSite=Strict or not, so nothing but the Origin tells such a page from our own.
"""

import crypt
import http.client
import json
import unittest

from browser import Browser, PageHandler, Pages
from client import reconfigured, watching
from harness import TIME_FACTOR, Named

PASSWORD = "correct horse"
USERS = [{"name": "ann", "password": crypt.crypt(PASSWORD, "$y$j8T$identity"), "roles": ["admin"]}]

PAGE = """<!doctype html><meta charset="utf-8"><script>
const target = "TARGET", result = {};
const event = JSON.stringify({type: "custom.forged", data: {by: "a page"}});
const attempt = async (name, request) => {
  try { const answer = await request(); result[name] = answer.type === "opaque" ? "opaque" : String(answer.status); }
  catch (fault) { result[name] = "refused"; }
};
const socket = () => new Promise(done => {
  const ws = new WebSocket(target.replace("http", "ws") + "/ws");
  ws.onerror = () => done("refused");
  ws.onmessage = message => { done(JSON.parse(message.data).data.user || message.data); ws.close(); };
});
(async () => {
  const post = (path, mode, type, body) => () => fetch(target + path, {
    method: "POST", mode, credentials: "include", headers: {"Content-Type": type}, body});
  const login = JSON.stringify({user: "ann", password: "PASSWORD"});
  result.socket = await socket();
  await attempt("status", () => fetch(target + "/api/v1/status", {credentials: "include"}));
  await attempt("publish", post("/api/v1/events", "cors", "application/json", event));
  await attempt("publish blindly", post("/api/v1/events", "no-cors", "text/plain", event));
  await attempt("log in", post("/api/v1/login", "no-cors", "text/plain", login));
  await attempt("log out", post("/api/v1/logout", "no-cors", "text/plain", ""));
  await fetch("/result", {method: "POST", body: JSON.stringify(result)});
})();
</script>"""


class Stranger(Pages):
    """Serves the page, gives its visitor the cookie that a login would have given, and takes the page's result."""

    def __init__(self, target: str, cookie: str):
        self.page = PAGE.replace("TARGET", target).replace("PASSWORD", PASSWORD).encode()
        self.cookie = cookie
        super().__init__(Handler)


class Handler(PageHandler):
    def do_GET(self):
        self.answer("text/html; charset=utf-8", self.server.page, Set_Cookie=self.server.cookie)

    def do_POST(self):
        self.server.result = json.loads(self.body())
        self.answer("application/json", b"{}")


class CrossOriginTest(unittest.TestCase):
    def test_a_strangers_page_in_the_browser_of_somebody_logged_in(self):
        yaml = {"server": {"listen": "127.0.0.1:0"}, "auth": {"users": USERS}}
        with Named(yaml=yaml) as named, watching(named) as witness:
            witness.subscribe(event_types=["config_change"], categories=["user", "custom"])
            host, port = named.address
            stranger = self.enterContext(Stranger(f"http://{host}:{port}", self.log_in(host, port)))
            witness.wait_event("user_login")

            self.assertEqual({"socket": "refused", "status": "refused", "publish": "refused",
                              "publish blindly": "opaque", "log in": "opaque", "log out": "opaque"},
                             self.visit(stranger))
            witness.request("publish", {"type": "custom.marker", "data": {}})
            witness.wait_event("custom.marker")
            self.assertEqual([], witness.of("custom.forged"))
            self.assertEqual(1, len(witness.of("user_login")))
            self.assertEqual([], witness.of("user_logout"))

            # The cookie is good, and it is sent: the Origin alone made the difference.
            reconfigured(named, witness, server={**yaml["server"], "allowed_origins": [stranger.origin]})
            stranger.result = None
            self.assertEqual("ann", self.visit(stranger)["socket"])

    def log_in(self, host: str, port: int) -> str:
        connection = http.client.HTTPConnection(host, port, timeout=20 * TIME_FACTOR)
        connection.request("POST", "/api/v1/login", json.dumps({"user": "ann", "password": PASSWORD}))
        answer = connection.getresponse()
        self.assertEqual(200, answer.status, answer.read())
        connection.close()
        return answer.headers["Set-Cookie"]

    def visit(self, stranger: Stranger) -> dict:
        with Browser(f"{stranger.origin}/") as browser:
            browser.wait(lambda: stranger.result is not None, "the page's result")
        return stranger.result


if __name__ == "__main__":
    unittest.main(verbosity=2)
