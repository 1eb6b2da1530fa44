// The keys of entries: a user, a token, a role, an event type's change, a step of escalation.
//
// See options_table.hpp.
#include "config/make_item.hpp"
#include "config/options_table.hpp"

namespace bindcast {

using namespace std::chrono_literals;

const Table<UserOptions>& user_table() {
  using Make = MakeItem<UserOptions>;
  static const Table<UserOptions> table{
      Make::text(OPTION(name), "", name_text, "The name to log in with.", kRequired),
      Make::text(OPTION(password), "", password_hash, "A crypt(5) hash, as mkpasswd(1) prints it.",
                 kRequired | kSecret),
      Make::text_list(OPTION(roles), "[]", name_text, "What the user may do."),
  };
  return table;
}

const Table<TokenOptions>& token_table() {
  using Make = MakeItem<TokenOptions>;
  static const Table<TokenOptions> table{
      Make::text(OPTION(name), "", name_text, "Who holds the token.", kRequired),
      Make::text(OPTION(sha256), "", sha256_hex, "The SHA-256 of the token, 64 hex digits.", kRequired | kSecret),
      Make::text_list(OPTION(roles), "[]", name_text, "What the holder may do."),
  };
  return table;
}

const Table<RoleOptions>& role_table() {
  using Make = MakeItem<RoleOptions>;
  static const Table<RoleOptions> table{
      Make::name_list(OPTION(may), "",
                      "What it may do. Unless written: what the built-in role of that name may, or watch."),
      Make::name_list(OPTION(categories), "[]", "Categories of events it may see; with no types either: all."),
      Make::name_list(OPTION(types), "[]", "Single types of events it may see besides."),
      Make::enumeration(OPTION(audience), "", "Whether events for admins only are among them."),
      Make::expression(OPTION(filter), "\"\"", "What it may see must match this too."),
      Make::enumeration(OPTION(privacy.client_address), "full", "How much of clients' addresses it may see."),
      Make::enumeration(OPTION(privacy.query_name), "full", "How much of the names in queries it may see."),
      Make::name_list(OPTION(subscribe.categories), "[]",
                      "What its connections are subscribed to from the beginning, by the role's name."),
      Make::name_list(OPTION(subscribe.types), "[]", "Single types besides."),
      Make::expression(OPTION(subscribe.filter), "\"\"", "The filter of that subscription."),
  };
  return table;
}

const Table<TypeOverride>& type_override_table() {
  using Make = MakeItem<TypeOverride>;
  static const Table<TypeOverride> table{
      Make::enumeration(OPTION(priority), "", "Instead of the type's own."),
      Make::enumeration(OPTION(severity), "", "Instead of the type's own."),
      Make::enumeration(OPTION(audience), "", "Instead of the type's own."),
      Make::boolean(OPTION(enabled), "true", "false: such events exist for nobody."),
  };
  return table;
}

const Table<EscalationStep>& escalation_table() {
  using Make = MakeItem<EscalationStep>;
  static const Table<EscalationStep> table{
      Make::duration(OPTION(after), "", {0s, 168h}, "Time without an acknowledgement.", kRequired),
      Make::text_list(OPTION_AT("to.roles", roles), "[]", name_text, "Who is told."),
      Make::boolean(OPTION(repeat), "false", "Tell everybody told so far again."),
      Make::enumeration(OPTION(priority), "", "The priority the event is raised to."),
      Make::text(OPTION_AT("webhook.url", webhook_url), "\"\"", http_url, "Where the event is posted to.", kSecret),
      Make::path(OPTION_AT("webhook.secret_file", webhook_secret_file), "\"\"", any_text,
                 "Holds the key that signs the post."),
  };
  return table;
}

}  // namespace bindcast
