// A JSON Web Token of a stranger: whatever it is, it is refused without harm, and only what was signed is taken.
//
// An input that begins with '=' is taken as the claims of a token that is rightly signed, so that what is behind the
// signature is reached; '~' as the header of one; all others as the token itself.
#include <openssl/hmac.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "fuzz.hpp"
#include "plugin/server/jwt.hpp"
#include "plugin/server/secret.hpp"

namespace {

using namespace bindcast;
using fuzz::require;

const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t kNow = 1'795'442'531'000'000;

const JwtVerifier& verifier() {
  static const JwtVerifier* one = [] {
    char name[] = "/tmp/bindcast-fuzz-XXXXXX";
    const int fd = mkstemp(name);
    require(fd >= 0, "a file for the key");
    close(fd);
    std::ofstream(name) << kSecret;
    auto* made = new JwtVerifier([](LogLevel, const std::string& line) { fuzz::require_line(line, 400); });
    JwtOptions options;
    options.algorithms = {"HS256"};
    options.key = name;
    options.roles_claim = "realm.roles";
    made->configure(options);
    unlink(name);
    return made;
  }();
  return *one;
}

std::string sign(std::string_view header, std::string_view claims) {
  const std::string text = base64url(header) + "." + base64url(claims);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  return text + "." + base64url({reinterpret_cast<const char*>(digest), size});
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string rest = text.substr(std::min<std::size_t>(1, size));
  const bool by_claims = text.starts_with('='), by_header = text.starts_with('~');
  constexpr std::string_view kHeader = R"({"alg":"HS256"})", kClaims = R"({"sub":"ann","exp":1795442600})";
  const std::string token = by_claims ? sign(kHeader, rest) : by_header ? sign(rest, kClaims) : text;
  JwtClaims claims;
  const std::string_view fault = verifier().verify(token, kNow, claims);
  fuzz::require_line(std::string(fault), 60);
  if (const auto bytes = from_base64url(text)) require(base64url(*bytes) == text, "base64url is read strictly", text);
  if (!fault.empty()) return 0;
  require(by_claims || by_header || token == sign(kHeader, kClaims), "nobody can sign without the key", text);
  require(!claims.user.empty() && claims.user.size() <= 128 && fuzz::is_utf8(claims.user), "a user", claims.user);
  require(claims.roles.size() <= JwtVerifier::kMaxRoles, "roles are bounded", text);
  require(claims.ends_wall_us > kNow, "what is over is refused", text);
  return 0;
}
