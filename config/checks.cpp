// Checks across keys.
//
// See checks.hpp.
#include "config/checks.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "config/item.hpp"
#include "config/roles.hpp"
#include "config/values.hpp"

namespace bindcast {

namespace {

void fault(Reader& reader, const std::string& key, std::string message) {
  reader.fault(reader.line_of(key), key, std::move(message));
}

std::string entry(const std::string& key, std::size_t index) {
  return key + "[" + std::to_string(index) + "]";
}

// The key of one listener: a list has places, a single address has none.
std::string listen_key(const Options& options, std::size_t index) {
  return options.server.listen.size() == 1 ? "server.listen" : entry("server.listen", index);
}

void check_listeners(const Options& options, Reader& reader) {
  const ServerOptions& server = options.server;
  if (!reader.clean({"server.listen"})) return;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < server.listen.size(); ++i) {
    const ListenAddress& address = server.listen[i];
    const bool any_port = address.kind != ListenAddress::Kind::unix_path && address.port == 0;
    if (!any_port && !seen.insert(address.text()).second) {
      fault(reader, listen_key(options, i), address.text() + " is listed twice");
    }
  }
  const auto far = std::find_if(server.listen.begin(), server.listen.end(),
                                [](const ListenAddress& address) { return !address.loopback(); });
  if (far == server.listen.end()) return;
  if (reader.clean({"auth.mode"}) && options.auth.mode == AuthOptions::Mode::open) {
    fault(reader, "auth.mode",
          "open is accepted only when every listener is on loopback or a unix socket; " + far->text() + " is neither");
  }
  if (!reader.clean({"server.tls", "server.insecure"}) || server.insecure || !server.tls.certificate.empty() ||
      !server.tls.key.empty()) {
    return;
  }
  fault(reader, listen_key(options, static_cast<std::size_t>(far - server.listen.begin())),
        far->text() + " is not on loopback; write server.tls, or server.insecure: true");
}

void check_tls(const Options& options, Reader& reader) {
  const TlsOptions& tls = options.server.tls;
  if (!reader.clean({"server.tls"}) || tls.certificate.empty() == tls.key.empty()) return;
  const bool has_key = tls.certificate.empty();
  fault(reader, has_key ? "server.tls.key" : "server.tls.certificate",
        has_key ? "a key without a certificate; write both or neither"
                : "a certificate without a key; write both or neither");
}

void check_batching(Options& options, Reader& reader) {
  BatchingOptions& batching = options.batching;
  if (!reader.is_written("batching.min_batch_size")) {
    batching.min_batch_size = std::min(batching.min_batch_size, batching.max_batch_size);
  } else if (reader.clean({"batching.profile", "batching.min_batch_size", "batching.max_batch_size"}) &&
             batching.min_batch_size > batching.max_batch_size) {
    fault(reader, "batching.min_batch_size",
          std::to_string(batching.min_batch_size) + " is above max_batch_size; accepted: at most " +
              std::to_string(batching.max_batch_size));
  }
  if (!reader.is_written("batching.max_batch_timeout")) {
    batching.max_batch_timeout = std::max(batching.max_batch_timeout, batching.batch_timeout);
  } else if (reader.clean({"batching.profile", "batching.batch_timeout", "batching.max_batch_timeout"}) &&
             batching.max_batch_timeout < batching.batch_timeout) {
    fault(reader, "batching.max_batch_timeout",
          write_duration(batching.max_batch_timeout) + " is below batch_timeout; accepted: at least " +
              write_duration(batching.batch_timeout));
  }
}

// Two durations of one section: the first must not be above the second.
void check_order(const std::string& section, const char* first, Microseconds of_first, const char* second,
                 Microseconds of_second, Reader& reader) {
  const std::string first_key = section + "." + first, second_key = section + "." + second;
  if (!reader.clean({first_key, second_key}) || of_first <= of_second) return;
  fault(reader, reader.is_written(first_key) ? first_key : second_key,
        first + (" (" + write_duration(of_first)) + ") is above " + second + " (" + write_duration(of_second) +
            "); accepted: at most " + second);
}

void check_roles(const std::vector<std::string>& roles, const std::string& key,
                 const std::vector<std::string_view>& known, Reader& reader) {
  if (!reader.clean({key})) return;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    if (std::find(known.begin(), known.end(), roles[i]) != known.end()) continue;
    const auto hint = did_you_mean(roles[i], known);
    fault(reader, entry(key, i),
          "unknown role `" + shown(roles[i]) + "`;" + (hint.empty() ? " known: " + join(known) : hint));
  }
}

