// JSON Web Tokens: which are taken, and every way of forging one that the specification and its history know.

#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "jwt_keys.hpp"
#include "plugin/server/jwt.hpp"

namespace {

using namespace bindcast;
using namespace bindcast::test;

constexpr std::int64_t kNow = 1'795'442'531;  // seconds
const std::string kSecret = "0123456789abcdef0123456789abcdef-and-more";
const std::string kClaims =
    R"({"sub":"ann","roles":["viewer","operator"],"iss":"https://id.example","aud":"bindcast","exp":1795442600})";

struct House {
  std::string folder;
  std::vector<std::string> lines;
  JwtOptions options;
  JwtVerifier verifier{[this](LogLevel, const std::string& line) { lines.push_back(line); }};

  House() {
    char name[] = "/tmp/bindcast-jwt-XXXXXX";
    folder = mkdtemp(name);
    options.key = folder + "/key";
    options.issuer = "https://id.example";
    options.audience = "bindcast";
  }
  ~House() {
    unlink(options.key.c_str());
    rmdir(folder.c_str());
  }
  void write(const std::string& text) const { std::ofstream(options.key) << text; }
  void use(const std::string& key, std::vector<std::string> algorithms) {
    write(key);
    options.algorithms = std::move(algorithms);
    verifier.configure(options);
  }
  std::string verify(const std::string& token, std::int64_t seconds = kNow) {
    JwtClaims claims;
    return std::string(verifier.verify(token, seconds * 1'000'000, claims));
  }
  [[nodiscard]] std::string log() const {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
};

const Key& rsa() {
  static const Key key(EVP_RSA_gen(2048));
  return key;
}
const Key& p256() {
  static const Key key(EVP_EC_gen("P-256"));
  return key;
}
const Key& ed25519() {
  static const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return key;
}

std::string by(const Key& key, const std::string& algorithm, const std::string& claims = kClaims) {
  return make_jwt(R"({"alg":")" + algorithm + R"(","typ":"JWT"})", claims,
                  [&](const std::string& text) { return key.sign(text); });
}
std::string by_secret(const std::string& secret, const std::string& claims = kClaims,
                      const std::string& header = R"({"alg":"HS256"})") {
  return make_jwt(header, claims, [&](const std::string& text) { return hmac(secret, text); });
}

void each_algorithm_takes_its_own_tokens(void**) {
  struct Row {
    const char* algorithm;
    std::string key, token, other;
  };
  const Key rsa2(EVP_RSA_gen(2048)), p2562(EVP_EC_gen("P-256")), ed2(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Row rows[] = {{"RS256", rsa().pem(), by(rsa(), "RS256"), by(rsa2, "RS256")},
                      {"ES256", p256().pem(), by(p256(), "ES256"), by(p2562, "ES256")},
                      {"EdDSA", ed25519().pem(), by(ed25519(), "EdDSA"), by(ed2, "EdDSA")},
                      {"HS256", kSecret + "\n", by_secret(kSecret), by_secret(kSecret + "x")}};
  for (const Row& row : rows) {
    House house;
    house.use(row.key, {row.algorithm});
    assert_text(house.verify(row.token), "");
    assert_text(house.verify(row.other), "wrong signature");
    assert_contains(house.log(), row.algorithm);
    // Of every other algorithm, signed by whatever key.
    for (const Row& foreign : rows)
      if (foreign.algorithm != row.algorithm)
        assert_text(house.verify(foreign.token), "another algorithm than the key's");
    // One bit of the signature, and of what is signed.
    std::string broken = row.token;
    broken[broken.size() - 10] = broken[broken.size() - 10] == 'A' ? 'B' : 'A';
    assert_text(house.verify(broken), "wrong signature");
    broken = row.token;
    broken.replace(broken.find('.') + 1, 4, base64url("{  "));
    assert_true(!house.verify(broken).empty());
  }
}

void claims_are_read(void**) {
  House house;
  house.use(kSecret, {"HS256"});
  JwtClaims claims;
  assert_text(std::string(house.verifier.verify(by_secret(kSecret), kNow * 1'000'000, claims)), "");
  assert_text(claims.user, "ann");
  assert_true(claims.roles == (std::vector<std::string>{"viewer", "operator"}));
  assert_true(claims.ends_wall_us == (1795442600 + 60) * 1'000'000LL);
}

void roles_and_user_stand_where_the_issuer_puts_them(void**) {
  House house;
  house.options.roles_claim = "realm_access.roles";
  house.options.user_claim = "preferred_username";
  house.options.issuer = house.options.audience = "";
  house.use(kSecret, {"HS256"});
  JwtClaims claims;
  const auto read = [&](const std::string& text) {
    claims = {};
    return std::string(house.verifier.verify(by_secret(kSecret, text), kNow * 1'000'000, claims));
  };
  assert_text(read(R"({"preferred_username":"bob","realm_access":{"roles":["admin"]},"exp":1795442600})"), "");
  assert_text(claims.user, "bob");
  assert_true(claims.roles == std::vector<std::string>{"admin"});
  assert_text(read(R"({"preferred_username":"bob","realm_access.roles":"viewer operator","exp":1795442600})"), "");
  assert_true(claims.roles == (std::vector<std::string>{"viewer", "operator"}));
  for (const char* roles : {"5", "null", "[1,null,{}]", "{}", "\"\""}) {
    assert_text(read(std::string(R"({"preferred_username":"b","realm_access":)") + roles + R"(,"exp":1795442600})"),
                "");
    assert_int_equal(claims.roles.size(), 0);
  }
}

// The key is public: whoever has it must not be able to sign with it.
void a_public_key_is_never_a_secret(void**) {
  for (const Key* key : {&rsa(), &p256(), &ed25519()}) {
    House house;
    const std::string pem = key->pem();
    house.use(pem, {"RS256", "ES256", "EdDSA", "HS256"});
    for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1), key->der()})
      assert_text(house.verify(by_secret(secret)), "another algorithm than the key's");
  }
  const std::string others[] = {rsa().pem(),
                                rsa().der(),
                                p256().der(),
                                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIxxxxxxxxx",
                                R"({"kty":"RSA","n":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa","e":"AQAB"})",
                                "# a comment\n-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n"};
  for (const std::string& file : others) {
    House house;
    house.use(file, {"HS256"});
    assert_text(house.verify(by_secret(file)), "no token");
    assert_contains(house.log(), "no JSON Web Token is accepted");
  }
}

