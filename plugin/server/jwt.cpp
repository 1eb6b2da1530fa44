#include "plugin/server/jwt.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "plugin/json_parse.hpp"
#include "plugin/server/messages.hpp"
#include "plugin/server/secret.hpp"

namespace bindcast {

namespace {

constexpr std::size_t kMaxUserBytes = 128;
constexpr double kMostSeconds = 1e11;  // in the year 5138

// "header.claims.signature"
struct Parts {
  std::string_view header, claims, signature;
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos ||
      token.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

Json object_in(std::string_view part) {
  const auto text = from_base64url(part);
  json_error_t fault;
  Json root;
  if (text && nesting_depth(*text) <= kMaxMessageDepth) root = parse_json(*text, JSON_REJECT_DUPLICATES, fault);
  if (!json_is_object(root.get())) root.reset();
  return root;
}

// A time of the token, in seconds since 1970; false when it is there and is none.
bool read_time(const json_t* claims, const char* name, std::optional<double>& out) {
  const json_t* value = json_object_get(claims, name);
  if (value == nullptr) return true;
  if (!json_is_number(value)) return false;
  const double seconds = json_number_value(value);
  if (!std::isfinite(seconds) || std::abs(seconds) > kMostSeconds) return false;
  out = seconds;
  return true;
}

bool is_for(const json_t* audience, std::string_view us) {
  const auto equals = [us](const json_t* value) {
    return json_is_string(value) && us == std::string_view(json_string_value(value), json_string_length(value));
  };
  for (std::size_t i = 0; i < json_array_size(audience); ++i)
    if (equals(json_array_get(audience, i))) return true;
  return equals(audience);
}

// The claim of that name, or, as some issuers nest theirs, along its dots: "realm_access.roles".
const json_t* claim(const json_t* claims, std::string_view path) {
  if (const json_t* whole = json_object_getn(claims, path.data(), path.size())) return whole;
  while (claims != nullptr) {
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    claims = json_object_getn(claims, name.data(), name.size());
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  return claims;
}

std::vector<std::string> texts_of(const json_t* value) {
  std::vector<std::string> texts;
  const auto add = [&texts](std::string_view text) {
    if (!text.empty() && texts.size() < JwtVerifier::kMaxRoles) texts.emplace_back(text);
  };
  if (json_is_string(value)) {  // words, as `scope` has them
    std::string_view rest(json_string_value(value), json_string_length(value));
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      add(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  for (std::size_t i = 0; i < json_array_size(value); ++i)
    if (const json_t* item = json_array_get(value, i); json_is_string(item))
      add({json_string_value(item), json_string_length(item)});
  return texts;
}

bool is_user_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxUserBytes &&
         std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

void JwtVerifier::configure(const JwtOptions& options) {
  if (usable_ && options == options_) return;
  options_ = options;
  key_ = JwtKey();
  usable_ = false;
  said_.clear();
  ++generation_;
  if (!options_.algorithms.empty()) read_key();
}

void JwtVerifier::tick() {
  if (!options_.algorithms.empty() && !(stamp_of(options_.key) == stamp_)) read_key();
}

void JwtVerifier::read_key() {
  stamp_ = stamp_of(options_.key);  // first: a change meanwhile is seen next time
  std::string file;
  JwtKey key;
  std::string fault = read_small_file(options_.key, JwtKey::kMaxBytes, file);
  if (fault.empty()) fault = key.read(file);
  OPENSSL_cleanse(file.data(), file.size());
  if (fault.empty() && std::ranges::find(options_.algorithms, key.algorithm()) == options_.algorithms.end())
    fault = "holds a key for " + std::string(key.algorithm()) + ", which is none of auth.jwt.algorithms";
  if (!fault.empty()) {
    if (said_ != fault)
      log_(LogLevel::error, "auth.jwt.key: " + options_.key + " " + fault +
                                (usable_ ? "; the key before it stays in force" : "; no JSON Web Token is accepted"));
    said_ = fault;
    return;
  }
  said_.clear();
  key_ = std::move(key);
  ++generation_;
  log_(LogLevel::info, "auth.jwt.key: JSON Web Tokens are verified by " + std::string(key_.algorithm()));
  usable_ = true;
}

bool JwtVerifier::concerns(std::string_view token) const noexcept {
  return usable_ && split(token).has_value();
}

std::string_view JwtVerifier::verify(std::string_view token, std::int64_t wall_us, JwtClaims& out) const {
  const auto parts = split(token);
  if (!usable_ || !parts || token.size() > kMaxBytes) return "no token";
  const Json header = object_in(parts->header);
  const auto signature = from_base64url(parts->signature);
  // All three parts before cjose sees any of them: it ends the process by an assertion where there is a '=' in the
  // middle of one.
  if (!header || !signature || signature->empty() || parts->claims.empty() || !from_base64url(parts->claims))
    return "malformed";
  if (text_member(header.get(), "alg") != key_.algorithm()) return "another algorithm than the key's";
  if (json_object_get(header.get(), "crit") != nullptr) return "a critical header that is not known";
  const std::string_view signed_text = token.substr(0, parts->header.size() + 1 + parts->claims.size());
  if (!key_.verifies(std::string(token), signed_text, *signature)) return "wrong signature";

  const Json claims = object_in(parts->claims);
  if (!claims) return "malformed";
  const json_t* c = claims.get();
  std::optional<double> expires, not_before, issued;
  if (!read_time(c, "exp", expires) || !read_time(c, "nbf", not_before) || !read_time(c, "iat", issued))
    return "a time that is none";
  const double now = static_cast<double>(wall_us) / 1e6, skew = kSkewSeconds;
  if (!expires) return "without exp";
  if (now >= *expires + skew) return "expired";
  if (not_before && now < *not_before - skew) return "not valid yet";
  if (issued && now < *issued - skew) return "issued in the future";
  if (!options_.issuer.empty() && text_member(c, "iss") != options_.issuer) return "another issuer";
  if (!options_.audience.empty() && !is_for(json_object_get(c, "aud"), options_.audience))
    return "for another audience";
  const json_t* user = claim(c, options_.user_claim);
  const std::string_view name =
      json_is_string(user) ? std::string_view(json_string_value(user), json_string_length(user)) : "";
  if (!is_user_name(name)) return "names no user";
  out = {.user = std::string(name),
         .roles = texts_of(claim(c, options_.roles_claim)),
         .ends_wall_us = static_cast<std::int64_t>((*expires + skew) * 1e6)};
  return {};
}

}  // namespace bindcast