// A type for admins only that a role names, but may not see, would be missed without a word.
void check_role_types(const std::map<std::string, RoleOptions>& roles, const Options& options, Reader& reader) {
  for (const auto& [name, role] : roles) {
    const std::string key = "roles." + name;
    if (!allows(role, Right::watch) && !(role.subscribe == RoleOptions::Subscribe{}))
      fault(reader, key + ".subscribe", "the role may not watch; write `watch` among `may` too");
    if (role.audience == Audience::admin) continue;
    for (const auto* types : {&role.types, &role.subscribe.types}) {
      const std::string list = key + (types == &role.types ? ".types" : ".subscribe.types");
      for (std::size_t i = 0; i < types->size(); ++i)
        if (audience_of((*types)[i], options.events) == Audience::admin)
          fault(reader, entry(list, i),
                "`" + std::string(to_text((*types)[i])) + "` is for admins only; write `audience: admin` too");
    }
  }
}

void check_identities(const Options& options, const std::vector<std::string_view>& roles, Reader& reader) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < options.auth.users.size(); ++i) {
    const auto& user = options.auth.users[i];
    const auto key = entry("auth.users", i);
    if (!user.name.empty() && !names.insert(user.name).second) {
      fault(reader, key + ".name", "another user has the name `" + user.name + "`");
    }
    check_roles(user.roles, key + ".roles", roles, reader);
  }
  names.clear();
  std::set<std::string_view> hashes;
  for (std::size_t i = 0; i < options.auth.tokens.size(); ++i) {
    const auto& token = options.auth.tokens[i];
    const auto key = entry("auth.tokens", i);
    if (!token.name.empty() && !names.insert(token.name).second) {
      fault(reader, key + ".name", "another token has the name `" + token.name + "`");
    }
    if (!token.sha256.empty() && !hashes.insert(token.sha256).second) {
      fault(reader, key + ".sha256", "another token has the same hash");
    }
    check_roles(token.roles, key + ".roles", roles, reader);
  }
}

void check_jwt(const Options& options, Reader& reader) {
  const JwtOptions& jwt = options.auth.jwt;
  if (!reader.clean({"auth.jwt"}) || jwt.algorithms.empty() == jwt.key.empty()) return;
  fault(reader, jwt.key.empty() ? "auth.jwt.algorithms" : "auth.jwt.key",
        jwt.key.empty() ? "needs auth.jwt.key, the key that verifies" : "a key without auth.jwt.algorithms");
}

void check_escalation(const Options& options, const std::vector<std::string_view>& roles, Reader& reader) {
  const auto& steps = options.escalation;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    const auto key = entry("escalation", i);
    check_roles(step.roles, key + ".to.roles", roles, reader);
    if (!reader.clean({key})) continue;
    if (step.roles.empty() && !step.repeat && !step.priority && step.webhook_url.empty()) {
      fault(reader, key, "does nothing; write at least one of to, repeat, priority, webhook");
    }
    if (!step.webhook_secret_file.empty() && step.webhook_url.empty()) {
      fault(reader, key + ".webhook", "`url` is missing");
    }
    if (i > 0 && reader.clean({entry("escalation", i - 1)}) && step.after < steps[i - 1].after) {
      fault(reader, key + ".after",
            write_duration(step.after) + " is before the step above; accepted: at least " +
                write_duration(steps[i - 1].after));
    }
  }
}

}  // namespace

void check_options(Options& options, Reader& reader) {
  check_listeners(options, reader);
  check_tls(options, reader);
  check_batching(options, reader);
  check_order("retry", "initial", options.retry.initial, "max", options.retry.max, reader);
  const auto& beaconing = options.sources.detectors.beaconing;
  check_order("sources.detectors.beaconing", "shortest", beaconing.shortest, "longest", beaconing.longest, reader);
  check_jwt(options, reader);
  const auto in_force = roles_in_force(options);
  std::vector<std::string_view> roles;
  for (const auto& [name, role] : in_force) roles.push_back(name);
  if (!reader.clean({"roles"})) return;  // a faulty role may be the one that is meant below
  if (reader.clean({"events.types"})) check_role_types(in_force, options, reader);
  check_identities(options, roles, reader);
  check_escalation(options, roles, reader);
}

}  // namespace bindcast