void a_key_that_cannot_be_used_is_said_once_and_not_shown(void**) {
  const Key weak(EVP_RSA_gen(1024)), p384(EVP_EC_gen("P-384"));
  struct Row {
    std::string file, algorithm, says;
  };
  const Row rows[] = {
      {"short secret", "HS256", "less than 32 bytes"},   {"", "HS256", "less than 32 bytes"},
      {weak.pem(), "RS256", "less than 2048 bits"},      {p384.pem(), "ES256", "another kind"},
      {rsa().pem(true), "RS256", "holds a private key"}, {rsa().pem(), "ES256", "none of auth.jwt.algorithms"},
      {kSecret, "RS256", "none of auth.jwt.algorithms"}, {std::string(100'000, 'x'), "HS256", "larger than"}};
  for (const Row& row : rows) {
    House house;
    house.use(row.file, {row.algorithm});
    for (int i = 0; i < 10; ++i) house.verifier.tick();
    assert_int_equal(house.lines.size(), 1);
    assert_contains(house.log(), row.says);
    assert_int_equal(house.log().find("short secret"), std::string::npos);
    assert_text(house.verify(by_secret(kSecret)), "no token");
  }
  House house;
  house.options.algorithms = {"HS256"};
  house.verifier.configure(house.options);
  assert_contains(house.log(), "No such file");
}

void the_key_is_read_again_when_it_changes_and_a_broken_one_changes_nothing(void**) {
  House house;
  house.use(kSecret, {"HS256"});
  const std::string next = "ffffffffffffffffffffffffffffffffffffffff";
  const auto generation = house.verifier.generation();
  house.write("broken");
  for (int i = 0; i < 6; ++i) house.verifier.tick();
  assert_text(house.verify(by_secret(kSecret)), "");
  assert_int_equal(house.verifier.generation(), generation);
  assert_contains(house.log(), "the key before it stays in force");
  assert_int_equal(house.lines.size(), 2);
  house.write(next);
  for (int i = 0; i < 2; ++i) house.verifier.tick();
  assert_text(house.verify(by_secret(next)), "");
  assert_text(house.verify(by_secret(kSecret)), "wrong signature");
  assert_int_not_equal(house.verifier.generation(), generation);
  house.options.algorithms = {};
  house.verifier.configure(house.options);
  assert_false(house.verifier.concerns(by_secret(next)));
}

void forged_headers(void**) {
  House house;
  house.use(kSecret, {"HS256"});
  struct Row {
    const char *header, *says;
  };
  const Row rows[] = {
      {R"({"alg":"none"})", "another algorithm than the key's"},
      {R"({"alg":"NONE"})", "another algorithm than the key's"},
      {R"({"alg":""})", "another algorithm than the key's"},
      {R"({"alg":null})", "another algorithm than the key's"},
      {R"({"alg":["HS256"]})", "another algorithm than the key's"},
      {R"({"alg":"hs256"})", "another algorithm than the key's"},
      {R"({"alg":"HS384"})", "another algorithm than the key's"},
      {R"({"typ":"JWT"})", "another algorithm than the key's"},
      {R"({"alg":"none","alg":"HS256"})", "malformed"},
      {R"({"alg":"HS256","crit":["exp"]})", "a critical header that is not known"},
      {R"({"alg":"HS256","b64":false,"crit":["b64"]})", "a critical header that is not known"},
      {R"("HS256")", "malformed"},
      {R"([])", "malformed"},
      {"", "malformed"},
      // Where the key is to be had from counts for nothing: with the right one they pass.
      {R"({"alg":"HS256","kid":"../../dev/null"})", ""},
      {R"({"alg":"HS256","kid":"' UNION SELECT 'x","jku":"https://evil.example/","jwk":{"kty":"oct","k":"eA"}})", ""},
  };
  for (const Row& row : rows) assert_text(house.verify(by_secret(kSecret, kClaims, row.header)), row.says);
  // ... and with the one they bring they do not.
  assert_text(house.verify(by_secret("x", kClaims, R"({"alg":"HS256","jwk":{"kty":"oct","k":"eA"}})")),
              "wrong signature");
  assert_text(house.verify(by_secret("", kClaims, R"({"alg":"HS256","kid":"/dev/null"})")), "wrong signature");
  // Without a signature at all.
  const std::string good = by_secret(kSecret);
  assert_text(house.verify(good.substr(0, good.rfind('.') + 1)), "malformed");
  assert_text(house.verify(make_jwt(R"({"alg":"none"})", kClaims, [](const std::string&) { return ""; })), "malformed");
  // What is no base64url in a part that comes to be read late: cjose 0.6 ends the process by an assertion (fuzzing).
  const std::size_t first = good.find('.'), second = good.rfind('.');
  for (const std::string claims : {"e=JzU0NDI2MDB9", "=", "e", "e30=", "e+30", "e 30", ""})
    assert_text(house.verify(good.substr(0, first + 1) + claims + good.substr(second)), "malformed");
  std::string deep = R"({"alg":"HS256","x":)" + std::string(1000, '[') + std::string(1000, ']') + "}";
  assert_text(house.verify(by_secret(kSecret, kClaims, deep)), "malformed");
}

void times(void**) {
  struct Row {
    const char *times, *says;
  };
  const Row rows[] = {
      {R"("exp":1795442531)", ""},  // within the skew
      {R"("exp":1795442472)", ""},
      {R"("exp":1795442471)", "expired"},
      {R"("exp":0)", "expired"},
      {R"("exp":-1)", "expired"},
      {R"("iat":1)", "without exp"},
      {R"("exp":"1795442600")", "a time that is none"},
      {R"("exp":null)", "a time that is none"},
      {R"("exp":true)", "a time that is none"},
      {R"("exp":1e300)", "a time that is none"},
      {R"("exp":9007199254740993)", "a time that is none"},
      {R"("exp":1795442600.5)", ""},
      {R"("exp":1795442600,"nbf":1795442591)", ""},
      {R"("exp":1795442600,"nbf":1795442592)", "not valid yet"},
      {R"("exp":1795442600,"nbf":"x")", "a time that is none"},
      {R"("exp":1795442600,"iat":1795442591)", ""},
      {R"("exp":1795442600,"iat":1795442592)", "issued in the future"},
      {R"("exp":1,"exp":1795442600)", "malformed"},
  };
  House house;
  house.options.issuer = house.options.audience = "";
  house.use(kSecret, {"HS256"});
  for (const Row& row : rows)
    assert_text(house.verify(by_secret(kSecret, R"({"sub":"ann",)" + std::string(row.times) + "}")), row.says);
}

void issuer_audience_and_user(void**) {
  struct Row {
    const char *claims, *says;
  };
  const Row rows[] = {
      {R"("sub":"ann","iss":"https://id.example","aud":"bindcast")", ""},
      {R"("sub":"ann","iss":"https://id.example","aud":["other","bindcast"])", ""},
      {R"("sub":"ann","iss":"https://id.example","aud":["other"])", "for another audience"},
      {R"("sub":"ann","iss":"https://id.example","aud":[])", "for another audience"},
      {R"("sub":"ann","iss":"https://id.example","aud":"bindcast2")", "for another audience"},
      {R"("sub":"ann","iss":"https://id.example","aud":{"bindcast":1})", "for another audience"},
      {R"("sub":"ann","iss":"https://id.example")", "for another audience"},
      {R"("sub":"ann","iss":"https://id.example/","aud":"bindcast")", "another issuer"},
      {R"("sub":"ann","iss":["https://id.example"],"aud":"bindcast")", "another issuer"},
      {R"("sub":"ann","aud":"bindcast")", "another issuer"},
      {R"("iss":"https://id.example","aud":"bindcast")", "names no user"},
      {R"("sub":"","iss":"https://id.example","aud":"bindcast")", "names no user"},
      {R"("sub":7,"iss":"https://id.example","aud":"bindcast")", "names no user"},
      {R"("sub":"a\nb","iss":"https://id.example","aud":"bindcast")", "names no user"},
      {R"("sub":"ann\u0000","iss":"https://id.example","aud":"bindcast")", "malformed"},
  };
  House house;
  house.use(kSecret, {"HS256"});
  for (const Row& row : rows)
    assert_text(house.verify(by_secret(kSecret, "{" + std::string(row.claims) + R"(,"exp":1795442600})")), row.says);
}

void what_is_no_token(void**) {
  House house;
  house.use(kSecret, {"HS256"});
  const std::string good = by_secret(kSecret);
  for (const std::string& text :
       {std::string(), std::string("."), std::string(".."), std::string("..."), good + ".", "." + good, good + "=",
        good + "\n", " " + good, good + "A", good.substr(0, good.rfind('.')), std::string(100'000, '.'),
        good + std::string(100'000, 'A')})
    assert_true(!house.verify(text).empty());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(each_algorithm_takes_its_own_tokens),
      cmocka_unit_test(claims_are_read),
      cmocka_unit_test(roles_and_user_stand_where_the_issuer_puts_them),
      cmocka_unit_test(a_public_key_is_never_a_secret),
      cmocka_unit_test(a_key_that_cannot_be_used_is_said_once_and_not_shown),
      cmocka_unit_test(the_key_is_read_again_when_it_changes_and_a_broken_one_changes_nothing),
      cmocka_unit_test(forged_headers),
      cmocka_unit_test(times),
      cmocka_unit_test(issuer_audience_and_user),
      cmocka_unit_test(what_is_no_token),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
